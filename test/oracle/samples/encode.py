"""How a sample is written: tensors as the bytes of their dtype, Python's numbers so that 2.0 is not 2."""

import base64
import math

import numpy
import torch

from samples.signatures import Inexpressible

DTYPES = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.int32: "int32",
    torch.int64: "int32",
    torch.uint8: "uint8",
    torch.int8: "int8",
    torch.bool: "bool",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}


def tensor(value):
    """`{ t: dtype, s: shape, d: base64 of its elements, g: 1 where it takes a gradient }`; int64 is written as int32."""
    if value.dtype not in DTYPES or value.layout != torch.strided:
        raise Inexpressible(f"a tensor of {value.dtype}, {value.layout}")
    flat = value.detach().resolve_neg().contiguous()
    if value.dtype == torch.int64:
        if flat.numel() and (flat.max() > 2**31 - 1 or flat.min() < -(2**31)):
            raise Inexpressible("an int64 that int32 does not hold")
        flat = flat.to(torch.int32)
    if flat.dtype == torch.bfloat16 or flat.dtype == torch.float16:
        flat = flat.view(torch.int16)
    data = base64.b64encode(flat.numpy().tobytes()).decode().rstrip("=")
    written = {"t": DTYPES[value.dtype], "s": list(value.shape), "d": data}
    if value.requires_grad:
        written["g"] = 1
    return written


def number(value):
    """A Python float that is whole, or no finite number, as `{ float: … }`; every other number as JSON has it."""
    if isinstance(value, (bool, int)):
        return value
    if not math.isfinite(value):
        return {"float": {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")}
    if value == int(value):
        return {"float": "-0" if value == 0 and math.copysign(1, value) < 0 else value}
    return value


def value(item):
    """Anything that is an argument."""
    if isinstance(item, torch.Tensor):
        return tensor(item)
    if isinstance(item, numpy.generic):
        return value(item.item())
    if item is None or isinstance(item, str):
        return item
    if isinstance(item, (bool, int, float)):
        return number(item)
    if isinstance(item, (list, tuple)):
        return [value(x) for x in item]
    if isinstance(item, torch.dtype):
        if item not in DTYPES:
            raise Inexpressible(str(item))
        return {"dtype": DTYPES[item]}
    if isinstance(item, slice):
        return {"slice": [value(item.start), value(item.stop), value(item.step)]}
    if item is Ellipsis:
        return {"ellipsis": 1}
    if isinstance(item, dict):
        return {k: value(x) for k, x in item.items()}
    raise Inexpressible(f"a {type(item).__name__}")


def leaves(item):
    """The tensors in an argument, in order."""
    if isinstance(item, torch.Tensor):
        return [item]
    if isinstance(item, (list, tuple)):
        return [leaf for x in item for leaf in leaves(x)]
    if isinstance(item, dict):
        return [leaf for x in item.values() for leaf in leaves(x)]
    return []


def mapped(item, change):
    """An argument with its tensors changed."""
    if isinstance(item, torch.Tensor):
        return change(item)
    if isinstance(item, (list, tuple)):
        made = [mapped(x, change) for x in item]
        return type(item)(made) if type(item) in (list, tuple) else made
    if isinstance(item, dict):
        return {k: mapped(x, change) for k, x in item.items()}
    return item
