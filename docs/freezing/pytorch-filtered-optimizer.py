"""An optimizer made of what requires a gradient never trains what is thawed later, and never clears its gradient."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
net[0].requires_grad_(False)
optimizer = torch.optim.AdamW(filter(lambda p: p.requires_grad, net.parameters()), lr=0.01)
net[0].requires_grad_(True)
before = net[0].weight.detach().clone()
x, y = torch.randn(32, 4), torch.randn(32, 1)
norms = []
for _ in range(100):
    optimizer.zero_grad()
    (net(x) - y).square().mean().backward()
    optimizer.step()
    norms.append(net[0].weight.grad.norm().item())
same = torch.equal(net[0].weight, before)
print(
    f"PyTorch {torch.__version__.split('+')[0]}: thawed, 100 steps, weight {'unchanged' if same else 'trained'}; "
    f"its gradient, never cleared, grew {norms[-1] / norms[0]:.0f}-fold"
)
sys.exit(not (same and norms[-1] > 10 * norms[0]))
