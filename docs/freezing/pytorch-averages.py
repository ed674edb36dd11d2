"""An exponential moving average with the documented avg_fn drifts off a parameter that never moves."""

import sys

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn

torch.manual_seed(0)
layer = torch.nn.Linear(100, 100).requires_grad_(False)


def differing(**how):
    average = AveragedModel(layer, **how)
    for _ in range(1000):
        average.update_parameters(layer)
    return int((average.module.weight != layer.weight).sum())


one, many = differing(avg_fn=get_ema_avg_fn(0.999)), differing(multi_avg_fn=get_ema_multi_avg_fn(0.999))
print(
    f"PyTorch {torch.__version__.split('+')[0]}: after 1,000 averages of a frozen weight of 10,000 elements, "
    f"{one} differ from it with get_ema_avg_fn, {many} with get_ema_multi_avg_fn"
)

norm = torch.nn.BatchNorm1d(4)
average = AveragedModel(norm)
norm(torch.randn(8, 4) + 1)
average.update_parameters(norm)
copied = torch.equal(average.module.running_mean, norm.running_mean)
print(f"PyTorch {torch.__version__.split('+')[0]}: AveragedModel copies buffers: {copied}")
sys.exit(not (one > 0 and copied))
