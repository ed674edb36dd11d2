"""Matrix products of every rank, einsum, linear, and LayerNorm."""

import torch
import torch.nn.functional as F

from .case import case, integers, normal, uniform

MATMULS = [
    ("1x1", (4,), (4,)), ("1x2", (4,), (4, 3)), ("2x1", (3, 4), (4,)), ("2x2", (3, 4), (4, 5)),
    ("3x2", (2, 3, 4), (4, 5)), ("2x3", (3, 4), (2, 4, 5)), ("3x1", (2, 3, 4), (4,)), ("1x3", (4,), (2, 4, 5)),
    ("3x3", (2, 3, 4), (2, 4, 5)), ("3x3 broadcast", (1, 3, 4), (2, 4, 5)), ("4x3", (2, 3, 4, 2), (3, 2, 5)),
    ("4x4 broadcast", (2, 1, 3, 4), (1, 5, 4, 2)), ("4x1", (2, 2, 3, 4), (4,)), ("row by column", (1, 7), (7, 1)),
    ("column by row", (5, 1), (1, 3)), ("no inner", (2, 0), (0, 3)), ("no rows", (0, 4), (4, 3)),
    ("skinny", (1, 33), (33, 17)), ("odd", (17, 19), (19, 23)), ("deep", (3, 300), (300, 5)),
]  # fmt: skip
EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij,kj->ik", (2, 3), (4, 3)), ("ji,jk->ki", (3, 2), (3, 4)),
    ("ij,ij->", (2, 3), (2, 3)), ("ij->ji", (2, 3)), ("ba", (2, 3)), ("ij->", (2, 3)), ("ijk->ik", (2, 3, 4)),
    ("ii->i", (3, 3)), ("ii->", (3, 3)), ("bii->bi", (2, 3, 3)), ("i,j->ij", (2,), (3,)), ("i,i->", (4,), (4,)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)),
    ("bhqk,bkhd->bqhd", (2, 2, 3, 4), (2, 4, 2, 3)), ("bn,anm,bm->ba", (2, 3), (4, 3, 5), (2, 5)),
    ("abc,cd,de->abe", (2, 2, 3), (3, 4), (4, 2)), ("bi,bj,bk->bijk", (2, 2), (2, 3), (2, 2)),
    ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 2)), ("...i,i->...", (2, 3, 4), (4,)), ("ij,kl->ijkl", (2, 2), (2, 3)),
    ("ij,j->i", (3, 4), (4,)),
]  # fmt: skip


def products():
    for variant, a, b in MATMULS:
        case("matmul", variant, normal(*a), normal(*b))
    case("matmul", "float64", normal(3, 4, dtype=torch.float64), normal(4, 2, dtype=torch.float64))
    case("matmul", "int32", integers(2, 3), integers(3, 2), grad=False)
    case("matmul", "second", normal(2, 3), normal(3, 2), second=True)
    case("matmul", "second batched", normal(2, 2, 3), normal(3, 2), second=True)
    case("bmm", "plain", normal(2, 3, 4), normal(2, 4, 2))
    case("dot", "plain", normal(5), normal(5))
    case("outer", "plain", normal(3), normal(4))
    for equation, *shapes in EINSUMS:
        case("einsum", equation, equation, *[normal(*shape) for shape in shapes])
    case("einsum", "second", "bij,bjk->bik", normal(2, 2, 3), normal(2, 3, 2), second=True)
    for variant, shape in (("vector", (4,)), ("matrix", (3, 4)), ("batch", (2, 3, 4)), ("empty", (0, 4))):
        case("linear", f"{variant} no bias", normal(*shape), normal(5, 4))
        case("linear", variant, normal(*shape), normal(5, 4), normal(5))


def norms():
    case("layerNorm", "plain", normal(3, 5), [5])
    case("layerNorm", "affine", normal(3, 5), [5], normal(5), normal(5))
    case("layerNorm", "weight only", normal(3, 5), [5], normal(5))
    case("layerNorm", "two dims", normal(2, 3, 4), [3, 4], normal(3, 4), normal(3, 4))
    case("layerNorm", "batch", normal(2, 3, 4), [4], normal(4), normal(4))
    case("layerNorm", "eps", normal(3, 5, scale=0.1), [5], normal(5), normal(5), eps=0.01)
    case("layerNorm", "far from zero", uniform(2, 8, low=10, high=11), [8])
    case("layerNorm", "second", normal(2, 4), [4], normal(4), normal(4), call=F.layer_norm, second=True)


def add_cases():
    products()
    norms()
