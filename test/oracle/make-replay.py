"""Writes replay.json.gz: training runs with freezing, as PyTorch makes them.

A case is kept only where rounding does not decide its outcome: it is run in float32, in float64,
and in float64 again from starts that differ in the last bit of a float32, and all must agree to a
quarter of the tolerance that a replay is given.
"""

import copy
import math
import random
import sys

import torch
from torch import nn

from fixture import SOURCE, quiet, write

PER_OPTIMIZER = int(sys.argv[1]) if len(sys.argv) > 1 else 32
QUARTER = 0.25

MODULES = {
    "Linear": lambda m: nn.Linear(m["inFeatures"], m["outFeatures"], bias=m["bias"]),
    "LayerNorm": lambda m: nn.LayerNorm(m["normalizedShape"]),
    "Softmax": lambda m: nn.Softmax(dim=m["dim"]),
    "Sigmoid": lambda m: nn.Sigmoid(),
    "Tanh": lambda m: nn.Tanh(),
    "ReLU": lambda m: nn.ReLU(),
    "GELU": lambda m: nn.GELU(),
    "SiLU": lambda m: nn.SiLU(),
}
ACTIVATIONS = ["Sigmoid", "Tanh", "ReLU", "GELU", "SiLU"]

# Every option an optimizer has, with the values a case may draw. The first case of an optimizer
# draws none of them; then each value has a case of its own, then they are mixed.
OPTIONS = {
    "SGD": {
        "lr": [0.1, 0.01, 0.9],
        "momentum": [0.9, 0.5],
        "dampening": [0.1, 0.5],
        "nesterov": [True],
        "weightDecay": [0.01, 0.1],
        "maximize": [True],
    },
    "Adam": {
        "lr": [0.05, 0.01],
        "betas": [[0.8, 0.99], [0.5, 0.9], [0.0, 0.9]],
        "eps": [1e-6, 1e-3],
        "weightDecay": [0.01, 0.1],
        "amsgrad": [True],
        "maximize": [True],
        "decoupledWeightDecay": [True],
    },
    "AdamW": {
        "lr": [0.05, 0.01, 0.9],
        "betas": [[0.8, 0.99], [0.5, 0.9]],
        "eps": [1e-6, 1e-3],
        "weightDecay": [0.0, 0.1, 0.5],
        "amsgrad": [True],
        "maximize": [True],
    },
    "Adamax": {
        "lr": [0.05, 0.01],
        "betas": [[0.8, 0.99], [0.5, 0.9]],
        "eps": [1e-6, 1e-3],
        "weightDecay": [0.01, 0.1],
        "maximize": [True],
    },
    "NAdam": {
        "lr": [0.05, 0.01],
        "betas": [[0.8, 0.99], [0.5, 0.9]],
        "eps": [1e-6, 1e-3],
        "weightDecay": [0.01, 0.1],
        "momentumDecay": [0.01, 0.1],
        "decoupledWeightDecay": [True],
        "maximize": [True],
    },
    "RAdam": {
        "lr": [0.05, 0.01],
        "betas": [[0.8, 0.99], [0.5, 0.9], [0.9, 0.7]],
        "eps": [1e-6, 1e-3],
        "weightDecay": [0.01, 0.1],
        "decoupledWeightDecay": [True],
        "maximize": [True],
    },
    "RMSprop": {
        "lr": [0.05, 0.01],
        "alpha": [0.9, 0.5],
        "eps": [1e-6, 1e-3],
        "weightDecay": [0.01, 0.1],
        "momentum": [0.9, 0.5],
        "centered": [True],
        "maximize": [True],
    },
    "Adagrad": {
        "lr": [0.1, 0.05],
        "lrDecay": [0.1, 0.01],
        "weightDecay": [0.01, 0.1],
        "initialAccumulatorValue": [0.1, 1.0],
        "eps": [1e-6, 1e-3],
        "maximize": [True],
    },
    "Adadelta": {
        "lr": [0.5, 1.0, 5.0],
        "rho": [0.8, 0.5],
        "eps": [1e-4, 1e-3],
        "weightDecay": [0.01, 0.1],
        "maximize": [True],
    },
    "Rprop": {
        "lr": [0.05, 0.01],
        "etas": [[0.3, 1.5], [0.8, 1.1]],
        "stepSizes": [[1e-3, 0.06], [0.02, 1.0]],
        "maximize": [True],
    },
    "ASGD": {
        "lr": [0.05, 0.5],
        "lambd": [0.01, 0.1],
        "alpha": [0.5, 1.0],
        "t0": [0.0, 1.0, 3.0],
        "weightDecay": [0.01, 0.1],
        "maximize": [True],
    },
}
# PyTorch reads this one when the optimizer is constructed, not from a group.
NOT_IN_GROUPS = {"initialAccumulatorValue"}


def snake(name):
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def keywords(options):
    return {snake(k): tuple(v) if isinstance(v, list) else v for k, v in options.items()}


