"""Writes lbfgs.json.gz: runs of LBFGS, with and without a line search, on losses that lbfgs.test.ts has too."""

import torch
import torch.nn.functional as F

from fixture import SOURCE, quiet, write

STEPS = 4
OPTIONS = [
    {},
    {"line_search_fn": "strong_wolfe"},
    {"lr": 0.1, "max_iter": 5},
    {"max_iter": 6, "history_size": 2, "line_search_fn": "strong_wolfe"},
    {"max_iter": 10, "max_eval": 4, "line_search_fn": "strong_wolfe"},
    {"max_iter": 1, "lr": 0.5},
    {"max_iter": 8, "tolerance_grad": 0.05, "lr": 0.5},
    {"max_iter": 8, "tolerance_change": 0.01, "line_search_fn": "strong_wolfe"},
    {"lr": 5, "max_iter": 3, "line_search_fn": "strong_wolfe"},
]


def rosenbrock(x, y):
    return ((1 - x) ** 2 + 100 * (y - x**2) ** 2).sum()


def classification(weight, bias):
    rows = torch.arange(24, dtype=weight.dtype).reshape(8, 3)
    return F.cross_entropy(torch.sin(rows) @ weight.T + bias, torch.arange(8) % 4) + 0.01 * (weight**2).sum()


def quartic(x):
    return ((x - torch.arange(6, dtype=x.dtype)) ** 4).sum() + (x[:-1] * x[1:]).sum() * 0.1


LOSSES = {"rosenbrock": (rosenbrock, [[2], [2]]), "classification": (classification, [[4, 3], [4]]), "quartic": (quartic, [[6]])}


def run(name, options, dtype, moved=0.0):
    loss, shapes = LOSSES[name]
    generator = torch.Generator().manual_seed(len(name))
    start = [(torch.randint(-8, 9, shape, generator=generator) / 8).to(dtype) * (1 + moved) for shape in shapes]
    params = [torch.nn.Parameter(s.clone()) for s in start]
    optimizer = torch.optim.LBFGS(params, **options)

    def closure():
        optimizer.zero_grad()
        value = loss(*params)
        value.backward()
        return value

    steps = []
    for _ in range(STEPS):
        value = optimizer.step(closure)
        state = optimizer.state[params[0]]
        steps.append({"loss": value.item(), "params": [p.detach().flatten().tolist() for p in params], "evaluations": state["func_evals"], "iterations": state["n_iter"]})
    return {"loss": name, "dtype": "f64" if dtype == torch.float64 else "f32", "options": options, "start": [s.flatten().tolist() for s in start], "shapes": shapes, "steps": steps}


def is_settled(one, other, tolerance):
    """Whether two runs agree: where rounding decides how a search turns there is nothing to compare."""
    return all(
        abs(a - b) <= tolerance * (1 + abs(b))
        for left, right in zip(one["steps"], other["steps"])
        for p, q in zip(left["params"], right["params"])
        for a, b in zip(p, q)
    )


def main():
    quiet()
    runs = []
    for name in LOSSES:
        for options in OPTIONS:
            wide = run(name, options, torch.float64)
            if not is_settled(wide, run(name, options, torch.float64, 1e-14), 1e-9):
                continue
            narrow = run(name, options, torch.float32)
            runs += [wide, narrow] if is_settled(narrow, wide, 5e-4) else [wide]
    write("lbfgs.json.gz", {"format": "lbfgs/1", "source": SOURCE, "runs": runs}, 17)


if __name__ == "__main__":
    main()
