"""requires_grad = False between backward and step: the gradient is there already, so the step is taken."""

import sys

import torch

layer = torch.nn.Linear(3, 3)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
torch.manual_seed(0)
layer(torch.randn(8, 3)).square().mean().backward()
layer.requires_grad_(False)
before = layer.weight.clone()
optimizer.step()
changed = int((layer.weight != before).sum())
print(f"PyTorch {torch.__version__.split('+')[0]}: frozen after backward, {changed} of {before.numel()} elements moved")
sys.exit(changed != before.numel())
