"""Writes attention.json.gz: scaled dot product attention, forward, first and second gradients."""

import torch
import torch.nn.functional as F
from fixture import SOURCE, quiet, write
from ops.case import CASES, Draw, booleans, case, normal, values
from torch.nn.attention import SDPBackend, sdpa_kernel


def attend(query, key, value, bias=None, **options):
    """PyTorch's own, from plain operations: its fused kernels have no second gradients."""
    with sdpa_kernel(SDPBackend.MATH):
        mask = {} if bias is None else {"attn_mask": bias}
        return F.scaled_dot_product_attention(query, key, value, **mask, **options)


def attention(variant, *args, **options):
    """A case; a bias among the arguments has a gradient of its own, a mask among the options has none."""
    case("scaledDotProductAttention", variant, *args, call=attend, **options)


def prefixes(*lengths, size):
    return Draw(lambda: torch.arange(size)[None, None, None] < torch.tensor(lengths)[:, None, None, None])


INF = float("inf")


def add_cases():
    def qkv(*batch, length=3, keys=4, size=5, width=5, dtype=torch.float32):
        shapes = ((length, size), (keys, size), (keys, width))
        return [normal(*batch, *shape, dtype=dtype) for shape in shapes]

    attention("matrices", *qkv(), second=True)
    attention("batches", *qkv(2))
    attention("heads", *qkv(2, 3), second=True)
    attention("five dims", *qkv(2, 1, 2))
    attention("other width", *qkv(2, 2, width=2), second=True)
    attention("float64", *qkv(1, 2, dtype=torch.float64))
    attention("scale", *qkv(1, 2), scale=0.3)
    attention("negative scale", *qkv(1, 2), scale=-1.5)
    attention("zero scale", *qkv(1, 2), scale=0.0)
    attention("broadcast batch", normal(2, 3, 3, 4), normal(1, 3, 4, 4), normal(2, 1, 4, 4), second=True)
    attention("broadcast rank", normal(2, 3, 3, 4), normal(3, 4, 4), normal(4, 4))
    for variant, length, keys in (("square", 4, 4), ("more queries", 5, 3), ("more keys", 3, 5), ("one", 1, 4)):
        attention(f"causal {variant}", *qkv(1, 2, length=length, keys=keys), isCausal=True, second=variant == "square")
    attention("mask", *qkv(2, 2), attnMask=booleans(2, 2, 3, 4), second=True)
    attention("mask of matrix", *qkv(2, 2), attnMask=booleans(3, 4))
    attention("mask of vector", *qkv(2, 2), attnMask=booleans(4))
    attention("mask of batch", *qkv(2, 2), attnMask=prefixes(2, 4, size=4))
    attention("mask of nothing", *qkv(2, 2), attnMask=prefixes(0, 3, size=4), second=True)
    attention("mask with holes", *qkv(2), attnMask=values([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], torch.bool))
    attention("bias", *qkv(2, 2), normal(2, 2, 3, 4), second=True)
    attention("bias of matrix", *qkv(2, 2), normal(3, 4))
    attention("bias of heads", *qkv(2, 2), normal(2, 1, 1), second=True)
    attention("bias that masks", *qkv(1, 2), values([[0, -INF, 1, 0], [-INF] * 4, [0, 0, -INF, -INF]]))
    attention("bias of NaN", *qkv(1), values([[0, float("nan"), 1, 0], [0.0] * 4, [0, 0, -INF, 1]]))
    attention("bias of infinity", *qkv(1), values([[0, INF, 1, 0], [0.0] * 4, [-1e30, -1e30, -1e30, -1e30]]))
    attention("grouped", normal(2, 4, 3, 5), normal(2, 2, 4, 5), normal(2, 2, 4, 5), enableGqa=True, second=True)
    attention("one head of keys", normal(3, 3, 5), normal(1, 4, 5), normal(1, 4, 5), enableGqa=True)
    attention("grouped unlike", normal(1, 6, 3, 5), normal(1, 2, 4, 5), normal(1, 3, 4, 5), enableGqa=True)
    attention("grouped causal", normal(1, 4, 3, 5), normal(1, 2, 4, 5), normal(1, 2, 4, 5), enableGqa=True, isCausal=True)
    attention("large scores", *[normal(2, 3, 5, scale=30), normal(2, 4, 5, scale=30), normal(2, 4, 5)])
    attention("longer", *qkv(1, length=37, keys=70, size=8, width=6), isCausal=True)
    attention("longer mask", *qkv(2, 1, length=9, keys=67, size=4, width=4), attnMask=prefixes(33, 67, size=67))
    attention("no keys", *qkv(2, keys=0))
    attention("no queries", *qkv(2, length=0))
    attention("no batch", *qkv(0, 2))
    attention("no values", *qkv(2, width=0))
    attention("all dropped", *qkv(1, 2), dropoutP=1.0)


def main():
    quiet()
    add_cases()
    write("attention.json.gz", {"format": "ops/1", "source": SOURCE, "cases": CASES})


if __name__ == "__main__":
    main()
