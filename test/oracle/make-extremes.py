"""Writes extremes.json.gz: operations and their gradients at zeros, subnormals, huge and infinite numbers, and NaN."""

import warnings

import torch
import torch.nn.functional as F

from fixture import SOURCE, quiet, write

INF, NAN = float("inf"), float("nan")
LARGEST = {torch.float32: 3.4028234663852886e38, torch.float64: 1.7976931348623157e308}
SUBNORMAL = {torch.float32: 1e-40, torch.float64: 1e-310}


def signed(*magnitudes):
    return [value for m in magnitudes for value in (m, -m)]


def points(dtype, *magnitudes):
    # NaN comes first, where PyTorch computes with vectors: the last few elements it computes one by one.
    return torch.tensor([NAN] + signed(0.0, SUBNORMAL[dtype], *magnitudes, LARGEST[dtype], INF), dtype=dtype)


def lines(dtype):
    """Rows to reduce: ties, zeros, cancellation, overflow of squares and of exponentials, infinities, NaN."""
    big = LARGEST[dtype]
    rows = [
        [1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0], [0.0, -0.0, 2.0, 0.0], [0.0, 3.0, -4.0, 0.5], [2.0, 2.0, -1.0, 2.0],
        [1e30, -1e30, 1.0, 2.0], [1e-30, 2e-30, -3e-30, 0.0], [1000.0, 999.0, -1000.0, 0.0], [-1000.0, -1001.0, -999.0, -1e4],
        [big, big, -big, 1.0], [INF, 1.0, 0.0, -2.0], [-INF, 1.0, 0.0, -2.0], [INF, -INF, 1.0, 0.0], [INF, INF, 1.0, 2.0],
        [-INF, -INF, -INF, -INF], [NAN, 1.0, 0.0, -2.0], [1.0, INF, NAN, 0.0], [0.0, 0.0, INF, NAN], [7.0, 7.0, 7.0, 7.0],
        [SUBNORMAL[dtype], 0.0, -SUBNORMAL[dtype], 1.0], [-1.0, -2.0, -0.5, -3.0], [1e8, 1.0, -1e8, 1.0],
    ]  # fmt: skip
    return torch.tensor(rows, dtype=dtype)


UNARY = {
    "neg": torch.neg, "abs": torch.abs, "sign": torch.sign, "square": torch.square, "reciprocal": torch.reciprocal,
    "floor": torch.floor, "ceil": torch.ceil, "trunc": torch.trunc, "frac": torch.frac, "round": torch.round,
    "round 2": lambda x: torch.round(x, decimals=2), "round -2": lambda x: torch.round(x, decimals=-2),
    "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "exp": torch.exp, "exp2": torch.exp2, "expm1": torch.expm1,
    "log": torch.log, "log2": torch.log2, "log10": torch.log10, "log1p": torch.log1p,
    "sin": torch.sin, "cos": torch.cos, "tan": torch.tan,
    "sinh": torch.sinh, "cosh": torch.cosh, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "erf": torch.erf,
    "erfc": torch.erfc, "logit": torch.logit, "logit eps": lambda x: torch.logit(x, eps=1e-6),
    "nanToNum": torch.nan_to_num, "relu": F.relu, "relu6": F.relu6, "selu": F.selu, "silu": F.silu, "mish": F.mish,
    "logSigmoid": F.logsigmoid, "softsign": F.softsign, "tanhshrink": F.tanhshrink, "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish, "hardtanh": F.hardtanh, "leakyRelu": F.leaky_relu, "elu": F.elu,
    "leakyRelu negative": lambda x: F.leaky_relu(x, -0.5),
    "elu 2": lambda x: F.elu(x, alpha=2.0), "celu": F.celu, "celu 2": lambda x: F.celu(x, alpha=2.0), "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"), "softplus": F.softplus,
    "softplus 2": lambda x: F.softplus(x, beta=2.0, threshold=5.0), "hardshrink": F.hardshrink,
    "softshrink": F.softshrink, "threshold": lambda x: F.threshold(x, 0.5, 7.0),
    "clamp": lambda x: torch.clamp(x, -1.0, 2.0), "clamp min": lambda x: torch.clamp(x, min=0.0),
    "clamp max NaN": lambda x: torch.clamp(x, max=NAN), "clamp min NaN": lambda x: torch.clamp(x, min=NAN),
    "clamp infinite": lambda x: torch.clamp(x, -INF, INF),
    "pow 0": lambda x: x**0, "pow 1": lambda x: x**1, "pow 2": lambda x: x**2, "pow 3": lambda x: x**3,
    "pow 0.5": lambda x: x**0.5, "pow -1": lambda x: x**-1, "pow -2": lambda x: x**-2, "pow 1.5": lambda x: x**1.5,
    "pow -0.5": lambda x: x**-0.5, "pow inf": lambda x: x**INF, "2 to the": lambda x: torch.pow(2.0, x),
    "0 to the": lambda x: torch.pow(0.0, x), "-1 to the": lambda x: torch.pow(-1.0, x),
    "xlogy number": lambda x: torch.xlogy(x, 3.0), "number xlogy": lambda x: torch.xlogy(0.0, x),
    "fmod number": lambda x: torch.fmod(x, 3.0), "remainder number": lambda x: torch.remainder(x, -3.0),
    "floorDivide number": lambda x: torch.floor_divide(x.detach(), 3.0), "trunc div": lambda x: torch.div(x, 3.0, rounding_mode="trunc"),
    "lerp": lambda x: torch.lerp(x, torch.tensor(1.0, dtype=x.dtype), 0.3),
    "lerp 1": lambda x: torch.lerp(x, torch.tensor(1.0, dtype=x.dtype), 1.0),
    "lerp 0.7": lambda x: torch.lerp(torch.tensor(1.0, dtype=x.dtype), x, 0.7),
    "lerp weight": lambda x: torch.lerp(torch.tensor(2.0, dtype=x.dtype), torch.tensor(5.0, dtype=x.dtype), x),
}  # fmt: skip