def settle(options):
    """PyTorch's own rules: nesterov needs momentum and no dampening."""
    if options.get("nesterov"):
        options["momentum"] = options.get("momentum", 0.9)
        options.pop("dampening", None)
    elif "dampening" in options:
        options["momentum"] = options.get("momentum", 0.9)
    return options


def draw_options(name, index, rng):
    table = OPTIONS[name]
    singles = [(option, value) for option, values in table.items() for value in values]
    lr = {"lr": table["lr"][0]}
    if index == 0:
        return {} if name in ("Adagrad", "Rprop", "ASGD") else lr
    if index <= len(singles):
        option, value = singles[index - 1]
        return settle({**lr, option: value})
    options = {"lr": rng.choice(table["lr"])}
    for option, values in table.items():
        if option != "lr" and rng.random() < 0.45:
            options[option] = rng.choice(values)
    return settle(options)


def draw_group_options(name, rng):
    table = {k: v for k, v in OPTIONS[name].items() if k not in NOT_IN_GROUPS}
    chosen = rng.sample(sorted(table), k=rng.randint(1, min(3, len(table))))
    options = {option: rng.choice(table[option]) for option in chosen}
    options.pop("nesterov", None)
    if options.get("dampening"):
        options["momentum"] = 0.9
    return options


def draw_network(rng, deep):
    """Two first layers, a trunk that both tasks share, perhaps a Softmax at the end."""
    hidden, classes = rng.randint(3, 6), rng.randint(2, 5)
    bias = rng.random() < 0.6

    def linear(inputs, outputs):
        return {"type": "Linear", "inFeatures": inputs, "outFeatures": outputs, "bias": bias}

    modules = {
        "hidden_task1": linear(rng.randint(2, 6), hidden),
        "hidden_task2": linear(rng.randint(2, 6), hidden),
        "act": {"type": rng.choice(ACTIVATIONS)},
    }
    trunk = ["act"]
    if deep:
        for position in range(rng.randint(3, 5)):
            kind = rng.choice(["Linear", "Linear", "LayerNorm", "activation", "activation", "Softmax"])
            name = f"hidden{position}"
            if kind == "Linear":
                width = rng.randint(3, 6)
                modules[name] = linear(hidden, width)
                hidden = width
            elif kind == "LayerNorm":
                modules[name] = {"type": "LayerNorm", "normalizedShape": [hidden]}
            elif kind == "Softmax":
                modules[name] = {"type": "Softmax", "dim": -1}
            else:
                modules[name] = {"type": rng.choice(ACTIVATIONS)}
            trunk.append(name)
    elif rng.random() < 0.4:
        modules["norm"] = {"type": "LayerNorm", "normalizedShape": [hidden]}
        trunk.append("norm")
    modules["output"] = linear(hidden, classes)
    trunk.append("output")
    if rng.random() < 0.35:
        modules["softmax"] = {"type": "Softmax", "dim": 1}
        trunk.append("softmax")
    tasks = {task: [f"hidden_{task}", *trunk] for task in ("task1", "task2")}
    return modules, tasks, classes


def draw_freeze(rng, plan, position, task, names, active):
    """The frozen set of one step, by one of five plans that a case keeps to."""
    nothing = {"method": "none", "parameters": []}
    if plan == "never":
        return nothing
    if plan == "tasks":
        other = "hidden_task2" if task == "task1" else "hidden_task1"
        return {"method": "gradNull", "parameters": [n for n in names if n.startswith(other)]}
    if plan == "leak":
        other = "hidden_task2" if task == "task1" else "hidden_task1"
        return {"method": "requiresGrad", "parameters": [n for n in names if n.startswith(other)]}
    if plan == "midRun" and not 2 <= position < 5:
        return nothing
    method = rng.choice(["gradNull", "requiresGrad"] if plan == "midRun" else ["none", "gradNull", "requiresGrad"])
    if method == "none":
        return nothing
    frozen = [n for n in names if rng.random() < 0.45]
    if method == "requiresGrad" and not set(active) - set(frozen):
        frozen.remove(rng.choice(sorted(set(active) & set(frozen))))
    return {"method": method, "parameters": frozen}


