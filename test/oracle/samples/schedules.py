"""Schedules: the rate, and the momentum, of two groups after each of many steps, for all kinds of options."""

import warnings

import torch
from torch.optim import lr_scheduler

STEPS = 40
# Functions by name, which the tests have too.
LAMBDAS = {
    "half": lambda n: 0.5**n,
    "alternating": lambda n: -1.0 if n % 2 else 1.0,
    "zero": lambda n: 0.0,
    "rising": lambda n: 1 + n / 8,
    "slow": lambda n: 0.95,
}
METRICS = [1.0, 0.9, 0.9, 0.95, 0.8, 0.81, 0.82, 0.83, 0.5, float("inf"), 0.6, 0.6, 0.6, -0.2, -0.19, -0.21, 0.0, 0.0, 0.0, 0.0] * 2


def configurations():
    """Schedule, options in Python's names, the optimizer's momentum."""
    for factor in (1 / 3, 0.5, 1.0, 0.0):
        for total in (0, 1, 5, 20):
            yield "ConstantLR", {"factor": factor, "total_iters": total}
    for start, end in ((1 / 3, 1.0), (0.1, 0.5), (1.0, 0.0), (1.0, 1.0), (0.5, 0.25)):
        for total in (0, 1, 5, 20):
            yield "LinearLR", {"start_factor": start, "end_factor": end, "total_iters": total}
    for gamma in (0.9, 1.0, 0.0, 1.5, -0.5):
        yield "ExponentialLR", {"gamma": gamma}
        for size in (1, 3, 100):
            yield "StepLR", {"step_size": size, "gamma": gamma}
        for milestones in ([5, 20], [], [3, 3, 4], [20, 5], [0, 1], [100]):
            yield "MultiStepLR", {"milestones": milestones, "gamma": gamma}
    for total in (0, 1, 5, 60):
        for power in (1.0, 2.0, 0.5, 0.0, -1.0):
            yield "PolynomialLR", {"total_iters": total, "power": power}
    for t in (1, 2, 7, 40, 100):
        for eta in (0.0, 0.01, 0.5, -0.1):
            yield "CosineAnnealingLR", {"T_max": t, "eta_min": eta}
    for t, m in ((1, 1), (3, 1), (3, 2), (10, 3), (50, 1)):
        for eta in (0.0, 0.01, 0.5, -0.1):
            yield "CosineAnnealingWarmRestarts", {"T_0": t, "T_mult": m, "eta_min": eta}
    for name in LAMBDAS:
        yield "LambdaLR", {"lr_lambda": name}
        yield "MultiplicativeLR", {"lr_lambda": name}
        yield "LambdaLR", {"lr_lambda": [name, "rising"]}
        yield "MultiplicativeLR", {"lr_lambda": ["slow", name]}
    for mode in ("min", "max"):
        for more in ({}, {"factor": 0.5, "patience": 0}, {"patience": 2, "cooldown": 2}, {"threshold": 0.1, "patience": 1}, {"threshold": 0.1, "threshold_mode": "abs", "patience": 1}, {"min_lr": 0.02, "patience": 0}, {"min_lr": [0.02, 0.001], "patience": 1}, {"eps": 0.05, "patience": 0}, {"factor": 0.0, "patience": 0}, {"factor": -0.5, "patience": 0}):
            yield "ReduceLROnPlateau", {"mode": mode, **more}
    for total in ({"total_steps": 50}, {"epochs": 5, "steps_per_epoch": 12}, {"total_steps": 100}):
        for more in ({}, {"anneal_strategy": "linear"}, {"three_phase": True}, {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.4}, {"pct_start": 0.1}, {"div_factor": 5.0, "final_div_factor": 10.0}, {"cycle_momentum": False}, {"base_momentum": 0.5, "max_momentum": 0.9}):
            yield "OneCycleLR", {"max_lr": 0.5, **total, **more}
    yield "OneCycleLR", {"max_lr": [0.5, 0.1], "total_steps": 45}
    for mode in ("triangular", "triangular2", "exp_range"):
        for more in ({"step_size_up": 4}, {"step_size_up": 3, "step_size_down": 5}, {"step_size_up": 4, "gamma": 0.9}, {"step_size_up": 1}, {"step_size_up": 5, "cycle_momentum": False}, {"step_size_up": 5, "base_momentum": 0.6, "max_momentum": 0.7}):
            yield "CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "mode": mode, **more}
    yield "CyclicLR", {"base_lr": [0.01, 0.02], "max_lr": [0.2, 0.1], "step_size_up": 4}
    constant = ["ConstantLR", {"factor": 0.1, "total_iters": 3}]
    parts = [constant, ["LinearLR", {"start_factor": 0.1, "total_iters": 10}], ["CosineAnnealingLR", {"T_max": 10}], ["ExponentialLR", {"gamma": 0.9}], ["StepLR", {"step_size": 4}], ["PolynomialLR", {"total_iters": 12}], ["MultiStepLR", {"milestones": [2, 4]}], ["LambdaLR", {"lr_lambda": "half"}], ["MultiplicativeLR", {"lr_lambda": "slow"}], ["CosineAnnealingWarmRestarts", {"T_0": 4}]]
    for i, first in enumerate(parts):
        for j, second in enumerate(parts):
            if i != j:
                yield "SequentialLR", {"schedulers": [first, second], "milestones": [5]}
                yield "ChainedScheduler", {"schedulers": [first, second]}
    for milestones in ([1, 2], [10, 20], [3, 3]):
        yield "SequentialLR", {"schedulers": [parts[1], parts[3], parts[2]], "milestones": milestones}
        yield "SequentialLR", {"schedulers": [parts[7], parts[9], parts[4]], "milestones": milestones}
    yield "ChainedScheduler", {"schedulers": parts[:3]}
    yield "ChainedScheduler", {"schedulers": [constant]}


