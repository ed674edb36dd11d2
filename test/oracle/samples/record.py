"""What PyTorch gives for one call: outputs, the gradients of one drawn cotangent, and how sure it is of them."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from samples import encode
from samples.signatures import Inexpressible

# PyTorch's own tolerances, torch.testing._comparison: relative, absolute.
TOLERANCES = {torch.float32: (1.3e-6, 1e-5), torch.float64: (1e-7, 1e-7), torch.float16: (1e-3, 1e-5), torch.bfloat16: (1.6e-2, 1e-5)}
HALVES = (torch.float16, torch.bfloat16)
# An output that PyTorch itself has to this relative error is asked for without an absolute tolerance.
STRICT = 4e-6
# By how much more than half a unit in the last place of every input an order of adding may move a sum.
ORDERS = 16
# A movement of so many tolerances is no rounding.
STEP = 50


@dataclass
class Sample:
    """A call: what it is named after, how it is made, and its arguments in PyTorch's order."""

    op: str
    call: Any
    input: Any
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)


def ran(sample, change=lambda t: t, cotangents=None, generator=None):
    """Outputs, cotangents and gradients of the call on its tensors as `change` makes them."""

    def leaf(t):
        return change(t.detach().clone()).requires_grad_(t.requires_grad)

    input, args, kwargs = (encode.mapped(x, leaf) for x in (sample.input, sample.args, sample.kwargs))
    wanted = [t for t in encode.leaves([input, args, kwargs]) if t.requires_grad]
    made = sample.call(input, *args, **kwargs)
    outputs = [made] if isinstance(made, torch.Tensor) or not isinstance(made, (tuple, list)) else list(made)
    tensors = [o for o in outputs if isinstance(o, torch.Tensor) and o.requires_grad]
    if not wanted or not tensors:
        return outputs, None, None
    if cotangents is None:
        # Eighths: every dtype holds them, and they pack well.
        cotangents = [torch.randint(1, 17, o.shape, generator=generator) / 8 - 1.0625 for o in tensors]
    cotangents = [c.to(o.dtype) for c, o in zip(cotangents, tensors)]
    grads = torch.autograd.grad(tensors, wanted, cotangents, allow_unused=True)
    return outputs, cotangents, list(grads)


def doubtful(narrow, wide, other=None):
    """
    By how much of its tolerance PyTorch's float32 differs from its float64, and the largest relative difference; or an
    `other` float64, of what is float32.
    """
    worst, relative = 0.0, 0.0
    for i, (a, b) in enumerate(zip(narrow, wide)):
        if not isinstance(a, torch.Tensor) or a.dtype != torch.float32 or not isinstance(b, torch.Tensor):
            continue
        a = a if other is None else other[i]
        if a.shape != b.shape:
            return math.inf, math.inf
        rtol, atol = TOLERANCES[torch.float32]
        a, b = a.detach().double(), b.detach().double()
        off = (a - b).abs()
        known = torch.isfinite(off)
        if not known.any():
            continue
        worst = max(worst, (off / (atol + rtol * b.abs()))[known].max().item())
        relative = max(relative, torch.where(off == 0, off, off / b.abs())[known].max().item())
    return worst, relative


def recorded(names, sample, bound, kind, generator, elementwise=False):
    """The fixture of one call, or None where PyTorch refuses it."""
    tensors = [t for t in encode.leaves(list(bound.values()))]
    if any(t.is_complex() for t in tensors):
        raise Inexpressible("complex")
    grads = cotangents = None
    try:
        outputs, cotangents, grads = ran(sample, generator=generator)
    except (RuntimeError, NotImplementedError, ValueError, IndexError, TypeError):
        with torch.no_grad():
            outputs, cotangents, grads = ran(sample)
    if any(t.dtype in HALVES for t in tensors) and not any(t.dtype in (torch.float32, torch.float64) for t in tensors):
        outputs, grads = of_halves(sample, outputs, cotangents, grads)
    entry = {
        "op": sample.op,
        "kind": kind,
        "args": {k: encode.value(v) for k, v in bound.items()},
        "out": [encode.value(o) for o in outputs],
    }
    if grads is not None:
        if any(t.is_complex() for t in [*cotangents, *[g for g in grads if g is not None]]):
            raise Inexpressible("complex")
        entry["cot"] = [encode.tensor(c) for c in cotangents]
        entry["grads"] = [None if g is None else encode.tensor(g) for g in grads]
    if any(t.dtype == torch.float32 for t in tensors):
        worst, relative = conditioning(sample, outputs, cotangents, grads)
        if kind == "sample":
            moved, moved_relative = movement(sample, outputs, cotangents, grads, elementwise)
            worst, relative = max(worst, moved), max(relative, moved_relative)
        if worst > 0.25:
            entry["loose"] = min(1e6, math.ceil(1 + 4 * worst))
        if relative < STRICT:
            entry["strict"] = 1
    elif elementwise and any(t.dtype == torch.float64 for t in tensors):
        entry["strict"] = 1
    return entry


