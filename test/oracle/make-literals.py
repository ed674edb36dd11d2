"""Writes literals.json.gz: tensors of every computing dtype with plain numbers, in every operation that takes both.

JavaScript has one kind of number. What thaw says a number is decides what PyTorch is given for it: a whole number that
the dtype holds (of bool: int32) is a Python int, any other a float. Where thaw goes further than PyTorch (comparisons of
integers are exact; a whole number beyond all integers of a dtype bounds nothing), Python computes what is expected.
"""

import math
import operator

import torch

from fixture import SOURCE, quiet, write

DTYPES = ["float32", "float64", "int32", "uint8", "bool"]
VALUES = {
    "float32": [-2.5, 0.0, 3.0, 1e6],
    "float64": [-2.5, 0.0, 3.0, 1e6],
    "int32": [-(2**31), -3, 0, 7, 16777217, 2**31 - 1],
    "uint8": [0, 1, 2, 200, 255],
    "bool": [False, True],
}
RANGES = {"int32": (-(2**31), 2**31 - 1), "uint8": (0, 255), "bool": (-(2**31), 2**31 - 1)}
NUMBERS = [
    0, 1, 2, 7, -1, -3, 255, 256, 300, 16777216, 16777217, 2147483647, 2147483648, 4294967296, 3000000000,
    -2147483648, -2147483649, -3000000000, 1e20, 0.5, 1.5, -2.5, 255.5, 16777216.5, -2147483648.5,
    -3.4028234663852886e38, math.nan, math.inf, -math.inf,
]  # fmt: skip
FLOATS = [0, 2, -1, 300, 16777216, 3000000000]
# As the fixture has them: a number, a boolean, or [number], which is float(number) in TypeScript.
LITERALS = [*NUMBERS, True, False, *[[value] for value in FLOATS]]

DIVISIONS = {
    "floorDivide": torch.floor_divide,
    "divTrunc": lambda x, v: torch.div(x, v, rounding_mode="trunc"),
    "divFloor": lambda x, v: torch.div(x, v, rounding_mode="floor"),
    "remainder": torch.remainder,
    "fmod": torch.fmod,
}
COMPARISONS = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
PLAIN = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "powOf": lambda x, v: torch.pow(v, x),
    "xlogy": torch.xlogy,
    "bitwiseAnd": lambda x, v: x & v,
    "bitwiseOr": lambda x, v: x | v,
    "bitwiseXor": lambda x, v: x ^ v,
    "logicalAnd": lambda x, v: torch.logical_and(x, torch.tensor(v)),
    "logicalOr": lambda x, v: torch.logical_or(x, torch.tensor(v)),
    "logicalXor": lambda x, v: torch.logical_xor(x, torch.tensor(v)),
    "where": lambda x, v: torch.where(alternate(x), x, v),
    "whereNot": lambda x, v: torch.where(alternate(x), v, x),
    "maskedFill": lambda x, v: x.masked_fill(alternate(x), v),
    "fill_": lambda x, v: x.clone().fill_(v),
    "full": lambda x, v: torch.full((2,), v, dtype=x.dtype),
    "pad": lambda x, v: torch.nn.functional.pad(x, (1, 0), value=v),
    "add_": lambda x, v: x.clone().add_(v),
    "mul_": lambda x, v: x.clone().mul_(v),
    "addAlpha": lambda x, v: torch.add(x, x, alpha=v),
    "subAlpha": lambda x, v: torch.sub(x, x, alpha=v),
}
BOUNDS = {"clampMin": "min", "clamp_": "min", "maximum": "min", "clampMax": "max", "minimum": "max"}


def alternate(x):
    return torch.arange(x.numel()) % 2 == 0


def whole(literal):
    plain = isinstance(literal, (int, float)) and not isinstance(literal, bool)
    return plain and math.isfinite(literal) and literal == int(literal)


def python_number(literal, dtype):
    """What Python is given for a literal: the rule of thaw."""
    if isinstance(literal, list):
        return float(literal[0])
    if not whole(literal) or dtype not in RANGES:
        return literal
    low, high = RANGES[dtype]
    return int(literal) if low <= literal <= high else float(literal)


def bound(op, x, literal, value, dtype):
    side = BOUNDS[op]
    if dtype in ("int32", "uint8") and whole(literal):
        low, high = RANGES[dtype]
        if literal < low if side == "min" else literal > high:
            return x
    if op == "clamp_":
        return x.clone().clamp_(min=value)
    if op.startswith("clamp"):
        return torch.clamp(x, **{side: value})
    wide = torch.float64 if dtype == "float64" and isinstance(value, float) else None
    return (torch.maximum if side == "min" else torch.minimum)(x, torch.tensor(value, dtype=wide))


def compared(op, x, literal, value, dtype):
    if x.is_floating_point():
        return getattr(torch, op)(x, value)
    exact = literal[0] if isinstance(literal, list) else literal
    return torch.tensor([COMPARISONS[op](element, exact) for element in x.tolist()])


def evaluated(op, dtype, literal):
    """[dtype, values], or None where PyTorch refuses."""
    x = torch.tensor(VALUES[dtype], dtype=getattr(torch, dtype))
    value = python_number(literal, dtype)
    if op in DIVISIONS and dtype == "int32" and value == -1:
        # The quotient of the smallest integer and -1 stops the process.
        x = x[1:]
    if op == "pow" and dtype in RANGES and whole(literal) and -(2**31) <= literal < 0:
        return None
    try:
        if op in BOUNDS:
            result = bound(op, x, literal, value, dtype)
        elif op in COMPARISONS:
            result = compared(op, x, literal, value, dtype)
        else:
            result = {**DIVISIONS, **PLAIN}[op](x, value)
    except (RuntimeError, NotImplementedError, TypeError):
        return None
    name = str(result.dtype).removeprefix("torch.")
    return [name, result.int().tolist() if result.dtype == torch.bool else result.tolist()]


def main():
    quiet()
    ops = [*PLAIN, *DIVISIONS, *COMPARISONS, *BOUNDS]
    results = {op: {dtype: [evaluated(op, dtype, v) for v in LITERALS] for dtype in DTYPES} for op in ops}
    # A fraction as text, all of its digits.
    literals = [repr(v) if isinstance(v, float) and math.isfinite(v) else v for v in LITERALS]
    write(
        "literals.json.gz",
        {"format": "literals/1", "source": SOURCE, "values": VALUES, "literals": literals, "results": results},
    )


if __name__ == "__main__":
    main()
