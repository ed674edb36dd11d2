"""Pairs of dtypes, tensors without dimensions and plain numbers of every kind, for every operation of two operands."""

import torch
from torch.testing._internal.common_methods_invocations import op_db

from samples.draw import fixture, seeded
from samples.record import Sample
from samples.signatures import full_name, signature_of

DTYPES = [torch.float32, torch.float64, torch.int32, torch.uint8, torch.bool, torch.float16, torch.bfloat16, torch.int8]
NUMBERS = [2, 0, -3, 255, 256, 300, True, 2.0, -0.5, 1.5, 1e10, -3.4028234663852886e38, -3e9, float("inf"), float("-inf"), float("nan"), 2147483647, 2.0**31]
OPERATIONS = "add sub mul div/no_rounding_mode div/floor_rounding div/trunc_rounding floor_divide remainder fmod pow maximum minimum eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor xlogy hypot logaddexp where masked_fill isclose clamp lerp addcmul cat".split()


def one(dtype, dims):
    """A tensor of 3, or without dimensions."""
    base = torch.tensor([1, 5, 2] if dtype != torch.bool else [1, 0, 1])
    return base.to(dtype) if dims else base[1].to(dtype)


def promotions(seed, scale):
    """Fixtures of all pairs; numbers against every dtype that computes."""
    infos = {full_name(info): info for info in op_db}
    found = []
    for name in OPERATIONS:
        info = infos[name]
        names = signature_of(info)
        generator = seeded(name, "promotion", seed)

        def add(*given, **kwargs):
            entry = fixture(names, Sample(name, info, given[0], tuple(given[1:]), kwargs), "promotion", generator)
            if entry is not None:
                found.append(entry)

        pairs = [(one(a, True), one(b, dims)) for a in DTYPES for b in DTYPES for dims in (True, False)]
        pairs += [(one(a, False), one(b, False)) for a in DTYPES[:5] for b in DTYPES[:5] if a != b]
        numbers = [(one(d, True), n) for d in DTYPES[:5] for n in NUMBERS]
        mask = torch.tensor([True, False, True])
        for a, b in pairs:
            if name == "cat":
                add([a.reshape(-1), b.reshape(-1)])
            elif name == "where":
                add(a, mask, b)
            elif name == "masked_fill":
                if b.ndim == 0:
                    add(a, mask, b)
            elif name == "clamp":
                add(a, b)
                add(a, None, b)
            elif name == "lerp":
                add(a, b, 0.5)
            elif name == "addcmul":
                add(a, b, a)
            elif name == "isclose":
                if a.dtype == b.dtype:
                    add(a, b)
            elif name.startswith("div/"):
                add(a, b, **rounding(name))
            else:
                add(a, b)
        for a, n in numbers:
            if name == "where":
                add(a, mask, n)
            elif name == "masked_fill":
                add(a, mask, n)
            elif name == "clamp":
                add(a, n)
                add(a, None, n)
            elif name.startswith("div/"):
                add(a, n, **rounding(name))
            elif name in ("add", "sub"):
                add(a, n)
                add(a, a, alpha=n)
            elif name not in ("cat", "lerp", "addcmul", "isclose", "hypot", "logaddexp", "maximum", "minimum"):
                add(a, n)
    return found


def rounding(name):
    return {"div/no_rounding_mode": {}, "div/floor_rounding": {"rounding_mode": "floor"}, "div/trunc_rounding": {"rounding_mode": "trunc"}}[name]
