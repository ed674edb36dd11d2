"""Every configuration of OptimizerInfo, and some of our own: parameters and state after each of a few steps."""

import torch
from torch.testing._internal.common_optimizers import optim_db

from samples import encode
from samples.draw import seeded
from samples.signatures import Inexpressible

STEPS = 5
# How and where it is computed says nothing of the values.
IGNORED = {"foreach", "fused", "capturable", "differentiable"}
MORE = {
    "SGD": [
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True},
        {"lr": 0.0, "momentum": 0.5},
    ],
    "Adam": [{"lr": 0.1, "betas": (0.5, 0.5), "eps": 0.1}, {"amsgrad": True, "maximize": True}, {"betas": (0.0, 0.0)}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "AdamW": [{"lr": 0.1, "betas": (0.5, 0.5), "eps": 0.1}, {"amsgrad": True, "weight_decay": 0.5}],
    "NAdam": [{"lr": 0.1, "momentum_decay": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.2}],
    "RAdam": [{"lr": 0.1, "betas": (0.5, 0.5)}, {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.2}],
    "RMSprop": [{"lr": 0.1, "momentum": 0.5, "centered": True, "alpha": 0.5}, {"eps": 0.1}],
    "Adagrad": [{"eps": 0.1, "initial_accumulator_value": 1.0}],
    "Adadelta": [{"rho": 0.5, "eps": 0.1, "lr": 0.5}],
    "Adamax": [{"lr": 0.1, "betas": (0.5, 0.5), "weight_decay": 0.1}],
    "ASGD": [{"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 2}],
    "Rprop": [{"lr": 0.1, "etas": (0.3, 1.7), "step_sizes": (1e-3, 0.2)}],
    "Adafactor": [{"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-10, 0.1), "d": 2.0}],
    "Muon": [{"lr": 0.1, "momentum": 0.5, "nesterov": False}, {"lr": 0.1, "ns_steps": 3, "adjust_lr_fn": "match_rms_adamw"}],
}


def plain(kwargs):
    """Options without those that are ignored, tensors as the numbers that they hold."""
    kept = {k: v for k, v in kwargs.items() if k not in IGNORED}
    return encode.mapped(kept, lambda t: t.item())


def samples(seed):
    """All fixtures, in float32 and float64; a second group has a rate of its own."""
    found = []
    for info in optim_db:
        name = info.optim_cls.__name__
        configurations = [plain(i.kwargs) for i in info.optim_inputs_func("cpu")] + MORE.get(name, [])
        for number, kwargs in enumerate(configurations):
            for dtype in (torch.float32, torch.float64):
                for groups in (False, True):
                    generator = seeded(name, number, str(dtype), groups, seed)
                    entry = fixture(info.optim_cls, kwargs, dtype, groups, generator)
                    if entry is not None:
                        found.append(entry)
        for error in errors(info):
            found.append(error)
    return found


def fixture(cls, kwargs, dtype, groups, generator):
    flat = cls.__name__ == "Muon"
    shapes = [[3, 4], [2, 2]] if flat else [[3, 4], [4], []]
    start = [torch.randn(s, generator=generator, dtype=dtype) for s in shapes]
    params = [torch.nn.Parameter(s.clone()) for s in start]
    given = params if not groups else [{"params": params[:1]}, {"params": params[1:], "lr": 0.03}]
    try:
        optimizer = cls(given, **kwargs)
        steps = []
        for step in range(STEPS):
            grads = [torch.randn(s, generator=generator).to(dtype) for s in shapes]
            if step == 1:
                grads[0] = torch.zeros_like(grads[0])
            if step == 2:
                grads[-1] = None
            for p, g in zip(params, grads):
                p.grad = None if g is None else g.clone()
            optimizer.step()
            states = [{k: state(v) for k, v in optimizer.state[p].items()} for p in params]
            steps.append({"grads": encode.value(grads), "params": encode.value([p.detach() for p in params]), "states": states if step == STEPS - 1 else None})
        return {"op": cls.__name__, "kind": "sample", "options": encode.value(kwargs), "groups": int(groups), "start": encode.value(start), "steps": steps}
    except (Inexpressible, RuntimeError, TypeError, ValueError, KeyError):
        return None


def state(value):
    return encode.value(value.item() if isinstance(value, torch.Tensor) and value.ndim == 0 and False else value)


def errors(info):
    found = []
    if info.optim_error_inputs_func is None:
        return found
    for e in info.optim_error_inputs_func("cpu", torch.float32):
        i = e.optimizer_error_input
        if i.params is not None or any(isinstance(t, torch.Tensor) for t in encode.leaves(i.kwargs)) or IGNORED & set(i.kwargs):
            continue
        try:
            info.optim_cls([torch.nn.Parameter(torch.zeros(2, 2))], **i.kwargs)
        except Exception:
            found.append({"op": info.optim_cls.__name__, "kind": "error", "options": encode.value(i.kwargs), "message": e.error_regex[:120]})
    return found
