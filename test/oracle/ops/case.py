"""One operation on drawn inputs: what PyTorch gives forward, and for a random cotangent backward."""

import zlib
from contextlib import contextmanager

import torch
import torch.nn.functional as F

CASES = []
# Results that PyTorch gives as int64 are int32 in a fixture.
NARROW = {"int64": "int32"}


class Draw:
    """An input that is drawn once the case's own seed is set, so that cases do not move each other."""

    def __init__(self, make):
        self.make = make


def normal(*shape, scale=1.0, dtype=torch.float32):
    return Draw(lambda: (torch.round(torch.randn(shape, dtype=torch.float64) * scale * 1e4) / 1e4).to(dtype))


def uniform(*shape, low=0.0, high=1.0, dtype=torch.float32):
    def make():
        drawn = torch.rand(shape, dtype=torch.float64) * (high - low) + low
        return (torch.round(drawn * 1e4) / 1e4).to(dtype)

    return Draw(make)


def values(nested, dtype=torch.float32):
    return Draw(lambda: torch.tensor(nested, dtype=dtype))


def integers(*shape, low=-9, high=10, dtype=torch.int32):
    return Draw(lambda: torch.randint(low, high, shape).to(dtype))


def indices(*shape, high):
    return integers(*shape, low=0, high=high, dtype=torch.int64)


def booleans(*shape):
    return Draw(lambda: torch.rand(shape) < 0.5)


def snake(name):
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def torch_name(name):
    """The PyTorch function or method that a camelCase name stands for."""
    name = snake(name)
    for home in (torch, F, torch.Tensor):
        if hasattr(home, name):
            return getattr(home, name)
    raise AttributeError(name)


def dtype_name(dtype):
    name = str(dtype).removeprefix("torch.")
    return NARROW.get(name, name)


def packed(tensor, dtype=None):
    """A tensor as a fixture holds it: flat data in row-major order, booleans as 0 and 1."""
    data = tensor.detach().reshape(-1)
    data = data.to(torch.uint8) if tensor.dtype == torch.bool else data
    return {"shape": list(tensor.shape), "dtype": dtype or dtype_name(tensor.dtype), "data": data.tolist()}


def held(tensor):
    return {"tensor": packed(tensor)}


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def drawn(arg):
    if isinstance(arg, Draw):
        return arg.make()
    return [drawn(item) for item in arg] if isinstance(arg, list) else arg


def mapped(arg, change):
    if isinstance(arg, torch.Tensor):
        return change(arg)
    return [mapped(item, change) for item in arg] if isinstance(arg, list) else arg


def tensors_of(args):
    found = []
    mapped(args, found.append)
    return found


def exact(native, double):
    """The float64 result, but what float32 cannot hold (overflow) is as float32 has it."""
    if not native.is_floating_point():
        assert torch.equal(native, double), "float32 and float64 choose differently"
        return native
    result = torch.where(native.isfinite(), double, native.double())
    torch.testing.assert_close(native.double(), result, rtol=2e-4, atol=2e-5, equal_nan=True)
    return result


def widened(tensor, width):
    return tensor.to(width or tensor.dtype, copy=True) if tensor.is_floating_point() else tensor


def evaluate(call, args, options, seeds, vectors, width):
    """Outputs, gradients and second gradients with every floating tensor at one width."""

    def leaf(tensor):
        tensor = widened(tensor, width)
        return tensor.requires_grad_(seeds is not None) if tensor.is_floating_point() else tensor

    inputs = mapped(args, leaf)
    options = {key: mapped(option, lambda t: widened(t, width)) for key, option in options.items()}
    with default_dtype(width or torch.float32):
        result = call(*inputs, **options)
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    if seeds is None:
        return outputs, None, None
    seeded = [(out, seeds(out)) for out in outputs if out.requires_grad]
    leaves = [t for t in tensors_of(inputs) if t.requires_grad]
    first = torch.autograd.grad(
        [out for out, _ in seeded],
        leaves,
        [seed.to(out.dtype) for out, seed in seeded],
        allow_unused=True,
        create_graph=vectors is not None,
    )
    by_leaf = dict(zip(map(id, leaves), first))
    grads = [by_leaf.get(id(t)) for t in tensors_of(inputs)]
    if vectors is None:
        return outputs, grads, None
    total = sum((g * vectors(t).to(g.dtype)).sum() for g, t in zip(grads, tensors_of(inputs)) if g is not None)
    second = torch.autograd.grad(total, leaves, allow_unused=True)
    by_leaf = dict(zip(map(id, leaves), second))
    return outputs, grads, [by_leaf.get(id(t)) for t in tensors_of(inputs)]


def remembered():
    """Draws a tensor for each of a row of tensors, the same row again after `again()`."""
    kept, position = [], [0]

    def draw(like):
        if position[0] == len(kept):
            kept.append(torch.round(torch.randn(like.shape, dtype=torch.float64) * 1e3) / 1e3)
        position[0] += 1
        return kept[position[0] - 1]

    def again():
        position[0] = 0

    return draw, again, kept


def case(op, variant, *args, call=None, grad=True, second=False, **options):
    """Adds a case: `args` in PyTorch's order, and options as keywords in camelCase.

    Gradients are taken of the tensors among `args`; tensors among the options are constants.
    """
    name = f"{op}/{variant}"
    assert all(known["name"] != name for known in CASES), name
    torch.manual_seed(zlib.crc32(name.encode()))
    args = [drawn(arg) for arg in args]
    call = call or torch_name(op)
    options = {key: drawn(option) for key, option in options.items()}
    keywords = {snake(k): v for k, v in options.items()}
    seeds, again, kept = remembered()
    vectors, vectors_again, vectors_kept = remembered()
    wanted = (seeds if grad else None, vectors if second else None)
    native = evaluate(call, args, keywords, *wanted, None)
    again()
    vectors_again()
    double = evaluate(call, args, keywords, *wanted, torch.float64)

    def both(singles, doubles):
        return [
            None if one is None else packed(exact(one.detach(), two.detach()), dtype_name(one.dtype))
            for one, two in zip(singles, doubles)
        ]

    outputs = both(native[0], double[0])
    seed = iter(kept)
    cotangents = [
        packed(next(seed), out["dtype"]) if grad and tensor.requires_grad else None
        for tensor, out in zip(native[0], outputs)
    ]
    several = len(outputs) > 1 or op in ("split", "chunk", "unbind")
    entry = {
        "name": name,
        "op": op,
        "args": [mapped(arg, held) for arg in args],
        "options": {key: mapped(option, held) for key, option in options.items()},
        "output": outputs if several else outputs[0],
        "cotangent": cotangents if several else cotangents[0],
        "grads": both(native[1], double[1]) if grad else None,
    }
    if second:
        vector = iter(vectors_kept)
        entry["second"] = {
            "vectors": [None if g is None else packed(next(vector), g["dtype"]) for g in entry["grads"]],
            "grads": both(native[2], double[2]),
        }
    CASES.append(entry)