def invalid():
    """What constructors must refuse."""
    yield "ConstantLR", {"factor": 1.5}
    yield "ConstantLR", {"factor": -0.5}
    yield "LinearLR", {"start_factor": 0.0}
    yield "LinearLR", {"start_factor": 1.5}
    yield "LinearLR", {"end_factor": -0.5}
    yield "LinearLR", {"end_factor": 1.5}
    yield "CosineAnnealingWarmRestarts", {"T_0": 0}
    yield "CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 0}
    yield "CosineAnnealingWarmRestarts", {"T_0": 2.5}
    yield "LambdaLR", {"lr_lambda": ["half"]}
    yield "MultiplicativeLR", {"lr_lambda": ["half", "half", "half"]}
    yield "ReduceLROnPlateau", {"factor": 1.0}
    yield "ReduceLROnPlateau", {"factor": 1.5}
    yield "ReduceLROnPlateau", {"mode": "most"}
    yield "ReduceLROnPlateau", {"threshold_mode": "some"}
    yield "ReduceLROnPlateau", {"min_lr": [0.1]}
    yield "OneCycleLR", {"max_lr": 0.5}
    yield "OneCycleLR", {"max_lr": 0.5, "epochs": 4}
    yield "OneCycleLR", {"max_lr": 0.5, "total_steps": 0}
    yield "OneCycleLR", {"max_lr": 0.5, "total_steps": -3}
    yield "OneCycleLR", {"max_lr": 0.5, "total_steps": 10, "pct_start": 1.5}
    yield "OneCycleLR", {"max_lr": 0.5, "total_steps": 10, "anneal_strategy": "steep"}
    yield "OneCycleLR", {"max_lr": [0.5], "total_steps": 10}
    yield "CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "mode": "round"}
    yield "CyclicLR", {"base_lr": [0.01], "max_lr": 0.2}
    yield "SequentialLR", {"schedulers": [], "milestones": []}
    yield "SequentialLR", {"schedulers": [["StepLR", {"step_size": 4}]], "milestones": [3]}
    yield "ChainedScheduler", {"schedulers": []}


def optimizer():
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    return torch.optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.03}], lr=0.1, momentum=0.9)


def made(name, options, sgd):
    """A schedule; the ones that it is made of are pairs of a name and options."""

    def argument(key, value):
        if key == "lr_lambda":
            return [LAMBDAS[v] for v in value] if isinstance(value, list) else LAMBDAS[value]
        if key == "schedulers":
            return [made(*part, sgd) for part in value]
        return value

    given = {k: argument(k, v) for k, v in options.items()}
    if name == "ChainedScheduler":
        return lr_scheduler.ChainedScheduler(given["schedulers"], sgd)
    return getattr(lr_scheduler, name)(sgd, **given)


def rows(sgd):
    return [[g["lr"], g["momentum"]] for g in sgd.param_groups]


def samples():
    """All fixtures: rows of rate and momentum by group, before the first step and after each; and what is refused."""
    found = []
    for name, options in configurations():
        sgd = optimizer()
        trail = []
        message = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                schedule = made(name, options, sgd)
                trail.append(rows(sgd))
                for step in range(STEPS):
                    sgd.step()
                    schedule.step(METRICS[step]) if name == "ReduceLROnPlateau" else schedule.step()
                    trail.append(rows(sgd))
            except Exception as error:
                message = f"{type(error).__name__}: {error}"[:120]
        if any(isinstance(x, complex) for row in trail for group in row for x in group):
            continue
        entry = {"op": name, "kind": "sample" if trail else "error", "options": numbers(options)}
        if trail:
            entry["rates"] = numbers(trail)
        if message is not None:
            entry["message"] = message
        found.append(entry)
    for name, options in invalid():
        try:
            made(name, options, optimizer())
            print("accepted:", name, options)
        except Exception as error:
            found.append({"op": name, "kind": "error", "options": options, "message": f"{type(error).__name__}: {error}"[:120]})
    return {"metrics": numbers(METRICS), "samples": found}


def numbers(value):
    """Twelve digits; what JSON cannot say as text."""
    if isinstance(value, float):
        return float(f"{value:.12g}") if value - value == 0 else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    if isinstance(value, (list, tuple)):
        return [numbers(v) for v in value]
    if isinstance(value, dict):
        return {k: numbers(v) for k, v in value.items()}
    return value
