"""clip_grad_norm_ counts the stale gradients of frozen parameters, so what is trained is scaled down by them."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
x, y = torch.randn(32, 4), 10 * torch.randn(32, 1)
(net(x) - y).square().mean().backward()
net[0].requires_grad_(False)  # and its gradient stays
net[1].zero_grad()
(net(x) - y).square().mean().backward()
own = torch.cat([p.grad.flatten() for p in net[1].parameters()]).norm().item()
norm = nn.utils.clip_grad_norm_(net.parameters(), max_norm=own).item()
left = torch.cat([p.grad.flatten() for p in net[1].parameters()]).norm().item() / own
print(
    f"PyTorch {torch.__version__.split('+')[0]}: norm of what is trained {own:.3f}, norm that is clipped {norm:.3f}; "
    f"the trained gradients keep {left:.3f} of theirs"
)
sys.exit(not left < 0.99)
