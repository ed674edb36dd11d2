"""Reductions, scans, softmax, sorting: every choice of dims, ties, empty inputs and infinities."""

import torch

from .case import booleans, case, integers, normal, uniform, values

INF, NAN = float("inf"), float("nan")
DIMS = [("all", None, False), ("0", 0, False), ("last keepdim", -1, True), ("two", [0, 2], False),
        ("two keepdim", [1, -1], True), ("every", [0, 1, 2], False)]  # fmt: skip


def dims(dim, keepdim):
    return {} if dim is None else {"dim": dim, "keepdim": keepdim} if keepdim else {"dim": dim}


def sums():
    for variant, dim, keepdim in DIMS:
        options = dims(dim, keepdim)
        for op in ("sum", "mean", "amax", "amin"):
            case(op, variant, normal(2, 3, 4), **options)
        case("logsumexp", variant, normal(2, 3, 4), **{"dim": [0, 1, 2], **options})
        for op in ("var", "std"):
            case(op, variant, normal(2, 3, 4), **options)
            case(op, f"biased {variant}", normal(2, 3, 4), correction=0, **options)
        for p in (1, 2, 3, INF):
            case("norm", f"p {p} {variant}", normal(2, 3, 4), p=p, **options)
    case("var", "unbiased false", normal(3, 4), dim=1, unbiased=False)
    case("std", "correction 2", normal(3, 4), dim=1, correction=2)
    case("var", "one element", values([[3.0]]), dim=1, grad=False)
    case("var", "far from zero", uniform(2, 8, low=1000, high=1001), dim=1)
    case("norm", "zero vector", values([[0.0, 0.0], [3.0, 4.0]]), dim=1)
    case("sum", "scalar", values(2.5))
    case("sum", "int32", integers(3, 4), dim=1, grad=False)
    case("sum", "bool", booleans(3, 4), grad=False)
    case("sum", "float64", normal(3, 4, dtype=torch.float64), dim=0)
    case("sum", "infinite", values([[INF, 1.0], [INF, -INF]]), dim=1, grad=False)
    case("sum", "long", normal(10000, scale=0.1), grad=False)
    case("mean", "second", normal(2, 3), dim=1, second=True, call=lambda x, dim: x.pow(3).mean(dim))
    for op in ("sum", "mean", "prod"):
        case(op, "empty", normal(0, 3), grad=False)
        case(op, "empty dim", normal(0, 3), dim=0, grad=False)
    case("logsumexp", "large", values([[1000.0, 1001.0], [-1000.0, -1001.0]]), dim=1)
    case("logsumexp", "infinite", values([[-INF, -INF], [INF, 1.0], [-INF, 2.0]]), dim=1, grad=False)
    case("prod", "all", normal(2, 3))
    case("prod", "dim", normal(2, 3, 4), dim=1)
    case("prod", "keepdim", normal(2, 3), dim=-1, keepdim=True)
    case("prod", "one zero", values([[2.0, 0.0, 3.0], [1.0, 2.0, 3.0]]), dim=1)
    case("prod", "two zeros", values([[0.0, 0.0, 3.0]]), dim=1)
    case("prod", "int32", integers(2, 3, low=1, high=5), dim=1, grad=False)


def extremes():
    for op in ("max", "min"):
        case(op, "all", normal(3, 4))
        case(op, "dim", normal(3, 4), dim=1)
        case(op, "keepdim", normal(2, 3, 4), dim=0, keepdim=True)
        case(op, "ties", values([[1.0, 3.0, 3.0, 0.0, 0.0]]), dim=1)
        case(op, "all ties", values([3.0, 0.0, 3.0, 0.0]))
        case(op, "int32", integers(3, 4), dim=1, grad=False)
        case(op, "NaN", values([[1.0, NAN, 3.0], [1.0, INF, -INF]]), dim=1, grad=False)
    for op in ("amax", "amin"):
        case(op, "ties", values([[1.0, 3.0, 3.0, 0.0, 0.0]]), dim=1)
    for op in ("argmax", "argmin"):
        case(op, "all", normal(3, 4), grad=False)
        case(op, "dim", normal(2, 3, 4), dim=1, grad=False)
        case(op, "keepdim", normal(3, 4), dim=-1, keepdim=True, grad=False)
        case(op, "ties", values([[1.0, 3.0, 3.0, 0.0, 0.0]]), dim=1, grad=False)
        case(op, "NaN", values([[1.0, NAN, 3.0, NAN]]), dim=1, grad=False)
        case(op, "int32", integers(3, 4), dim=0, grad=False)
    for op in ("any", "all"):
        case(op, "all", booleans(3, 4), grad=False)
        case(op, "dim", booleans(3, 4), dim=1, grad=False)
        case(op, "keepdim", booleans(3, 2), dim=0, keepdim=True, grad=False)
        case(op, "float32", values([[0.0, 0.0], [0.0, NAN], [1.0, 2.0]]), dim=1, grad=False)
        case(op, "empty", normal(0, 3), dim=0, grad=False)


def scans():
    for dim in (0, 1, -1):
        case("cumsum", f"dim {dim}", normal(2, 3, 4), dim=dim)
    case("cumsum", "int32", integers(3, 4), dim=1, grad=False)
    for op in ("softmax", "logSoftmax"):
        for dim in (0, 1, -1):
            case(op, f"dim {dim}", normal(2, 3, 4), dim=dim)
        case(op, "vector", normal(5), dim=0)
        case(op, "one class", normal(3, 1), dim=1)
        case(op, "large", values([[10000.0, 10001.0, 9999.0], [-10000.0, 0.0, 10000.0]]), dim=1)
        case(op, "infinite", values([[INF, 1.0], [-INF, -INF]]), dim=1, grad=False)
        case(op, "second", normal(3, 4), dim=1, second=True)
        case(op, "float64", normal(3, 4, dtype=torch.float64), dim=1)
    case("softmax", "masked", values([[0.5, -INF, 1.0], [-INF, 2.0, -INF]]), dim=1)
    case("logsumexp", "second", normal(3, 4), dim=1, second=True)


def sorted_():
    for descending in (False, True):
        case("sort", f"rows descending {descending}", normal(3, 5), dim=1, descending=descending)
        case("argsort", f"rows descending {descending}", normal(3, 5), dim=1, descending=descending, grad=False)
    case("sort", "columns", normal(4, 3), dim=0)
    case("sort", "stable", values([2.0, 1.0, 2.0, 1.0, 2.0]), dim=0, stable=True)
    case("sort", "stable descending", values([2.0, 1.0, 2.0, 1.0, 2.0]), dim=0, stable=True, descending=True)
    case("sort", "NaN", values([2.0, NAN, INF, -INF, 1.0]), dim=0, grad=False)
    case("sort", "int32", values([5, -2, 9, 0], torch.int32), dim=0, grad=False)
    case("topk", "largest", normal(3, 6), 2, dim=1)
    case("topk", "smallest", normal(3, 6), 3, dim=1, largest=False)
    case("topk", "dim 0", normal(5, 2), 2, dim=0)


def add_cases():
    sums()
    extremes()
    scans()
    sorted_()
