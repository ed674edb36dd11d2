"""What a training loop does beside the optimizer: schedules of rates, clipping, initialisers."""

import math

import torch
from torch import nn
from torch.optim import lr_scheduler as schedules

from ops.case import packed

STEPS = 50
SCHEDULES = [
    ("ConstantLR", {"factor": 1 / 3, "totalIters": 5}),
    ("ConstantLR", {"factor": 0.5, "totalIters": 20}),
    ("StepLR", {"stepSize": 10}),
    ("StepLR", {"stepSize": 7, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [5, 20, 35]}),
    ("MultiStepLR", {"milestones": [10, 10, 30], "gamma": 0.3}),
    ("CosineAnnealingLR", {"TMax": 50}),
    ("CosineAnnealingLR", {"TMax": 20, "etaMin": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T0": 10, "TMult": 2}),
    ("LinearLR", {}),
    ("LinearLR", {"startFactor": 0.01, "endFactor": 1.0, "totalIters": 10}),
    ("LinearLR", {"startFactor": 1.0, "endFactor": 0.1, "totalIters": 40}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"totalIters": 30, "power": 2.0}),
]
TORCH_NAMES = {"TMax": "T_max", "T0": "T_0", "TMult": "T_mult"}


def snake(name):
    return TORCH_NAMES.get(name) or "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def optimizer():
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)


def rates(make):
    """The rate that each of STEPS optimizer steps uses: schedule.step() follows every one."""
    sgd = optimizer()
    schedule = make(sgd)
    trail = []
    for _ in range(STEPS):
        trail.append(sgd.param_groups[0]["lr"])
        sgd.step()
        schedule.step()
    return trail


def schedule_cases():
    cases = [
        {"schedule": name, "options": options, "lr": 0.1,
         "rates": rates(lambda sgd: getattr(schedules, name)(sgd, **{snake(k): v for k, v in options.items()}))}
        for name, options in SCHEDULES
    ]  # fmt: skip
    parts = [("LinearLR", {"startFactor": 0.1, "totalIters": 10}), ("CosineAnnealingLR", {"TMax": 40})]

    def warm(sgd):
        made = [getattr(schedules, name)(sgd, **{snake(k): v for k, v in options.items()}) for name, options in parts]
        return schedules.SequentialLR(sgd, made, milestones=[10])

    inner = [{"schedule": name, "options": options} for name, options in parts]
    cases.append({"schedule": "SequentialLR", "options": {"schedules": inner, "milestones": [10]}, "lr": 0.1, "rates": rates(warm)})
    return cases


def clipping_cases():
    torch.manual_seed(5)
    cases = []
    gradients = [torch.randn(3, 4), torch.randn(5), torch.randn(2, 2)]
    for norm_type in (1.0, 2.0, 3.0, math.inf):
        for max_norm in (0.5, 1000.0):
            cases.append(clipped(gradients, "clipGradNorm", maxNorm=max_norm, normType=norm_type))
    for limit in (0.25, 1.0):
        cases.append(clipped(gradients, "clipGradValue", clipValue=limit))
    cases.append(clipped([torch.zeros(3), None], "clipGradNorm", maxNorm=1.0, normType=2.0))
    cases.append(clipped([torch.randn(3), None], "clipGradNorm", maxNorm=0.1, normType=2.0))
    cases.append(clipped([torch.tensor([1.0, math.inf])], "clipGradNorm", maxNorm=1.0, normType=2.0))
    cases.append(clipped([torch.tensor([3.0, math.nan])], "clipGradValue", clipValue=1.0))
    return cases


def clipped(gradients, name, **options):
    parameters = []
    for gradient in gradients:
        parameters.append(nn.Parameter(torch.zeros(2) if gradient is None else torch.zeros_like(gradient)))
        parameters[-1].grad = None if gradient is None else gradient.clone()
    total = getattr(nn.utils, f"{snake(name)}_")(parameters, **{snake(k): v for k, v in options.items()})
    return {
        "op": name,
        "options": options,
        "gradients": [None if g is None else packed(g) for g in gradients],
        "norm": None if total is None else total.item(),
        "clipped": [None if p.grad is None else packed(p.grad) for p in parameters],
    }


SHAPES = [[5, 3], [128, 64], [64, 3, 3, 3], [10, 784], [4, 2, 5]]
GAINS = [("linear", None), ("sigmoid", None), ("tanh", None), ("relu", None), ("leakyRelu", None), ("leakyRelu", 0.2),
         ("leakyRelu", math.sqrt(5)), ("selu", None), ("conv2d", None)]  # fmt: skip


