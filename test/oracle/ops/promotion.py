"""Which dtype a result has: tensors with dims, 0-d tensors and plain numbers."""

import torch

DTYPES = ["float32", "float64", "int32", "uint8", "bool", "bfloat16", "float16", "int8"]
NUMBERS = {"number:float": 1.5, "number:int": 2, "number:bool": True}


def operand(name):
    if name in NUMBERS:
        return NUMBERS[name]
    shape = () if name.startswith("0d:") else (2,)
    return torch.ones(shape, dtype=getattr(torch, name.removeprefix("0d:")))


def table(operation):
    """[a, b, result] for every pair; the result is PyTorch's own, int16 and int64 too."""
    others = [*DTYPES, *[f"0d:{name}" for name in DTYPES], *NUMBERS]
    rows = []
    for a in DTYPES:
        for b in others:
            result = operation(operand(a), operand(b))
            rows.append([a, b, str(result.dtype).removeprefix("torch.")])
    return rows


def reduced(operation):
    return [[name, str(operation(operand(name)).dtype).removeprefix("torch.")] for name in DTYPES]


def tables():
    return {
        "promotion": table(torch.add),
        "division": table(torch.true_divide),
        "comparison": table(torch.lt),
        "sum": reduced(torch.sum),
        "prod": reduced(torch.prod),
        "unaryFloat": reduced(torch.exp),
    }
