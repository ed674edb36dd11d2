"""Unary and binary operations, comparisons, selection: domains, broadcasting, edges and kinks."""

import torch
import torch.nn.functional as F

from .case import booleans, case, integers, normal, uniform, values

INF, NAN = float("inf"), float("nan")
EDGES = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN]

# Where each is smooth enough to compare gradients: (op, low, high).
DOMAINS = [
    ("neg", -3, 3), ("abs", -3, 3), ("sign", -3, 3), ("floor", -3, 3), ("ceil", -3, 3), ("round", -3, 3),
    ("trunc", -3, 3), ("sqrt", 0.1, 9), ("rsqrt", 0.1, 9), ("exp", -5, 5), ("log", 0.05, 9), ("log1p", -0.9, 9),
    ("expm1", -3, 3), ("log2", 0.05, 9), ("sin", -9, 9), ("cos", -9, 9), ("tanh", -4, 4), ("sigmoid", -8, 8),
    ("erf", -3, 3), ("relu", -3, 3), ("silu", -6, 6), ("softplus", -6, 6), ("elu", -3, 3), ("leakyRelu", -3, 3),
    ("logsigmoid", -8, 8), ("square", -3, 3), ("reciprocal", 0.2, 4), ("hardtanh", -3, 3), ("mish", -5, 5),
    ("relu6", -3, 9), ("hardswish", -5, 5), ("hardsigmoid", -5, 5), ("selu", -3, 3), ("celu", -3, 3),
    ("softsign", -5, 5), ("gelu", -4, 4),
]  # fmt: skip
# Values where a lost digit or an overflow shows: tiny, large, and what tables of polynomials join at.
EXTREME = {
    "exp": [-104.0, -87.0, -20.0, 1e-6, 20.0, 88.0, 89.0, 1000.0],
    "expm1": [-100.0, -1e-6, 1e-7, 1e-3, 30.0, 89.0],
    "log": [1e-30, 1e-6, 0.999999, 1.000001, 1e6, 3e38],
    "log1p": [-1.0, -0.999999, -1e-7, 1e-7, 1e-3, 1e30],
    "log2": [1e-30, 0.5, 1.000001, 1024.0, 3e38],
    "tanh": [-100.0, -9.0, -1e-4, 1e-7, 0.62, 9.0, 100.0],
    "sigmoid": [-100.0, -87.0, -20.0, 1e-7, 20.0, 100.0],
    "logsigmoid": [-1000.0, -100.0, -20.0, 20.0, 100.0],
    "softplus": [-100.0, -20.0, 19.9, 20.1, 100.0, 1000.0],
    "erf": [-6.0, -4.0, -1e-6, 1e-6, 0.84375, 1.25, 2.857, 6.0],
    "sin": [1e-6, 100.0, -1000.0, 31415.9],
    "cos": [1e-6, 100.0, -1000.0, 31415.9],
    "gelu": [-20.0, -8.0, -1e-5, 1e-5, 8.0, 20.0],
    "silu": [-100.0, -20.0, 1e-6, 20.0, 100.0],
    "mish": [-100.0, -30.0, 1e-6, 21.0, 100.0],
    "sqrt": [1e-30, 1e-6, 1e30],
    "rsqrt": [1e-30, 1e-6, 1e30],
    "reciprocal": [1e-30, -1e-6, 1e30],
    "round": [0.5, 1.5, 2.5, -0.5, -1.5, 8388609.0],
    "floor": [-0.5, 8388609.0, -8388609.0],
}
# Where PyTorch has to choose a gradient: at a kink, a jump, or the end of a domain.
KINKS = {
    "abs": [0.0, -0.0], "sign": [0.0], "relu": [0.0, -0.0], "sqrt": [0.0, 4.0], "leakyRelu": [0.0], "elu": [0.0],
    "hardtanh": [-1.0, 1.0], "relu6": [0.0, 6.0], "hardswish": [-3.0, 3.0], "hardsigmoid": [-3.0, 3.0],
    "selu": [0.0], "celu": [0.0], "log": [0.0, 1.0], "softsign": [0.0], "floor": [1.0], "rsqrt": [4.0, 1.0],
}  # fmt: skip


