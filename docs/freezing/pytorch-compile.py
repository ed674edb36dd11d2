"""torch.compile compiles anew for each frozen set, and from the ninth on runs what it was given uncompiled."""

import logging
import sys

import torch
from torch import nn

logging.disable()
compiled = [0]


def backend(graph, _):
    compiled[0] += 1
    return graph.forward


net = nn.Sequential(*[nn.Linear(4, 4) for _ in range(12)])
step = torch.compile(net, backend=backend)
for trained in net:
    net.requires_grad_(False)
    trained.requires_grad_(True)
    step(torch.ones(2, 4)).sum().backward()
version = torch.__version__.split("+")[0]
print(f"PyTorch {version}: {len(net)} frozen sets, {compiled[0]} compiled, the others run eagerly")
sys.exit(compiled[0] != 8)