def gain(name, param):
    return nn.init.calculate_gain("leaky_relu" if name == "leakyRelu" else name, param)


def initialiser_cases():
    """The formula of each initialiser as a number: the bound of a uniform, the std of a normal."""
    rows = []
    for shape in SHAPES:
        receptive = math.prod(shape[2:])
        fan_in, fan_out = shape[1] * receptive, shape[0] * receptive
        assert nn.init._calculate_fan_in_and_fan_out(torch.empty(shape)) == (fan_in, fan_out)
        for factor in (1.0, 2.0):
            std = factor * math.sqrt(2 / (fan_in + fan_out))
            rows.append({"init": "xavierUniform", "shape": shape, "options": {"gain": factor}, "bound": std * math.sqrt(3)})
            rows.append({"init": "xavierNormal", "shape": shape, "options": {"gain": factor}, "std": std})
        for mode, fan in (("fanIn", fan_in), ("fanOut", fan_out)):
            for nonlinearity, a in (("leakyRelu", 0.0), ("leakyRelu", math.sqrt(5)), ("relu", 0.0), ("tanh", 0.0), ("linear", 0.0)):
                std = gain(nonlinearity, a) / math.sqrt(fan)
                options = {"mode": mode, "nonlinearity": nonlinearity, "a": a}
                rows.append({"init": "kaimingUniform", "shape": shape, "options": options, "bound": std * math.sqrt(3)})
                rows.append({"init": "kaimingNormal", "shape": shape, "options": options, "std": std})
    for row in rows:
        check_initialiser(row)
    return rows


def check_initialiser(row):
    """The formulas above against what PyTorch draws."""
    torch.manual_seed(0)
    options = {k: snake(v) if isinstance(v, str) else v for k, v in row["options"].items()}
    drawn = getattr(nn.init, f"{snake(row['init'])}_")(torch.empty(row["shape"]), **options)
    if "bound" in row:
        assert drawn.abs().max() <= row["bound"] * (1 + 1e-6)
        if drawn.numel() > 1000:
            assert drawn.abs().max() > 0.99 * row["bound"]
    elif drawn.numel() > 1000:
        assert abs(drawn.std().item() / row["std"] - 1) < 0.1


def default_cases():
    """What a layer starts from: the bound of a Linear's or Bilinear's weight and bias, an Embedding's std."""
    torch.manual_seed(0)
    rows = []
    for inputs, outputs in ((3, 5), (784, 256), (64, 10)):
        layer = nn.Linear(inputs, outputs)
        bound = 1 / math.sqrt(inputs)
        assert max(p.abs().max().item() for p in layer.parameters()) <= bound
        options = {"inFeatures": inputs, "outFeatures": outputs}
        rows.append({"module": "Linear", "options": options, "weight": {"bound": bound}, "bias": {"bound": bound}})
    rows.append({"module": "Embedding", "options": {"numEmbeddings": 50, "embeddingDim": 40}, "weight": {"std": 1.0}})
    rows.append({"module": "Embedding", "options": {"numEmbeddings": 50, "embeddingDim": 40, "paddingIdx": 3},
                 "weight": {"std": 1.0, "zeroRow": 3}})  # fmt: skip
    bilinear = nn.Bilinear(16, 20, 30)
    assert max(p.abs().max().item() for p in bilinear.parameters()) <= 0.25
    options = {"in1Features": 16, "in2Features": 20, "outFeatures": 30}
    rows.append({"module": "Bilinear", "options": options, "weight": {"bound": 0.25}, "bias": {"bound": 0.25}})
    assert (nn.PReLU(3).weight == 0.25).all()
    rows.append({"module": "PReLU", "options": {"numParameters": 3}, "weight": {"value": 0.25}})
    rows.append({"module": "LayerNorm", "options": {"normalizedShape": [6]}, "weight": {"value": 1.0}, "bias": {"value": 0.0}})
    assert (nn.RMSNorm(6).weight == 1).all()
    rows.append({"module": "RMSNorm", "options": {"normalizedShape": [6]}, "weight": {"value": 1.0}})
    assert (nn.GroupNorm(2, 6).weight == 1).all() and (nn.GroupNorm(2, 6).bias == 0).all()
    rows.append({"module": "GroupNorm", "options": {"numGroups": 2, "numChannels": 6}, "weight": {"value": 1.0}, "bias": {"value": 0.0}})
    return rows


def gain_cases():
    return [{"nonlinearity": name, "param": param, "gain": gain(name, param)} for name, param in GAINS]
