"""nn modules with given weights: output, gradient of the input and of every parameter."""

import torch
from torch import nn

from ops.case import case, indices, normal, snake, values


def module_case(kind, variant, *tensors, names=(), second=False, **options):
    """A module as an operation on its inputs and then its parameters, in the order of `names`."""
    inputs = len(tensors) - len(names)

    def call(*given, **_):
        module = getattr(nn, kind)(**{snake(k): v for k, v in options.items()}).to(torch.get_default_dtype())
        return torch.func.functional_call(module, dict(zip(names, given[inputs:])), given[:inputs])

    case(f"nn.{kind}", variant, *tensors, call=call, second=second, **options)


def add_cases():
    both = ("weight", "bias")
    weight = ("weight",)
    module_case("Linear", "bias", normal(3, 4), normal(2, 4), normal(2), names=both, inFeatures=4, outFeatures=2)
    module_case("Linear", "no bias", normal(3, 4), normal(2, 4), names=weight, inFeatures=4, outFeatures=2, bias=False)
    module_case("Linear", "batch", normal(2, 3, 4), normal(2, 4), normal(2), names=both, inFeatures=4, outFeatures=2)
    module_case("LayerNorm", "affine", normal(3, 5), normal(5), normal(5), names=both, normalizedShape=[5])
    module_case("LayerNorm", "no bias", normal(3, 5), normal(5), names=weight, normalizedShape=[5], bias=False)
    module_case("LayerNorm", "plain", normal(3, 5), normalizedShape=[5], elementwiseAffine=False)
    module_case("LayerNorm", "two dims", normal(2, 3, 4), normal(3, 4), normal(3, 4), names=both, normalizedShape=[3, 4])
    module_case("LayerNorm", "eps", normal(3, 5, scale=0.1), normal(5), normal(5), names=both, normalizedShape=[5], eps=0.01)
    module_case("Embedding", "plain", indices(2, 3, high=5), normal(5, 3), names=weight, numEmbeddings=5, embeddingDim=3)
    module_case("Embedding", "padding", values([0, 2, 2, 1], torch.int64), normal(3, 4), names=weight,
                numEmbeddings=3, embeddingDim=4, paddingIdx=2)  # fmt: skip
    for kind in ("ReLU", "ReLU6", "Sigmoid", "Tanh", "GELU", "SiLU", "ELU", "LeakyReLU", "Softplus", "Softsign", "Mish",
                 "Hardtanh", "Hardswish", "Hardsigmoid", "LogSigmoid", "SELU", "CELU", "Identity"):  # fmt: skip
        module_case(kind, "default", normal(3, 4, scale=2.0))
    module_case("GELU", "tanh", normal(3, 4), approximate="tanh")
    module_case("ELU", "alpha", normal(3, 4), alpha=0.5)
    module_case("LeakyReLU", "slope", normal(3, 4), negativeSlope=0.2)
    module_case("Softplus", "options", normal(3, 4, scale=4.0), beta=2.0, threshold=5.0)
    for kind in ("Softmax", "LogSoftmax"):
        module_case(kind, "last", normal(3, 4), dim=-1)
        module_case(kind, "first", normal(3, 4), dim=0)
    module_case("Flatten", "default", normal(2, 3, 4))
    module_case("Dropout", "nothing dropped", normal(3, 4), p=0.0)
    module_case("PReLU", "one slope", normal(3, 4), normal(1), names=weight)
    module_case("PReLU", "slopes", normal(2, 3, 2), normal(3), names=weight, numParameters=3)
    module_case("PReLU", "zero", values([-1.0, 0.0, 2.0]), values([0.5]), names=weight)
    module_case("PReLU", "second", normal(2, 3), normal(3), names=weight, numParameters=3, second=True)
    sizes = {"in1Features": 2, "in2Features": 3, "outFeatures": 4}
    module_case("Bilinear", "bias", normal(5, 2), normal(5, 3), normal(4, 2, 3), normal(4), names=both, **sizes)
    module_case("Bilinear", "no bias", normal(2, 3, 2), normal(2, 3, 3), normal(4, 2, 3), names=weight, **sizes, bias=False)
    module_case("Bilinear", "one row", normal(2), normal(3), normal(4, 2, 3), normal(4), names=both, **sizes)
    module_case("Embedding", "max norm", values([0, 2, 2, 1], torch.int64), normal(4, 3, scale=2.0), names=weight,
                numEmbeddings=4, embeddingDim=3, maxNorm=1.0, normType=1.0)  # fmt: skip
    module_case("Embedding", "by frequency", values([0, 2, 2, 1], torch.int64), normal(4, 3), names=weight,
                numEmbeddings=4, embeddingDim=3, scaleGradByFreq=True)  # fmt: skip
    for kind in ("Hardshrink", "Softshrink", "Tanhshrink"):
        module_case(kind, "default", normal(3, 4))
    module_case("Hardshrink", "lambda", normal(3, 4), lambd=0.2)
    module_case("Softshrink", "lambda", normal(3, 4), lambd=0.2)
    module_case("Threshold", "default", normal(3, 4), threshold=0.1, value=20.0)
    module_case("GLU", "last", normal(3, 4))
    module_case("GLU", "first", normal(4, 3), dim=0, second=True)
    module_case("Softmin", "first", normal(3, 4), dim=0)
    module_case("Softmin", "unnamed", normal(2, 3, 2))
    module_case("Softmax2d", "images", normal(2, 3, 2, 2))
    module_case("Softmax2d", "image", normal(3, 2, 2))
    module_case("RReLU", "one slope", normal(3, 4), lower=0.2, upper=0.2)
    module_case("CosineSimilarity", "default", normal(3, 4), normal(3, 4))
    module_case("CosineSimilarity", "short", normal(3, 4), normal(4, scale=0.1), dim=-1, eps=0.5)
    module_case("PairwiseDistance", "default", normal(3, 4), normal(3, 4))
    module_case("PairwiseDistance", "options", normal(3, 4), normal(4), p=1.0, eps=0.1, keepdim=True)
    module_case("Unflatten", "inferred", normal(2, 6), dim=1, unflattenedSize=[3, -1])
    module_case("ChannelShuffle", "groups", normal(2, 6, 2), groups=3)
    module_case("LocalResponseNorm", "signal", normal(2, 5, 3), size=3)
    module_case("LocalResponseNorm", "image", normal(2, 5, 2, 2), size=2, alpha=0.5, beta=0.6, k=2.0)
    module_case("RMSNorm", "affine", normal(3, 5), normal(5), names=weight, second=True, normalizedShape=[5])
    module_case("RMSNorm", "plain", normal(3, 5), normalizedShape=[5], elementwiseAffine=False)
    module_case("RMSNorm", "two dims", normal(2, 3, 4), normal(3, 4), names=weight, normalizedShape=[3, 4])
    module_case("RMSNorm", "eps", normal(3, 5, scale=0.1), normal(5), names=weight, normalizedShape=[5], eps=0.01)
    module_case("GroupNorm", "groups", normal(2, 6, 3), normal(6), normal(6), names=both, second=True, numGroups=3, numChannels=6)
    module_case("GroupNorm", "one group", normal(2, 4, 2, 2), normal(4), normal(4), names=both, numGroups=1, numChannels=4)
    module_case("GroupNorm", "each channel", normal(2, 3, 5), numGroups=3, numChannels=3, affine=False)
    module_case("GroupNorm", "no places", normal(3, 6), normal(6), names=weight, numGroups=2, numChannels=6, bias=False, eps=0.1)
