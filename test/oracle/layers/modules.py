"""nn modules with given weights: output, gradient of the input and of every parameter."""

import torch
from torch import nn

from ops.case import case, indices, normal, snake, values


def module_case(kind, variant, x, *parameters, names=(), second=False, **options):
    """A module as an operation on its input and its parameters, in the order of `names`."""

    def call(x, *weights, **_):
        module = getattr(nn, kind)(**{snake(k): v for k, v in options.items()}).to(torch.get_default_dtype())
        return torch.func.functional_call(module, dict(zip(names, weights)), (x,))

    case(f"nn.{kind}", variant, x, *parameters, call=call, second=second, **options)


def add_cases():
    both = ("weight", "bias")
    module_case("Linear", "bias", normal(3, 4), normal(2, 4), normal(2), names=both, inFeatures=4, outFeatures=2)
    module_case("Linear", "no bias", normal(3, 4), normal(2, 4), names=both, inFeatures=4, outFeatures=2, bias=False)
    module_case("Linear", "batch", normal(2, 3, 4), normal(2, 4), normal(2), names=both, inFeatures=4, outFeatures=2)
    module_case("LayerNorm", "affine", normal(3, 5), normal(5), normal(5), names=both, normalizedShape=[5])
    module_case("LayerNorm", "no bias", normal(3, 5), normal(5), names=both, normalizedShape=[5], bias=False)
    module_case("LayerNorm", "plain", normal(3, 5), normalizedShape=[5], elementwiseAffine=False)
    module_case("LayerNorm", "two dims", normal(2, 3, 4), normal(3, 4), normal(3, 4), names=both, normalizedShape=[3, 4])
    module_case("LayerNorm", "eps", normal(3, 5, scale=0.1), normal(5), normal(5), names=both, normalizedShape=[5], eps=0.01)
    weight = ("weight",)
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
