"""Writes schedules.json.gz: the rates and momenta that PyTorch's schedules set, step by step, of drawn options."""

import math
import random
import warnings

import torch
from torch.optim import lr_scheduler as schedules

from fixture import SOURCE, quiet, write

STEPS = 16
PER_SCHEDULE = 14
LAMBDAS = {
    "1 / (1 + n)": lambda n: 1 / (1 + n),
    "0.95 ** n": lambda n: 0.95**n,
    "1 - 0.3 * n": lambda n: 1 - 0.3 * n,
    "-0.9": lambda n: -0.9,
}
TORCH_NAMES = {"TMax": "T_max", "T0": "T_0", "TMult": "T_mult", "lambda": "lr_lambda"}
LEAVES = [
    "StepLR",
    "MultiStepLR",
    "ExponentialLR",
    "PolynomialLR",
    "LambdaLR",
    "MultiplicativeLR",
    "ConstantLR",
    "LinearLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "OneCycleLR",
]
CYCLES_MOMENTUM = {"CyclicLR", "OneCycleLR"}
COMPOSED = ["SequentialLR", "ChainedScheduler"]


def snake(name):
    return TORCH_NAMES.get(name) or "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


class Draw:
    """Draws of one case."""

    def __init__(self, rng, groups):
        self.rng, self.groups, self.cycling = rng, groups, False

    def between(self, low, high):
        return self.rng.choice([low, high, round(self.rng.uniform(low, high), 3)])

    def each(self, draw):
        return draw() if self.rng.random() < 0.6 else [draw() for _ in range(self.groups)]

    def table(self, name):
        """What must be given, and what may be."""
        whole, between, each, choice = self.rng.randint, self.between, self.each, self.rng.choice
        function = lambda: choice(list(LAMBDAS))  # noqa: E731
        momenta = {
            "cycleMomentum": lambda: self.rng.random() < 0.7,
            "baseMomentum": lambda: each(lambda: between(0.1, 0.8)),
            "maxMomentum": lambda: each(lambda: between(0.8, 0.95)),
        }
        return {
            "StepLR": ({"stepSize": lambda: whole(1, 5)}, {"gamma": lambda: between(-1.2, 1.2)}),
            "MultiStepLR": (
                {"milestones": lambda: [whole(0, 12) for _ in range(whole(0, 5))]},
                {"gamma": lambda: between(-1.2, 1.2)},
            ),
            "ExponentialLR": ({"gamma": lambda: between(-1.1, 1.1)}, {}),
            "PolynomialLR": ({}, {"totalIters": lambda: whole(0, 9), "power": lambda: between(0, 3)}),
            "LambdaLR": ({"lambda": lambda: each(function)}, {}),
            "MultiplicativeLR": ({"lambda": lambda: each(function)}, {}),
            "ConstantLR": ({}, {"factor": lambda: between(0.1, 1), "totalIters": lambda: whole(0, 9)}),
            "LinearLR": (
                {},
                {
                    "startFactor": lambda: between(0.1, 1),
                    "endFactor": lambda: between(0, 1),
                    "totalIters": lambda: whole(0, 9),
                },
            ),
            "CosineAnnealingLR": ({"TMax": lambda: whole(1, 9)}, {"etaMin": lambda: between(-0.1, 0.2)}),
            "CosineAnnealingWarmRestarts": (
                {"T0": lambda: whole(1, 6)},
                {"TMult": lambda: whole(1, 3), "etaMin": lambda: between(-0.1, 0.2)},
            ),
            "CyclicLR": (
                {
                    "baseLr": lambda: each(lambda: between(0, 0.1)),
                    "maxLr": lambda: each(lambda: between(0.1, 1)),
                    "stepSizeUp": lambda: choice([1, 2, 3, 5, 2.5]),
                },
                {
                    "stepSizeDown": lambda: choice([None, 1, 4, 0]),
                    "mode": lambda: choice(["triangular", "triangular2", "exp_range"]),
                    "gamma": lambda: between(0.5, 1.1),
                    "scaleFn": function,
                    "scaleMode": lambda: choice(["cycle", "iterations"]),
                    **momenta,
                },
            ),
            "OneCycleLR": (
                {"maxLr": lambda: each(lambda: between(0.1, 2))}
                | (
                    {"totalSteps": lambda: whole(1, 20)}
                    if self.rng.random() < 0.6
                    else {"epochs": lambda: whole(1, 4), "stepsPerEpoch": lambda: whole(1, 6)}
                ),
                {
                    "pctStart": lambda: float(between(0.0, 1.0)),
                    "annealStrategy": lambda: choice(["cos", "linear"]),
                    "threePhase": lambda: self.rng.random() < 0.6,
                    "divFactor": lambda: between(2, 30),
                    "finalDivFactor": lambda: between(2, 1e4),
                    **momenta,
                },
            ),
            "ReduceLROnPlateau": (
                {"patience": lambda: whole(0, 3)},
                {
                    "mode": lambda: choice(["min", "max"]),
                    "factor": lambda: between(-0.5, 0.9),
                    "threshold": lambda: between(0, 0.1),
                    "thresholdMode": lambda: choice(["rel", "abs"]),
                    "cooldown": lambda: whole(0, 3),
                    "minLr": lambda: each(lambda: between(0, 0.02)),
                    "eps": lambda: between(0, 0.01),
                },
            ),
        }[name]

    def schedule(self, name, depth=0):
        if name in COMPOSED:
            pool = LEAVES + (COMPOSED if depth == 0 else [])
            count = self.rng.randint(1, 3)
            parts = []
            for i in range(count):
                first = i == 0 or name != "SequentialLR"
                # Two that cycle the momentum of one group overwrite each other's bounds in PyTorch.
                known = [p for p in (pool if first else LEAVES) if not (self.cycling and p in CYCLES_MOMENTUM)]
                parts.append(self.schedule(self.rng.choice(known), depth + 1))
            spec = {"schedule": name, "schedules": parts}
            if name == "SequentialLR":
                spec["milestones"] = sorted(self.rng.randint(0, 10) for _ in range(count - 1))
            return spec
        self.cycling |= name in CYCLES_MOMENTUM
        needed, optional = self.table(name)
        options = {key: draw() for key, draw in needed.items()}
        options |= {key: draw() for key, draw in optional.items() if self.rng.random() < 0.6}
        return {"schedule": name, "options": options}


