"""Writes leaks.json.gz: what moves of a parameter that PyTorch's own ways were told to leave alone.

A parameter `held` and a parameter `free` take two ordinary steps; then `held` takes three more with a gradient of one
kind, as it has after `requires_grad = False`, a task switch or a mask, while `free` goes on. Beside the values at the
end it says of each tensor how many elements differ in any bit from before those three steps.
"""

import copy
import json
from pathlib import Path

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fixture import SOURCE, quiet, write

OPTIMIZERS = json.loads((Path(__file__).parent / "optimizers.json").read_text())

HELD = [[0.5, -1.0], [0.25, 2.0], [-0.75, 0.125]]
FREE = [0.5, -0.25, 1.0]
WARM = [[[0.3, -0.2], [0.1, 0.4], [-0.5, 0.6]], [[0.2, -0.4], [0.3, 0.1], [-0.1, 0.2]]]
FREE_GRADIENT = [0.2, 0.1, -0.3]

nan, infinity = float("nan"), float("inf")
KINDS = {
    "null": lambda last: None,
    "zero": torch.zeros_like,
    "stale": lambda last: last,
    "NaN": lambda last: torch.full_like(last, nan),
    "infinite": lambda last: torch.tensor([[infinity, -infinity], [1.0, infinity], [-infinity, 1.0]]),
    # Rows are frozen by a mask on the gradient: here the second and third.
    "masked": lambda last: last * torch.tensor([[1.0], [0.0], [0.0]]),
}
CLIPS = {
    "none": lambda parameters: None,
    "norm": lambda parameters: torch.nn.utils.clip_grad_norm_(parameters, 0.2),
    "value": lambda parameters: torch.nn.utils.clip_grad_value_(parameters, 0.15),
}


def snake(name):
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def keywords(options):
    return {snake(k): tuple(v) if isinstance(v, list) else v for k, v in options.items()}


def everything(optimizer, parameter):
    """The value and the state, by thaw's names; what PyTorch keeps as None is not there."""
    state = {camel(key): value for key, value in optimizer.state.get(parameter, {}).items() if value is not None}
    return copy.deepcopy({"value": parameter.detach(), **state})


def as_bits(value):
    return torch.as_tensor(value, dtype=torch.float32).view(torch.int32)


def moved(before, after):
    """Of each tensor, and number, how many elements differ in any bit."""
    return {
        key: int((as_bits(before[key]) != as_bits(after[key])).sum()) if key in before else as_bits(after[key]).numel()
        for key in after
    }


def run(name, options, kind, clip):
    held = torch.nn.Parameter(torch.tensor(HELD))
    # Muon takes matrices only.
    free = torch.nn.Parameter(torch.tensor([FREE] if name == "Muon" else FREE))
    optimizer = getattr(torch.optim, name)([held, free], **keywords(options))

    def step(gradient):
        held.grad = gradient
        free.grad = torch.tensor(FREE_GRADIENT).reshape(free.shape)
        CLIPS[clip]([held, free])
        optimizer.step()

    for gradient in WARM:
        step(torch.tensor(gradient))
    before = everything(optimizer, held)
    held.requires_grad_(False)
    for _ in range(3):
        # A gradient that is there is clipped in place: each step has its own.
        step(KINDS[kind](torch.tensor(WARM[-1])))
    after = everything(optimizer, held)
    rows = (as_bits(before["value"]) != as_bits(after["value"])).any(dim=1)
    return {
        "optimizer": name,
        "options": options,
        "kind": kind,
        "clip": clip,
        "moved": moved(before, after),
        "rowsMoved": [int(row) for row in rows],
        "held": after,
        "free": everything(optimizer, free),
    }


def surroundings():
    """What moves around parameters that require no gradient: statistics, and averages of the weights."""
    batch = torch.tensor([[1.0, 2.0], [3.0, 5.0], [-1.0, 0.0]])
    norm = torch.nn.BatchNorm1d(2)
    for parameter in norm.parameters():
        parameter.requires_grad_(False)
    norm(batch)

    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(layer.weight, 1.0)
    averaged = AveragedModel(layer, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    averaged.update_parameters(layer)
    torch.nn.init.constant_(layer.weight, 2.0)
    layer.weight.requires_grad_(False)
    for _ in range(2):
        averaged.update_parameters(layer)
    return {
        "batchNorm": {"batch": batch, "runningMean": norm.running_mean, "runningVar": norm.running_var},
        "average": {"decay": 0.9, "start": 1.0, "value": 2.0, "updates": 2, "average": averaged.module.weight.item()},
    }


def main():
    quiet()
    cases = []
    for name, ways in OPTIMIZERS.items():
        for way, options in ways.items():
            for kind in KINDS:
                for clip in CLIPS if way == "everything" else ["none"]:
                    cases.append({"way": way, **run(name, options, kind, clip)})
    content = {"held": HELD, "free": FREE, "warm": WARM, "freeGradient": FREE_GRADIENT}
    write("freeze/leaks.json.gz", {"format": "leaks/1", "source": SOURCE, **content, "surroundings": surroundings(), "cases": cases})


if __name__ == "__main__":
    main()
