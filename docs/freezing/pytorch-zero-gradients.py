"""A gradient of zeros is a gradient: momentum, moments and decay move a layer whose requires_grad is False."""

import sys

import torch
from torch import nn


class Network(nn.Module):
    """Two kinds of input, a first layer for each, and an output layer that both share."""

    def __init__(self):
        super().__init__()
        self.hidden_task1 = nn.Linear(3, 3, bias=False)
        self.hidden_task2 = nn.Linear(2, 3, bias=False)
        self.output = nn.Linear(3, 4, bias=False)

    def forward(self, x, task):
        return self.output(torch.sigmoid(getattr(self, task)(x)))


def moved(make_optimizer, set_to_none):
    """How far hidden_task1 goes in the step of the other task."""
    torch.manual_seed(0)
    net = Network()
    optimizer = make_optimizer(net.parameters())
    for task, other, x in [
        ("hidden_task1", "hidden_task2", torch.randn(10, 3)),
        ("hidden_task2", "hidden_task1", torch.randn(10, 2)),
    ]:
        before = net.hidden_task1.weight.detach().clone()
        getattr(net, task).requires_grad_(True)
        getattr(net, other).requires_grad_(False)
        optimizer.zero_grad(set_to_none=set_to_none)
        nn.functional.cross_entropy(net(x, task), torch.randint(4, (10,))).backward()
        optimizer.step()
    return (net.hidden_task1.weight.detach() - before).abs().max().item()


optimizers = {
    "SGD": lambda params: torch.optim.SGD(params, lr=0.01),
    "SGD, momentum 0.9": lambda params: torch.optim.SGD(params, lr=0.01, momentum=0.9),
    "Adam": lambda params: torch.optim.Adam(params, lr=0.01),
    "AdamW": lambda params: torch.optim.AdamW(params, lr=0.01),
}
zeros = {name: moved(make, set_to_none=False) for name, make in optimizers.items()}
nulls = {name: moved(make, set_to_none=True) for name, make in optimizers.items()}
for what, found in [("zeros", zeros), ("null", nulls)]:
    figures = ", ".join(f"{name} {far:.6f}" for name, far in found.items())
    print(f"PyTorch {torch.__version__.split('+')[0]}, gradient {what}, largest change of the frozen layer: {figures}")
sys.exit(not (zeros.pop("SGD") == 0 and min(zeros.values()) > 1e-4 and not any(nulls.values())))
