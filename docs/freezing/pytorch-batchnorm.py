"""The statistics of a BatchNorm move although its parameters are frozen, and train() takes eval() back."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 4) * 2 + 1


def moved(net):
    before = net[0].running_mean.clone()
    net(x)
    return (net[0].running_mean - before).abs().max().item()


net = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 1))
net[0].requires_grad_(False)
frozen = moved(net)
net[0].eval()
evaluated = moved(net)
net.train()  # as at the start of each epoch
trained = moved(net)
print(
    f"PyTorch {torch.__version__.split('+')[0]}: running_mean of a frozen BatchNorm moved by up to {frozen:.4f}; "
    f"after its eval() {evaluated:.4f}; after the next net.train() {trained:.4f}"
)
sys.exit(not (frozen > 0 and evaluated == 0 and trained > 0))