BINARY = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
    "floorDivide": lambda a, b: torch.div(a, b, rounding_mode="floor"), "trunc div": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "remainder": torch.remainder, "fmod": torch.fmod, "maximum": torch.maximum, "minimum": torch.minimum,
    "logaddexp": torch.logaddexp, "xlogy": torch.xlogy, "hypot": torch.hypot, "prelu": lambda a, b: torch.where(a > 0, a, a * b),
    "clamp": lambda a, b: torch.clamp(a, min=b), "clamp max": lambda a, b: torch.clamp(a, max=b),
    "clamp both": lambda a, b: torch.clamp(a, min=b, max=torch.ones_like(b)),
    "addcmul": lambda a, b: torch.addcmul(a, b, b, value=0.5), "addcdiv": lambda a, b: torch.addcdiv(a, a, b, value=0.5),
    "lerp": lambda a, b: torch.lerp(a, b, 0.25), "lerp 0.75": lambda a, b: torch.lerp(a, b, 0.75),
    "mseLoss": lambda a, b: F.mse_loss(a, b, reduction="none"), "l1Loss": lambda a, b: F.l1_loss(a, b, reduction="none"),
    "smoothL1Loss": lambda a, b: F.smooth_l1_loss(a, b, reduction="none", beta=0.5),
    "huberLoss": lambda a, b: F.huber_loss(a, b, reduction="none", delta=0.5),
    "klDiv": lambda a, b: F.kl_div(a, b, reduction="none"), "klDiv log": lambda a, b: F.kl_div(a, b, reduction="none", log_target=True),
    "binaryCrossEntropyWithLogits": lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction="none"),
}  # fmt: skip
# Of the prelu that PyTorch has the slope is a parameter, whose gradient is a sum; this is one for each element.
COMPARISONS = {"eq": torch.eq, "ne": torch.ne, "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge}

LINES = {
    "sum": lambda x: x.sum(1), "prod": lambda x: x.prod(1), "mean": lambda x: x.mean(1), "var": lambda x: x.var(1),
    "var 0": lambda x: x.var(1, correction=0), "var 4": lambda x: x.var(1, correction=4), "var 5": lambda x: x.var(1, correction=5),
    "std": lambda x: x.std(1), "std 0": lambda x: x.std(1, correction=0), "std 4": lambda x: x.std(1, correction=4),
    "std 5": lambda x: x.std(1, correction=5),
    **{f"norm {p}": (lambda p: lambda x: x.norm(p, 1))(p) for p in (2, 1, 3, 0.5, 1.5, 4, INF, -INF, 0, -1, -2)},
    "amax": lambda x: x.amax(1), "amin": lambda x: x.amin(1), "max": lambda x: x.max(1)[0], "min": lambda x: x.min(1)[0],
    "cumsum": lambda x: x.cumsum(1), "softmax": lambda x: x.softmax(1), "logSoftmax": lambda x: x.log_softmax(1),
    "logsumexp": lambda x: x.logsumexp(1), "max all": lambda x: torch.stack([row.max() for row in x]),
    "norm all": lambda x: torch.stack([row.norm() for row in x]), "var one": lambda x: x[:, :1].var(1, correction=1),
    "std one": lambda x: x[:, :1].std(1, correction=1),
    "argmax": lambda x: x.argmax(1), "argmin": lambda x: x.argmin(1), "layerNorm": lambda x: F.layer_norm(x, [4]),
}  # fmt: skip


def taken(call, args):
    """Value, and for a cotangent of ones the gradient of every argument."""
    leaves = [a.clone().requires_grad_() for a in args]
    out = call(*leaves)
    if not out.requires_grad:
        return [out.to(torch.int32) if not out.is_floating_point() else out]
    grads = torch.autograd.grad(out, leaves, torch.ones_like(out), allow_unused=True)
    return [out.detach(), *(torch.zeros_like(a) if g is None else g for g, a in zip(grads, args))]


def spaced(x):
    """The same values two apart, which PyTorch does not compute with vectors."""
    return torch.stack([x, x], -1)[..., 0]


def same(a, b):
    if not a.is_floating_point():
        return a == b
    tiny = 1e-5 if a.dtype == torch.float32 else 1e-12
    return ((a == b) & (a.signbit() == b.signbit())) | (a.isnan() & b.isnan()) | ((a != b) & ((a - b).abs() <= tiny * b.abs()))


def strided_call(call, args):
    leaves = [torch.stack([a, a], -1).requires_grad_() for a in args]
    out = call(*(leaf[..., 0] for leaf in leaves))
    if not out.requires_grad:
        return [out.to(torch.int32) if not out.is_floating_point() else out]
    cotangent = spaced(torch.ones_like(out))
    grads = torch.autograd.grad(out, leaves, cotangent, allow_unused=True)
    return [out.detach(), *(torch.zeros_like(a) if g is None else g[..., 0] for g, a in zip(grads, args))]


def entry(name, call, args):
    """Where PyTorch's vector code and its scalar code differ, both are right: what the scalar one gives is under `or`."""
    results, others = taken(call, args), strided_call(call, args)
    options = [
        {str(i): other.reshape(-1)[i].item() for i in (~same(result, other)).reshape(-1).nonzero().reshape(-1).tolist()}
        for result, other in zip(results, others)
    ]
    found = {"name": name, "results": [r.reshape(-1).tolist() for r in results]}
    return {**found, "or": options} if any(options) else found


def main():
    quiet()
    warnings.filterwarnings("ignore")
    content = {"format": "extremes/1", "source": SOURCE}
    for dtype, name in ((torch.float32, "f32"), (torch.float64, "f64")):
        dense = points(dtype, 1e-30, 1e-8, 1e-4, 0.1, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 6.0, 10.0, 20.0, 100.0, 1e8, 1e30)
        a, b = (x.reshape(-1) for x in torch.meshgrid(*[points(dtype, 1e-30, 1e-8, 0.5, 1.0, 2.0, 10.0, 1e8, 1e30)] * 2, indexing="ij"))
        rows = lines(dtype)
        content[name] = {
            "unary": {"inputs": [dense.tolist()], "cases": [entry(n, call, [dense]) for n, call in UNARY.items()]},
            "binary": {
                "inputs": [a.tolist(), b.tolist()],
                "cases": [entry(n, call, [a, b]) for n, call in (BINARY | COMPARISONS).items()],
            },
            "lines": {"inputs": [rows.reshape(-1).tolist()], "cases": [entry(n, call, [rows]) for n, call in LINES.items()]},
        }
    write("extremes.json.gz", content, digits=17)


if __name__ == "__main__":
    main()
