"""Optimizer state is saved by position: with another frozen set it is refused, or given to the wrong parameter."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
net = nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 4)})
x = torch.randn(32, 4)


def optimizer_of(*trained):
    return torch.optim.Adam([p for name in trained for p in net[name].parameters()], lr=0.01)


first = optimizer_of("head")
net["head"](net["body"](x)).square().mean().backward()
first.step()
saved = first.state_dict()

second = optimizer_of("body")
second.load_state_dict(saved)
of_head = first.state[net["head"].weight]["exp_avg"]
swapped = torch.equal(second.state[net["body"].weight]["exp_avg"], of_head)
try:
    optimizer_of("body", "head").load_state_dict(saved)
    refused = None
except ValueError as error:
    refused = str(error)
version = torch.__version__.split("+")[0]
print(f"PyTorch {version}: the body was given the moments of the head: {swapped}; with both: {refused}")
sys.exit(not (swapped and refused))
