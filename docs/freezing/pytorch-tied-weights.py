"""Freezing a body freezes a tied decoder, and the decoder's name is not there to be selected."""

import sys

import torch
from torch import nn

net = nn.ModuleDict({"embedding": nn.Embedding(10, 4), "decoder": nn.Linear(4, 10, bias=False)})
net["decoder"].weight = net["embedding"].weight
names = [name for name, _ in net.named_parameters()]
for name, parameter in net.named_parameters():
    if name.startswith("embedding."):
        parameter.requires_grad_(False)
trains = net["decoder"].weight.requires_grad
print(f"PyTorch {torch.__version__.split('+')[0]}: names {names}; embedding frozen, decoder trains: {trains}")
sys.exit(not (names == ["embedding.weight"] and not trains))