def unary():
    for op, low, high in DOMAINS:
        name = "logSigmoid" if op == "logsigmoid" else op
        call = getattr(F, op, None) if op in ("logsigmoid", "gelu", "softplus") else None
        case(name, "float32", uniform(3, 5, low=low, high=high), call=call)
        case(name, "float64", uniform(2, 3, low=low, high=high, dtype=torch.float64), call=call)
        case(name, "edges", values(EDGES), call=call, grad=False)
        if op in EXTREME:
            case(name, "extreme", values(EXTREME[op]), call=call, grad=False)
        if op in KINKS:
            case(name, "kink", values(KINKS[op]), call=call)
    case("gelu", "tanh", normal(4, 5), call=F.gelu, approximate="tanh")
    case("gelu", "tanh-extreme", values([-20.0, -8.0, -1e-5, 0.0, 8.0, 20.0]), call=F.gelu, approximate="tanh", grad=False)
    case("softplus", "options", normal(4, 5, scale=4.0), call=F.softplus, beta=2.0, threshold=5.0)
    case("elu", "alpha", normal(4, 5), alpha=0.5)
    case("celu", "alpha", normal(4, 5), alpha=0.5)
    case("leakyRelu", "slope", normal(4, 5), negativeSlope=0.2)
    case("hardtanh", "range", normal(4, 5), minVal=-0.5, maxVal=0.25)
    for op in ("neg", "abs", "sign", "square"):
        case(op, "int32", integers(2, 5), grad=False)
    for op in ("sqrt", "exp", "sigmoid", "reciprocal"):
        case(op, "int32-to-float", values([1, 2, 9], dtype=torch.int32), grad=False)
    for op in ("isnan", "isfinite", "isinf"):
        case(op, "edges", values(EDGES), grad=False)
    case("logicalNot", "bool", booleans(2, 4), grad=False)
    case("logicalNot", "float32", values([0.0, -0.0, 2.0, NAN]), grad=False)
    for op, low, high in (("tanh", -2, 2), ("sigmoid", -3, 3), ("exp", -2, 2), ("log", 0.2, 4), ("sin", -3, 3),
                          ("gelu", -2, 2), ("silu", -3, 3), ("sqrt", 0.5, 4), ("erf", -1, 1), ("softplus", -3, 3)):  # fmt: skip
        call = F.gelu if op == "gelu" else F.softplus if op == "softplus" else None
        case(op, "second", uniform(3, 4, low=low, high=high), call=call, second=True)


SHAPES = [("same", (3, 4), (3, 4)), ("row", (3, 4), (4,)), ("column", (3, 1), (3, 4)), ("outer", (3, 1), (1, 4)),
          ("scalar", (2, 3), ()), ("rank", (4,), (2, 3, 4)), ("middle", (2, 1, 3), (4, 1))]  # fmt: skip