def functions(value):
    return [LAMBDAS[one] for one in value] if isinstance(value, list) else LAMBDAS[value]


def build(spec, optimizer):
    make = getattr(schedules, spec["schedule"])
    if "schedules" in spec:
        parts = [build(part, optimizer) for part in spec["schedules"]]
        return make(parts) if spec["schedule"] == "ChainedScheduler" else make(optimizer, parts, spec["milestones"])
    options = {k: functions(v) if k in ("lambda", "scaleFn") else v for k, v in spec["options"].items()}
    return make(optimizer, **{snake(k): v for k, v in options.items()})


def snapshot(optimizer, schedule):
    return {
        "rates": [group["lr"] for group in optimizer.param_groups],
        "momenta": [group["momentum"] if "momentum" in group else group["betas"][0] for group in optimizer.param_groups],
        "lastLr": list(schedule.get_last_lr()),
    }


def case(name, index):
    rng = random.Random(f"{name}-{index}")
    groups = rng.randint(1, 3)
    draw = Draw(rng, groups)
    kind = rng.choice(["SGD", "Adam"])
    rates = [draw.between(0.01, 1) for _ in range(groups)]
    params = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in rates]
    optimizer = torch.optim.SGD(params, momentum=0.9) if kind == "SGD" else torch.optim.Adam(params)
    spec = draw.schedule(name)
    metrics = [round(rng.uniform(0, 2), 2) for _ in range(STEPS)]
    # What PyTorch's deprecated argument does, in one case of four.
    epochs = [None] * STEPS
    if name in LEAVES and index % 4 == 3:
        epochs = [rng.randint(0, 9) if rng.random() < 0.3 else None for _ in range(STEPS)]
    if name == "CosineAnnealingWarmRestarts" and index % 4 == 1:
        epochs = [round(rng.uniform(0, 15), 2) if rng.random() < 0.4 else None for _ in range(STEPS)]
    trail, error = [], None
    try:
        schedule = build(spec, optimizer)
        trail.append(snapshot(optimizer, schedule))
        for metric, epoch in zip(metrics, epochs):
            if name == "ReduceLROnPlateau":
                schedule.step(metric)
            else:
                schedule.step() if epoch is None else schedule.step(epoch)
            trail.append(snapshot(optimizer, schedule))
    except (ValueError, ZeroDivisionError) as raised:
        error = type(raised).__name__
    assert all(math.isfinite(rate) for step in trail for rate in step["rates"])
    return {"name": f"{name}-{index}", "optimizer": kind, "rates": rates, **spec, "metrics": metrics, "epochs": epochs, "trail": trail, "error": error}  # fmt: skip


def main():
    quiet()
    warnings.simplefilter("ignore")
    cases = [case(name, index) for name in [*LEAVES, "ReduceLROnPlateau", *COMPOSED] for index in range(PER_SCHEDULE)]
    print(f"{len(cases)} cases, {sum(c['error'] is not None for c in cases)} of which end in an error")
    write("schedules.json.gz", {"source": SOURCE, "cases": cases})


if __name__ == "__main__":
    main()
