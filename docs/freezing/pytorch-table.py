"""The column of PyTorch in the table of docs/freezing.md."""

import torch
from torch import nn

yes = {True: "yes", False: "no"}


def layer():
    """A layer and an AdamW that has taken a step with it."""
    torch.manual_seed(0)
    made = nn.Linear(3, 3, bias=False)
    optimizer = torch.optim.AdamW(made.parameters(), lr=0.01)
    made(torch.ones(2, 3)).square().sum().backward()
    optimizer.step()
    return made.weight, optimizer


def moves(change):
    weight, optimizer = layer()
    before = weight.detach().clone()
    change(weight)
    optimizer.step()
    return not torch.equal(weight, before)


def null(weight):
    weight.grad = None


def frozen_with_zeros(weight):
    weight.requires_grad_(False)
    weight.grad = torch.zeros(3, 3)


def masked(weight):
    weight.grad = torch.zeros(3, 3)


def late():
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([a, b], lr=0.01)
    a.grad = torch.ones(1)
    for _ in range(8000):
        optimizer.step()
    b.grad = torch.ones(1)
    optimizer.step()
    return -b.item() / 0.01


def keeps_state():
    weight, optimizer = layer()
    before = optimizer.state[weight]["exp_avg"].clone()
    null(weight.requires_grad_(False))
    optimizer.step()
    weight.requires_grad_(True)
    return torch.equal(optimizer.state[weight]["exp_avg"], before)


def freezes_and_thaws():
    weight, optimizer = layer()
    changed = []
    for trains in (False, True):
        weight.requires_grad_(trains)
        optimizer.zero_grad()
        before = weight.detach().clone()
        (weight.sum() + torch.ones(1, requires_grad=True)).square().sum().backward()
        optimizer.step()
        changed.append(not torch.equal(weight, before))
    return changed == [False, True]


def statistics_stay():
    norm = nn.BatchNorm1d(4).requires_grad_(False)
    norm(torch.randn(8, 4) + 1)
    return not norm.running_mean.any()


print(f"skips a null gradient: {yes[not moves(null)]}")
print(f"a frozen flag is enough: {yes[not moves(frozen_with_zeros)]}")
print(f"can freeze some rows of a weight: {yes[not moves(masked)]}")
print(f"counts steps per parameter: {yes[late() < 1.01]}")
print(f"keeps moments over a freeze: {yes[keeps_state()]}")
print(f"can freeze and thaw between any two steps: {yes[freezes_and_thaws()]}")
print(f"holds the statistics of a frozen BatchNorm: {yes[statistics_stay()]}")
