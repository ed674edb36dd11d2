"""Samples of one OpInfo: its own, its reference inputs, and its error inputs, as fixtures."""

import itertools
import random
import warnings
import zlib

import numpy
import torch
from torch.testing._internal.opinfo.core import BinaryUfuncInfo, UnaryUfuncInfo

from samples import encode
from samples.record import Sample, recorded
from samples.signatures import Inexpressible, bind, full_name, signature_of
from samples.sizes import sizes

# How many samples of each dtype are kept; all are drawn, and taken evenly from what there is.
KEPT = {torch.float32: 14, torch.float64: 6, torch.int32: 6, torch.bool: 3, torch.uint8: 3, torch.float16: 2, torch.bfloat16: 2}


# Operations that are made of others which are sampled: a third of that.
FEW = set(
    """
argwhere atleast_1d atleast_2d atleast_3d half bfloat16 deg2rad rad2deg dstack column_stack dsplit block_diag
cartesian_prod combinations addr diagonal_scatter select_scatter slice_scatter put copysign heaviside diff
nn.functional.channel_shuffle nn.functional.pixel_shuffle nn.functional.pixel_unshuffle unique_consecutive
logspace/tensor_overload scatter_reduce/sum scatter_reduce/prod scatter_reduce/mean scatter_reduce/amin masked.sum
masked.var masked.std nanmedian nanquantile nn.functional.pad/replicate_negative linalg.norm/subgradients_at_zero
as_strided/partial_views nn.functional.scaled_dot_product_attention
""".split()
)

# Operations whose samples have more elements than others may have, whatever sizes are drawn.
LARGE = {"nn.functional.scaled_dot_product_attention": 2000}


def seeded(*what):
    """Seeds every generator by what is drawn, so that a new operation changes no other's samples."""
    seed = zlib.crc32(repr(what).encode())
    torch.manual_seed(seed)
    numpy.random.seed(seed)
    random.seed(seed)
    return torch.Generator().manual_seed(seed)


def supported(info):
    """The dtypes that an operation is sampled in; its int64 where int32 is not among them."""
    found = info.supported_dtypes("cpu")
    return [d for d in KEPT if d in found] + ([torch.int64] if torch.int64 in found and torch.int32 not in found else [])


def inputs(info, dtype, reference, shapes):
    """The samples of a dtype that PyTorch draws; with its own sizes where it cannot with these."""
    # A generator of integers that asks whether it may have a gradient is told the truth.
    grad = info.supports_autograd and dtype.is_floating_point
    draw = info.reference_inputs if reference else info.sample_inputs
    for given in (shapes, None):
        try:
            with sizes(given):
                return list(itertools.islice(draw("cpu", dtype, requires_grad=grad), 600))
        except Exception:
            continue
    return []


def spread(items, count):
    """`count` of the items, evenly."""
    if len(items) <= count:
        return items
    return [items[i * len(items) // count] for i in range(count)]


def elements(sample):
    """How many numbers a sample holds."""
    return sum(t.numel() for t in encode.leaves([sample.input, sample.args, sample.kwargs]))


def samples_of(info, seed, shapes, reference, scale, most):
    """All fixtures of an OpInfo, by dtype; `most` bounds the elements of one."""
    names = signature_of(info)
    name = full_name(info)
    elementwise = isinstance(info, (UnaryUfuncInfo, BinaryUfuncInfo))
    found = []
    for dtype in supported(info):
        generator = seeded(name, str(dtype), seed)
        drawn = [s for s in inputs(info, dtype, reference, shapes) if elements(s) <= max(most, LARGE.get(name, 0))]
        kept = KEPT.get(dtype, 6) * scale / (3 if name in FEW else 1)
        for s in spread(drawn, max(1, round(kept))):
            kwargs = {**s.kwargs, "stable": True} if name in ("sort", "argsort") else s.kwargs
            if name == "topk" and has_ties(s.input, *s.args, **s.kwargs):
                continue
            if name == "kthvalue" and has_ties(s.input, *s.args, **s.kwargs):
                continue
            if name == "msort" and has_ties(s.input, 0, dim=0):
                continue
            if name == "nn.functional.dropout" and kwargs.get("training", True) and 0 < kwargs.get("p", 0.5) < 1:
                continue
            if name == "nn.functional.scaled_dot_product_attention" and 0 < kwargs.get("dropout_p", 0.0) < 1:
                continue
            sample = Sample(name, info, s.input, s.args, kwargs)
            entry = fixture(names, sample, "sample", generator, elementwise)
            if entry is not None:
                found.append(entry)
    return found


def has_ties(x, k, dim=-1, *_, **kwargs):
    """Whether two elements along a dimension are equal, so that PyTorch may name either."""
    if x.ndim == 0:
        return False
    ordered = x.detach().sort(kwargs.get("dim", dim)).values
    return bool((ordered.diff(dim=kwargs.get("dim", dim)) == 0).any())


def fixture(names, sample, kind, generator, elementwise=False):
    """A call as a fixture, or None where it has no place in one, or where PyTorch refuses it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return recorded(names, sample, bind(names, sample), kind, generator, elementwise)
    except Inexpressible:
        return None
    except Exception:
        return None


def errors_of(info, seed):
    """The inputs that an operation must refuse, as calls without a result."""
    names = signature_of(info)
    name = full_name(info)
    if info.error_inputs_func is None:
        return []
    seeded(name, "errors", seed)
    found = []
    try:
        drawn = list(info.error_inputs("cpu"))
    except Exception:
        return []
    for error in drawn:
        s = error.sample_input
        if "out" in s.kwargs:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                info(s.input, *s.args, **s.kwargs)
            continue
        except Exception as thrown:
            message = str(thrown).strip().splitlines()
        try:
            args = {k: encode.value(v) for k, v in bind(names, s).items()}
        except Exception:
            continue
        found.append({"op": name, "kind": "error", "args": args, "message": (message or [""])[0][:120]})
    return found