def of_halves(sample, outputs, cotangents, grads):
    """
    Outputs and gradients of 16-bit floats, computed in float32 and rounded once: a gradient that PyTorch makes of outputs
    that are rounded already has lost digits that thaw, which computes in f32, keeps.
    """

    def widened(t):
        return t.float() if t.dtype in HALVES else t

    kwargs = {k: v for k, v in sample.kwargs.items()}
    wide = Sample(sample.op, sample.call, sample.input, sample.args, kwargs)
    try:
        if grads is None:
            with torch.no_grad():
                better, _, better_grads = ran(wide, widened)
        else:
            better, _, better_grads = ran(wide, widened, cotangents)
    except Exception:
        return outputs, grads

    def rounded(before, after):
        return after.detach().to(before.dtype).requires_grad_(before.requires_grad) if isinstance(before, torch.Tensor) and before.dtype in HALVES else before

    made = [rounded(a, b) for a, b in zip(outputs, better)]
    return made, None if grads is None else [None if a is None or b is None else rounded(a, b) for a, b in zip(grads, better_grads)]


def in_double(sample, cotangents, grads, change):
    """Outputs and gradients of a sample in float64, its float32 tensors as `change` makes them."""
    kwargs = {k: torch.float64 if v == torch.float32 else v for k, v in sample.kwargs.items()}
    wide = Sample(sample.op, sample.call, sample.input, sample.args, kwargs)
    if grads is None:
        with torch.no_grad():
            made, _, made_grads = ran(wide, change)
    else:
        made, _, made_grads = ran(wide, change, cotangents)
    return made, made_grads or [None] * len(grads or [])


def widened(t):
    return t.double() if t.dtype == torch.float32 else t


def conditioning(sample, outputs, cotangents, grads):
    """`doubtful` of outputs and gradients: by how much PyTorch's float32 is off its float64."""
    try:
        better, better_grads = in_double(sample, cotangents, grads, widened)
        return doubtful([*outputs, *(grads or [])], better + better_grads)
    except Exception:
        return 0.0, math.inf


def movement(sample, outputs, cotangents, grads, elementwise):
    """
    What `doubtful` says of float64 beside float64 with every float32 input moved by half a unit in its last place, in
    random directions, times what an order of adding may do more: of sums that cancel either leaves as little, and
    PyTorch's order is one of many. Of an elementwise operation only gradients are sums, where operands are repeated.
    """
    generator = torch.Generator().manual_seed(1)

    def moved(t):
        if t.dtype != torch.float32:
            return t
        signs = torch.randint(0, 2, t.shape, generator=generator) * 2 - 1
        return t.double() * (1 + signs.double() * 2.0**-24)

    found = grads or [] if elementwise else [*outputs, *(grads or [])]
    worst, relative = 0.0, 0.0
    try:
        still, *others = [in_double(sample, cotangents, grads, change) for change in (widened, *[moved] * 4)]
        still = still[1] if elementwise else still[0] + still[1]
        for made, made_grads in others:
            other = made_grads if elementwise else made + made_grads
            by, by_relative = doubtful(found, still, other)
            # What moves further has a step there, and no rounding explains it.
            if by < STEP:
                worst, relative = max(worst, ORDERS / 4 * by), max(relative, ORDERS * by_relative)
    except Exception:
        return 0.0, 0.0
    return worst, relative
