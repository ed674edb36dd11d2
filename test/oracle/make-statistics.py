"""Writes statistics.json.gz: what changes beside weights. Batch norm over several steps, averages of weights."""

import copy
import zlib

import torch
from torch import nn
from torch.optim import swa_utils

from fixture import SOURCE, quiet, write
from ops.case import packed, snake

BATCH_NORMS = [
    ("BatchNorm1d", "default", (6, 3), {}),
    ("BatchNorm1d", "three dims", (4, 3, 5), {}),
    ("BatchNorm2d", "default", (3, 4, 2, 3), {}),
    ("BatchNorm2d", "batch of one", (1, 3, 2, 2), {}),
    ("BatchNorm3d", "default", (2, 3, 2, 2, 2), {}),
    ("BatchNorm1d", "cumulative", (5, 3), {"momentum": None}),
    ("BatchNorm1d", "momentum of 1", (5, 3), {"momentum": 1}),
    ("BatchNorm2d", "not affine", (3, 2, 2, 2), {"affine": False}),
    ("BatchNorm1d", "no bias", (5, 3), {"bias": False}),
    ("BatchNorm1d", "no statistics", (5, 3), {"trackRunningStats": False}),
    ("BatchNorm2d", "eps and momentum", (3, 2, 2, 2), {"eps": 0.01, "momentum": 0.3}),
]
# Two steps of training, one in eval mode, training again, and eval mode at the end.
MODES = [True, True, False, True, False]


def drawn(*shape, scale=1.0, shift=0.0):
    return torch.round((torch.randn(shape, dtype=torch.float64) * scale + shift) * 1e4) / 1e4


def single(tensor):
    """A float64 result as float32; the rest as it is."""
    return packed(tensor, "float32" if tensor.is_floating_point() else None)


def batch_norm_case(kind, variant, shape, options):
    name = f"{kind}/{variant}"
    torch.manual_seed(zlib.crc32(name.encode()))
    module = getattr(nn, kind)(shape[1], **{snake(k): v for k, v in options.items()}).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(drawn(shape[1], shift=1.0))
    start = {key: single(p) for key, p in module.named_parameters()}
    steps = []
    for training in MODES:
        module.train(training)
        module.zero_grad()
        x = drawn(*shape, scale=2.0, shift=0.5).requires_grad_()
        cotangent = drawn(*shape)
        output = module(x)
        output.backward(cotangent)
        steps.append({
            "training": training,
            "input": single(x),
            "output": single(output),
            "cotangent": single(cotangent),
            "inputGrad": single(x.grad),
            "grads": {key: single(p.grad) for key, p in module.named_parameters()},
            "buffers": {camel(key): single(b) for key, b in module.named_buffers()},
        })  # fmt: skip
    printed = str(getattr(nn, kind)(shape[1], **{snake(k): v for k, v in options.items()}))
    return {"name": name, "module": kind, "features": shape[1], "options": options, "start": start, "steps": steps, "printed": printed}


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def average_case(decay, use_buffers):
    """Weights and a buffer that jump about, and their averages by swa_utils, which copies at its first update."""
    torch.manual_seed(zlib.crc32(f"ema {decay} {use_buffers}".encode()))
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    # PyTorch averages the count of batches too, and cuts off its fraction.
    del model[1]._buffers["num_batches_tracked"]

    def jump():
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                tensor.copy_(drawn(*tensor.shape))
        return {key: single(tensor) for key, tensor in named(model)}

    start = jump()
    averaged = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(decay), use_buffers=use_buffers)
    averaged.update_parameters(model)
    steps = []
    for _ in range(5):
        values = jump()
        averaged.update_parameters(model)
        steps.append({"values": values, "averages": {key: single(t) for key, t in named(copy.deepcopy(averaged.module))}})
    return {"decay": decay, "buffers": "average" if use_buffers else "copy", "start": start, "steps": steps}


def named(model):
    """Parameters and buffers by path, in camelCase."""
    for path, tensor in (*model.named_parameters(), *model.named_buffers()):
        yield ".".join(camel(part) for part in path.split(".")), tensor


def main():
    quiet()
    content = {
        "format": "statistics/1",
        "source": SOURCE,
        "batchNorms": [batch_norm_case(*case) for case in BATCH_NORMS],
        "averages": [average_case(decay, use_buffers) for decay in (0.0, 0.5, 0.9, 0.999) for use_buffers in (False, True)],
    }
    print({key: len(value) for key, value in content.items() if isinstance(value, list)})
    write("statistics.json.gz", content)


if __name__ == "__main__":
    main()
