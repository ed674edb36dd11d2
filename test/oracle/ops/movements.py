"""Operations that only move elements: shapes, slices, joining, padding, indexing."""

import torch
import torch.nn.functional as F

from .case import booleans, case, indices, integers, normal, values


def shapes():
    case("reshape", "merge", normal(2, 3, 4), [6, 4])
    case("reshape", "infer", normal(2, 3, 4), [4, -1])
    case("reshape", "to scalar", normal(1, 1), [])
    case("reshape", "empty", normal(0, 4), [2, 0])
    case("permute", "three", normal(2, 3, 4), [2, 0, 1])
    case("permute", "negative", normal(2, 3, 4), [-1, 0, 1])
    case("transpose", "matrix", normal(2, 3), 0, 1)
    case("transpose", "negative", normal(2, 3, 4), -1, 0)
    case("movedim", "one", normal(2, 3, 4), 0, 2)
    case("flip", "one", normal(2, 3), [1])
    case("flip", "two", normal(2, 3, 4), [0, -1])
    case("expand", "column", normal(3, 1), [3, 4], call=torch.Tensor.expand)
    case("expand", "keep", normal(3, 1), [2, -1, 4], call=torch.Tensor.expand)
    case("expand", "scalar", normal(), [2, 2], call=torch.Tensor.expand)
    case("broadcastTo", "row", normal(4), [2, 3, 4])
    case("squeeze", "all", normal(1, 3, 1))
    case("squeeze", "dim", normal(1, 3, 1), dim=0)
    case("squeeze", "not one", normal(2, 3), dim=0)
    case("unsqueeze", "front", normal(2, 3), 0)
    case("unsqueeze", "last", normal(2, 3), -1)
    case("flatten", "all", normal(2, 3, 4))
    case("flatten", "from 1", normal(2, 3, 4), startDim=1)
    case("flatten", "middle", normal(2, 3, 4, 2), startDim=1, endDim=2)
    case("flatten", "scalar", normal())
    case("unflatten", "last", normal(2, 6), 1, [2, -1])


def slices():
    def sliced(x, dim, start, end, step):
        return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]

    case("narrow", "columns", normal(3, 5), 1, 1, 3)
    case("narrow", "rows", normal(3, 5), 0, 2, 1)
    case("select", "row", normal(3, 4), 0, 1)
    case("select", "negative", normal(3, 4), 1, -1)
    case("select", "to scalar", normal(4), 0, 2)
    case("slice", "middle", normal(5, 3), 0, 1, 4, 1, call=sliced)
    case("slice", "negative", normal(5, 3), 0, -3, -1, 1, call=sliced)
    case("slice", "step", normal(2, 7), 1, 1, None, 2, call=sliced)
    case("slice", "past the end", normal(5), 0, 2, 100, 1, call=sliced)
    case("slice", "nothing", normal(5), 0, 3, 3, 1, call=sliced)
    case("unbind", "rows", normal(3, 2), dim=0)
    case("split", "even", normal(6, 2), 2, dim=0)
    case("split", "rest", normal(2, 5), 2, dim=1)
    case("split", "sizes", normal(2, 6), [1, 2, 3], dim=1)
    case("chunk", "uneven", normal(7, 2), 3, dim=0)
    case("tril", "plain", normal(4, 4))
    case("tril", "below", normal(2, 3, 4), diagonal=-1)
    case("triu", "plain", normal(3, 4))
    case("triu", "above", normal(4, 4), diagonal=1)


def joined():
    case("concat", "rows", [normal(2, 3), normal(1, 3)], dim=0)
    case("concat", "columns", [normal(2, 3), normal(2, 1), normal(2, 2)], dim=-1)
    case("concat", "empty", [normal(0, 3), normal(2, 3)], dim=0)
    case("concat", "mixed dtypes", [normal(2), integers(3)], dim=0)
    case("stack", "front", [normal(2, 3), normal(2, 3)], dim=0)
    case("stack", "last", [normal(2, 3), normal(2, 3), normal(2, 3)], dim=-1)
    case("roll", "one", normal(3, 4), 1, 1)
    case("roll", "negative", normal(3, 4), -5, 1)
    case("roll", "two", normal(3, 4), [1, 2], [0, 1])
    case("roll", "flat", normal(2, 3), 2)
    case("repeat", "rows", normal(2, 3), [2, 1])
    case("repeat", "rank", normal(2), [3, 2])
    case("pad", "last", normal(2, 3), [1, 2])
    case("pad", "two", normal(2, 3), [1, 0, 2, 1], value=0.5)
    case("pad", "vector", normal(3), [0, 2], value=-1.0)


def indexed():
    case("gather", "columns", normal(3, 5), 1, indices(3, 2, high=5))
    case("gather", "rows", normal(3, 5), 0, indices(2, 5, high=3))
    case("gather", "smaller", normal(3, 5), 1, indices(2, 4, high=5))
    case("gather", "repeated", normal(2, 3), 1, values([[0, 0, 0, 2], [1, 1, 2, 2]], torch.int64))
    case("gather", "three", normal(2, 3, 4), 2, indices(2, 3, 2, high=4))
    case("indexSelect", "rows", normal(4, 3), 0, indices(5, high=4))
    case("indexSelect", "columns", normal(3, 5), 1, indices(2, high=5))
    case("takeAlongDim", "broadcast", normal(3, 4), values([[2, 0]], torch.int64), dim=1)
    case("scatterAdd", "columns", normal(3, 5), 1, indices(3, 4, high=5), normal(3, 4))
    case("scatterAdd", "rows", normal(3, 4), 0, indices(6, 4, high=3), normal(6, 4))
    case("scatterAdd", "collisions", normal(2, 3), 1, values([[1, 1, 1], [0, 2, 0]], torch.int64), normal(2, 3))
    case("embedding", "vector", indices(5, high=4), normal(4, 3), call=F.embedding)
    case("embedding", "matrix", indices(2, 3, high=6), normal(6, 2), call=F.embedding)
    case("embedding", "padding", values([0, 2, 2, 1, 0], torch.int64), normal(3, 2), call=F.embedding, paddingIdx=2)
    case("oneHot", "inferred", values([0, 3, 1], torch.int64), grad=False)
    case("oneHot", "classes", indices(2, 3, high=4), numClasses=5, grad=False)
    case("maskedFill", "attention", normal(2, 3, 3), booleans(3, 3), -1e9)


def made():
    """Tensors from nothing."""
    for variant, args in (("end", [5]), ("range", [2, 7]), ("step", [1, 10, 3]), ("down", [5, 0, -2])):
        case("arange", variant, *args, grad=False)
    case("arange", "fraction", 0.0, 1.0, 0.25, grad=False)
    case("linspace", "five", -1.0, 1.0, 5, grad=False)
    case("linspace", "one", 2.0, 3.0, 1, grad=False)
    case("eye", "square", 3, grad=False)
    case("eye", "wide", 2, 4, grad=False)
    case("zeros", "matrix", [2, 3], grad=False)
    case("ones", "matrix", [2, 3], grad=False)
    case("full", "matrix", [2, 2], 1.5, grad=False)


def add_cases():
    shapes()
    slices()
    joined()
    indexed()
    made()
