"""Calls on what is likely to go wrong: zeros of both signs, subnormals, huge numbers, infinities, NaN, in every place."""

import math

import torch
from torch.testing._internal.opinfo.core import BinaryUfuncInfo, UnaryUfuncInfo

from samples.draw import fixture, seeded, supported
from samples.record import Sample
from samples.signatures import full_name, signature_of

FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-3, 30.0, -100.0, 1e10, math.inf, -math.inf, math.nan]
MORE = [2.0, 7.0, -7.0, 9.0, -9.0, 15.0, -15.0, 88.5, 89.0, -88.5, -104.0, 0.999, 1.001, 1e-8, -1e-8, 1e-20, 1e-38, -1e-38, 1e-42, 1e20, -1e20, 3e38, -3e38]
INTEGERS = [0, 1, -1, 2, 3, -7, 100, 2**31 - 1, -(2**31)]
BYTES = [0, 1, 2, 3, 7, 127, 128, 254, 255]
REDUCED = [
    [1.0, math.nan, 2.0], [math.inf, 1.0, -math.inf], [math.inf, math.inf, 0.0], [-math.inf, -math.inf, -math.inf],
    [0.0, -0.0, 0.0], [3e38, 3e38, 1.0], [1e-38, 1e-42, 0.0], [2.0, 2.0, 2.0], [0.0, 5.0, 0.0], [-1e20, 1e20, 1.0],
]  # fmt: skip
UNARY = "relu relu6 selu silu mish logsigmoid softsign tanhshrink hardsigmoid hardswish hardtanh leaky_relu elu celu gelu softplus hardshrink softshrink".split()
REDUCTIONS = "sum prod mean var std amax amin any all argmax argmin max/reduction_with_dim min/reduction_with_dim cumsum cumprod softmax log_softmax logsumexp sort argsort count_nonzero nansum norm nn.functional.softmin cummax cummin aminmax linalg.vector_norm std_mean var_mean msort nn.functional.normalize".split()
WITHOUT_DIM = {"sum", "prod", "mean", "var", "std", "amax", "amin", "any", "all", "argmax", "argmin", "count_nonzero", "nansum"}
WITH_KEYWORDS = {
    "nn.functional.hardtanh": [{"min_val": -0.5, "max_val": 2.5}],
    "nn.functional.leaky_relu": [{"negative_slope": 0.5}, {"negative_slope": -0.5}],
    "nn.functional.elu": [{"alpha": 0.5}],
    "nn.functional.celu": [{"alpha": 2.5}],
    "nn.functional.gelu": [{"approximate": "tanh"}],
    "nn.functional.softplus": [{"beta": 2.5, "threshold": 5.5}],
    "logit": [{"eps": 0.1}],
    "round": [{"decimals": 2}, {"decimals": -1}],
    "nan_to_num": [{"nan": 1.5, "posinf": 2.5, "neginf": -2.5}],
    "norm": [{"p": 1}, {"p": 3}, {"p": 0.5}, {"p": 0}, {"p": math.inf}, {"p": -math.inf}, {"p": -1}],
    "var": [{"correction": 0}, {"correction": 3}, {"correction": 5}],
    "std": [{"correction": 0}, {"correction": 3}, {"correction": 5}],
}


def settled(info, tensors, kwargs):
    """
    The elements at which PyTorch gives one answer: its code for whole vectors and that for the rest of them differ here
    and there (`fmod(3, 1e-39)`, `cosh(89)`, `gelu(inf)`), and there is nothing to agree with.
    """

    def results(parts):
        leaves = [t.clone().requires_grad_(t.is_floating_point() and info.supports_autograd) for t in parts]
        out = info(*leaves, **kwargs)
        wanted = [t for t in leaves if t.requires_grad]
        if not out.requires_grad or not wanted:
            return [out]
        return [out, *(g for g in torch.autograd.grad(out.sum(), wanted, allow_unused=True) if g is not None)]

    def together(t):
        # So often that no element is among those that are left over.
        return t.repeat_interleave(16)

    try:
        alone = [torch.cat(found) for found in zip(*(results([t[i : i + 1] for t in tensors]) for i in range(len(tensors[0]))))]
        whole = [found[::16] for found in results([together(t) for t in tensors])]
    except Exception:
        return tensors
    agree = torch.ones(len(tensors[0]), dtype=torch.bool)
    for a, b in zip(alone, whole):
        agree &= torch.isclose(a.detach().double(), b.detach().double(), rtol=1e-5, atol=0, equal_nan=True)
    return [t[agree] for t in tensors]


