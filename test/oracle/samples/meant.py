"""Calls whose difference from PyTorch is meant (`accepted.ts`) and that the small sizes of the fixtures do not draw."""

import math

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import UnaryUfuncInfo

from samples.draw import fixture, seeded
from samples.record import Sample
from samples.signatures import full_name, signature_of


def meant(seed):
    """Their fixtures, which PyTorch's reference inputs have too."""
    infos = {full_name(info): info for info in op_db}
    generator = seeded("meant", seed)
    found = []

    def add(name, first, *rest, **kwargs):
        info = infos[name]
        elementwise = isinstance(info, UnaryUfuncInfo)
        entry = fixture(signature_of(info), Sample(name, info, first, rest, kwargs), "sample", generator, elementwise)
        assert entry is not None, name
        found.append(entry)

    def leaf(values, dtype):
        return torch.tensor(values, dtype=dtype, requires_grad=True)

    for name in ("add", "sub", "mul", "true_divide", "floor_divide"):
        add(name, 2.5, 1.5)
    for name, mode in (("div/no_rounding_mode", None), ("div/floor_rounding", "floor"), ("div/trunc_rounding", "trunc")):
        add(name, 2.5, 1.5, rounding_mode=mode)
    add("arange", False, True, True, dtype=torch.float32)
    add("nn.functional.threshold", torch.tensor([0, 1, 2], dtype=torch.uint8), 0.25, -9)
    add("int", torch.tensor([3e9, -3e9, math.inf, -math.inf, math.nan]))
    # Eight are computed as vectors, and the ninth by itself.
    for name in ("elu", "selu", "celu", "relu6"):
        add(f"nn.functional.{name}", leaf([math.nan] * 9, torch.float64))
    add("nn.functional.celu", leaf([-501.0] * 3, torch.float64), alpha=0.8)
    column = torch.tensor([[0.3, -1.7, 2.6]], requires_grad=True)
    add("addcdiv", leaf([[1.0, 2.0, 3.0]] * 3, torch.float32), leaf([[1.7, 0.3, -2.2]] * 3, torch.bfloat16), column, value=3)
    return found