def binary():
    for variant, a, b in SHAPES:
        for op in ("add", "sub", "mul", "maximum", "minimum"):
            case(op, variant, normal(*a), normal(*b))
        case("div", variant, normal(*a), uniform(*b, low=0.3, high=3))
        case("pow", variant, uniform(*a, low=0.2, high=3), normal(*b, scale=1.5))
        for op in ("remainder", "fmod"):
            case(op, variant, normal(*a, scale=5.0), uniform(*b, low=0.7, high=3))
        for op in ("eq", "ne", "lt", "le", "gt", "ge"):
            case(op, variant, integers(*a, low=-1, high=2, dtype=torch.float32),
                 integers(*b, low=-1, high=2, dtype=torch.float32), grad=False)  # fmt: skip
    for op in ("add", "sub", "mul", "div"):
        case(op, "number", normal(2, 3), 2.5)
        case(op, "empty", normal(0, 3), normal(3))
        case(op, "float64", normal(2, 3, dtype=torch.float64), normal(3, dtype=torch.float64))
        case(op, "int32", integers(2, 3), integers(3, low=1), grad=False)
    for exponent in (2, 3, 0.5, -1, 0, 1, 2.5, -0.5):
        case("pow", f"number {exponent}", uniform(2, 3, low=0.3, high=3), exponent)
    case("pow", "negative base", normal(2, 3), 3)
    case("pow", "int32", integers(2, 4, low=-3, high=4), 3, grad=False)
    case("pow", "zero base", values([0.0, 0.0, 0.0]), values([0.0, 1.0, 2.0]))
    left, right = [1.0, 0.0, -0.0, INF, -INF, NAN, 1.0, -2.0, -2.0], [NAN, -0.0, INF, -INF, INF, NAN, INF, 0.5, 3.0]
    for op in ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge"):
        case(op, "edges", values(left), values(right), grad=False)
    case("pow", "ones and zeros", values([NAN, INF, 1.0, 0.0, 0.0, -1.0]), values([0.0, 0.0, NAN, -1.0, 0.0, INF]), grad=False)
    case("div", "by zero", values([1.0, -1.0, 0.0, 1.0]), values([0.0, 0.0, 0.0, -0.0]), grad=False)
    for op in ("maximum", "minimum"):
        case(op, "ties", values([1.0, 2.0, -3.0]), values([1.0, 0.0, -3.0]))
    for op in ("remainder", "fmod"):
        signs = values([5.5, -5.5, 5.5, -5.5, 6.0, -6.0]), values([2.0, 2.0, -2.0, -2.0, 3.0, 3.0])
        case(op, "signs", *signs, grad=False)
        case(op, "int32 signs", values([7, -7, 7, -7], torch.int32), values([3, 3, -3, -3], torch.int32), grad=False)
        case(op, "number", normal(2, 3, scale=4.0), 1.5)
    for mode in ("floor", "trunc"):
        case("div", f"rounding {mode}", normal(2, 5, scale=6.0), values([1.5, -2.0, 0.7, -0.3, 4.0]), roundingMode=mode, grad=False)
        case("div", f"rounding {mode} int32", values([7, -7, 7, -7], torch.int32), values([3, 3, -3, -3], torch.int32),
             roundingMode=mode, grad=False)  # fmt: skip
    case("add", "uint8 wraps", values([250, 5], torch.uint8), values([10, 5], torch.uint8), grad=False)
    case("add", "int32 and float32", integers(2, 3), normal(2, 3))
    case("mul", "bool and float32", booleans(2, 3), normal(2, 3))
    case("add", "float32 and float64", normal(2, 3), normal(2, 3, dtype=torch.float64))
    case("add", "alpha", normal(2, 3), normal(3), alpha=0.5)
    case("sub", "alpha", normal(2, 3), normal(3), alpha=2)
    for op in ("logicalAnd", "logicalOr", "logicalXor"):
        case(op, "bool", booleans(3, 4), booleans(4), grad=False)
        case(op, "float32", values([0.0, 1.0, NAN, -0.0]), values([1.0, 2.0, 0.0, 0.0]), grad=False)
    case("mul", "second", normal(2, 3), normal(3), second=True)
    case("div", "second", normal(2, 3), uniform(3, low=0.5, high=2), second=True)
    case("pow", "second", uniform(2, 3, low=0.5, high=2), uniform(3, low=0.5, high=2), second=True)


def chosen():
    """where, clamp, maskedFill and the compounds of three tensors."""
    case("where", "same", booleans(3, 4), normal(3, 4), normal(3, 4))
    case("where", "broadcast", booleans(3, 1), normal(4), normal(2, 3, 4))
    case("where", "scalar", booleans(3, 4), normal(3, 4), values(0.5))
    case("where", "number", booleans(3, 4), normal(3, 4), 0.0)
    case("where", "shields NaN", values([True, False], torch.bool), values([1.0, NAN]), values([INF, 2.0]))
    case("clamp", "both", normal(3, 4), min=-0.5, max=0.75)
    case("clamp", "min", normal(3, 4), min=0.0)
    case("clamp", "max", normal(3, 4), max=0.25)
    case("clamp", "bounds", values([-1.0, -0.5, 0.0, 0.5, 1.0]), min=-0.5, max=0.5)
    case("clamp", "crossed", normal(5), min=1.0, max=-1.0)
    case("clamp", "edges", values(EDGES), min=-0.5, max=0.5, grad=False)
    case("clamp", "int32", integers(6), min=-2, max=3, grad=False)
    case("lerp", "number", normal(3, 4), normal(3, 4), 0.3)
    case("lerp", "tensor", normal(3, 4), normal(4), uniform(3, 1))
    for op in ("addcmul", "addcdiv"):
        third = uniform(3, 1, low=0.5, high=2)
        case(op, "plain", normal(3, 4), normal(4), third)
        case(op, "value", normal(3, 4), normal(3, 4), third, value=-0.7)
    case("maskedFill", "rows", normal(3, 4), booleans(3, 1), -1.5)
    case("maskedFill", "infinite", normal(3, 4), booleans(3, 4), -INF)


def add_cases():
    unary()
    binary()
    chosen()