def values(dtype, many):
    """What is nasty in a dtype."""
    if dtype.is_floating_point:
        tiny = torch.finfo(dtype)
        given = [*FLOATS, *(MORE if many else []), tiny.max, tiny.tiny, tiny.tiny / 4]
        return torch.tensor(given, dtype=torch.float64).to(dtype)
    return torch.tensor({torch.int32: INTEGERS, torch.uint8: BYTES, torch.bool: [0, 1]}[dtype], dtype=dtype)


def extremes_of(info, seed):
    """The extremes of an operation: each value of a unary one, each pair of a binary one, nasty rows of a reduction."""
    names = signature_of(info)
    name = full_name(info)
    found = []
    generator = seeded(name, "extremes", seed)
    unary = isinstance(info, UnaryUfuncInfo) or name.removeprefix("nn.functional.") in UNARY

    def add(dtype, *given, **kwargs):
        if name in ("sort", "argsort"):
            kwargs["stable"] = True
        grad = dtype.is_floating_point and info.supports_autograd
        tensors = [t.clone().requires_grad_(grad) if isinstance(t, torch.Tensor) else t for t in given]
        entry = fixture(names, Sample(name, info, tensors[0], tuple(tensors[1:]), kwargs), "extreme", generator, unary or isinstance(info, BinaryUfuncInfo))
        if entry is not None:
            found.append(entry)

    for dtype in supported(info):
        if dtype not in (torch.float32, torch.float64, torch.int32, torch.uint8, torch.bool):
            continue
        if unary:
            v = values(dtype, True)
            if name in ("int", "to"):
                # What is beyond int32 as an integer is left undefined by C++.
                v = v[v.double().abs() < 2.0**31]
            for kwargs in [{}, *WITH_KEYWORDS.get(name, [])]:
                add(dtype, *settled(info, [v], kwargs), **kwargs)
        elif isinstance(info, BinaryUfuncInfo):
            v = values(dtype, False)
            add(dtype, *settled(info, [v.repeat_interleave(len(v)), v.repeat(len(v))], {}))
        elif name == "nn.functional.prelu":
            add(dtype, values(dtype, True), torch.tensor([0.25], dtype=dtype))
        elif name == "clamp":
            v = values(dtype, False)
            add(dtype, v[:, None], v[None], v.flip(0)[None])
            if dtype.is_floating_point:
                for low, high in ((-1.0, 2.0), (math.nan, None), (None, math.nan), (2.0, -1.0), (-math.inf, math.inf), (0.0, None)):
                    add(dtype, v, low, high)
        elif name in ("lerp", "addcmul", "addcdiv"):
            v = values(dtype, False)[[0, 2, 5, 10, 11, 13]] if dtype.is_floating_point else values(dtype, False)[:6]
            grid = torch.meshgrid(v, v, v, indexing="ij")
            add(dtype, *settled(info, [g.reshape(-1) for g in grid], {}))
        elif name in REDUCTIONS:
            reductions(add, name, dtype)
    return found


def reductions(add, name, dtype):
    """A reduction over rows of nasty values, over all of them, and over none."""
    rows = torch.tensor(REDUCED, dtype=torch.float64)
    if not dtype.is_floating_point:
        rows = torch.tensor([[0, 1, 2], [5, 5, 5], [0, 0, 0], [100, 200, 255]])
        if dtype == torch.int32:
            rows[1] = torch.tensor([2**31 - 1, 1, -7])
    rows = rows.to(dtype)
    args = (1,)
    if name in ("norm", "linalg.vector_norm"):
        for keywords in [{"p": 2}, *WITH_KEYWORDS["norm"]]:
            p = keywords["p"]
            add(dtype, rows, p, 1)
            add(dtype, rows[4], p)
            add(dtype, rows[:, :0], p, 1)
        return
    if name == "msort":
        add(dtype, rows)
        return
    if name == "nn.functional.normalize":
        args = (2.0, 1)
    for keywords in [{}, *WITH_KEYWORDS.get(name, [])]:
        if name in ("var", "std", "var_mean", "std_mean"):
            add(dtype, rows, dim=1, **keywords)
            add(dtype, rows[:, :1], dim=1, **keywords)
            add(dtype, rows[0, :1].reshape(()), **keywords)
        else:
            add(dtype, rows, *args)
            add(dtype, rows[7:8].mT, *args)
            add(dtype, rows[:0], *args)
            add(dtype, rows[:, :0], *args)
    if name in WITHOUT_DIM:
        for part in (rows[4], rows[7], rows[8], rows[:, :0]) if dtype.is_floating_point else (rows, rows[:, :0], rows[3]):
            add(dtype, part)
        add(dtype, rows[0, 0])
    elif name not in ("nn.functional.normalize",):
        add(dtype, rows[0, 0], 0)