def draw_case(name, index, rng):
    deep = index % 3 == 2
    modules, tasks, classes = draw_network(rng, deep)
    optimizer = {"name": name, "options": draw_options(name, index, rng)}
    network = {key: MODULES[module["type"]](module) for key, module in modules.items()}
    start = {}
    for module, layer in network.items():
        for key, value in layer.named_parameters():
            jitter = torch.randn(value.shape) * 0.1 if isinstance(layer, nn.LayerNorm) else 0.0
            start[f"{module}.{key}"] = torch.round((value.detach() + jitter) * 1e5) / 1e5
    names = list(start)
    if index % 4 == 3:
        shuffled = rng.sample(names, k=len(names))
        cut = rng.randint(1, max(1, len(names) // 2))
        optimizer["groups"] = [{"parameters": shuffled[:cut], "options": draw_group_options(name, rng)}]
        if len(names) > cut + 1 and rng.random() < 0.6:
            optimizer["groups"].append({"parameters": shuffled[cut : cut + 2], "options": draw_group_options(name, rng)})
    plan = ["random", "midRun", "tasks", "leak", "random", "never", "midRun"][index % 7]
    zero = rng.choice(["null", "zero", "zero", "mixed"])
    if plan == "leak":
        zero = "zero"
    steps = []
    for position in range(rng.randint(6, 8) if plan == "midRun" else rng.randint(4, 7)):
        task = rng.choice(["task1", "task2"])
        if plan in ("tasks", "leak"):
            task = ["task1", "task2"][position % 2]
        active = [n for n in names if n.split(".")[0] in tasks[task]]
        rows = rng.randint(2, 8)
        features = modules[f"hidden_{task}"]["inFeatures"]
        steps.append(
            {
                "task": task,
                "input": torch.round(torch.randn(rows, features) * 1.5 * 1e3) / 1e3,
                "target": [rng.randrange(classes) for _ in range(rows)],
                "zeroGrad": rng.choice(["null", "zero"]) if zero == "mixed" else zero,
                "freeze": draw_freeze(rng, plan, position, task, names, active),
            }
        )
    return {"modules": modules, "tasks": tasks, "optimizer": optimizer, "parameters": start, "steps": steps}


def make_optimizer(spec, parameters):
    grouped = {name for group in spec.get("groups", []) for name in group["parameters"]}
    groups = [{"params": [p for n, p in parameters.items() if n not in grouped]}]
    for group in spec.get("groups", []):
        groups.append({"params": [parameters[n] for n in group["parameters"]], **keywords(group["options"])})
    return getattr(torch.optim, spec["name"])([g for g in groups if g["params"]], **keywords(spec["options"]))


def state_of(optimizer, parameter):
    state = optimizer.state.get(parameter, {})
    return {k: v.tolist() if torch.is_tensor(v) else v for k, v in state.items() if v is not None}


def run(case, dtype, nudge=None):
    """The step that README.md describes, for each of a case's steps."""
    network = {key: MODULES[module["type"]](module).to(dtype) for key, module in case["modules"].items()}
    parameters = {f"{m}.{k}": p for m, layer in network.items() for k, p in layer.named_parameters()}
    for name, parameter in parameters.items():
        value = case["parameters"][name].to(dtype, copy=True)
        parameter.data = value if nudge is None else value * (1 + nudge * 6e-8 * torch.randn(value.shape, dtype=dtype))
    optimizer = make_optimizer(case["optimizer"], parameters)
    trail = []
    for step in case["steps"]:
        freeze = step["freeze"]
        for name, parameter in parameters.items():
            parameter.requires_grad_(freeze["method"] != "requiresGrad" or name not in freeze["parameters"])
        value = step["input"].to(dtype)
        for module in case["tasks"][step["task"]]:
            value = network[module](value)
        loss = nn.functional.cross_entropy(value, torch.tensor(step["target"]))
        optimizer.zero_grad(set_to_none=step["zeroGrad"] == "null")
        loss.backward()
        if freeze["method"] == "gradNull":
            for name in freeze["parameters"]:
                parameters[name].grad = None
        before = {n: p.detach().clone() for n, p in parameters.items() if p.grad is None}
        optimizer.step()
        assert all(torch.equal(parameters[n], value) for n, value in before.items())
        states = {name: state_of(optimizer, parameter) for name, parameter in parameters.items()}
        trail.append(
            {
                "loss": loss.item(),
                "parameters": {n: p.detach().tolist() for n, p in parameters.items()},
                "state": {n: s for n, s in states.items() if s},
            }
        )
    return trail


def agree(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(agree(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(agree(x, y) for x, y in zip(a, b))
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= QUARTER * (1e-4 + 1e-3 * abs(b))


def make(name, index, seed):
    """The first draw of this case that rounding does not decide."""
    for attempt in range(200):
        rng = random.Random(f"{name}-{index}-{attempt}-{seed}")
        torch.manual_seed(rng.randrange(2**31))
        case = draw_case(name, index, rng)
        single = run(case, torch.float32)
        double = run(case, torch.float64)
        nudged = [run(case, torch.float64, nudge) for nudge in (1.0, -1.0)]
        if agree(single, double) and all(agree(other, double) for other in nudged):
            return {
                "name": f"{name}-{index}",
                "source": SOURCE,
                "modules": case["modules"],
                "tasks": case["tasks"],
                "loss": "crossEntropy",
                "optimizer": case["optimizer"],
                "parameters": case["parameters"],
                "steps": case["steps"],
                "expected": single,
            }, attempt
    raise RuntimeError(f"{name}-{index}: no stable draw in 200")


def main():
    quiet()
    cases, dropped = [], 0
    for name in OPTIONS:
        for index in range(PER_OPTIMIZER):
            case, attempts = make(name, index, seed=1)
            cases.append(case)
            dropped += attempts
    grouped = sum("groups" in case["optimizer"] for case in cases)
    print(f"{len(cases)} cases, {grouped} with groups; {dropped} draws that rounding decides were dropped")
    write("replay.json.gz", {"format": "replay/1", "cases": cases})


if __name__ == "__main__":
    main()
