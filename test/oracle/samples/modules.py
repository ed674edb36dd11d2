"""Samples of modules: ModuleInfo's inputs and some of our own, forward, gradients, and what buffers hold after."""

import inspect
import itertools
import warnings

import torch
from torch import nn
from torch.testing._internal.common_modules import module_db

from samples import encode
from samples.draw import seeded, spread
from samples.record import doubtful
from samples.sizes import sizes

# Modules of module_db that thaw is to have; its others are convolutions, pools, recurrent and attention
# layers.
NAMES = """
BatchNorm1d BatchNorm2d BatchNorm3d CELU CosineEmbeddingLoss ELU L1Loss SmoothL1Loss Linear Bilinear KLDivLoss MSELoss
MarginRankingLoss MultiLabelMarginLoss MultiMarginLoss SoftMarginLoss MultiLabelSoftMarginLoss NLLLoss GaussianNLLLoss
PoissonNLLLoss HingeEmbeddingLoss HuberLoss BCELoss BCEWithLogitsLoss CrossEntropyLoss GELU GLU Hardshrink Hardswish
Hardtanh LayerNorm RMSNorm GroupNorm Embedding ReLU LeakyReLU ReLU6 PReLU Sigmoid LogSigmoid SiLU Softmax Softmax2d LogSoftmax Softmin
Softplus Softshrink Softsign Tanh Tanhshrink Threshold Mish SELU CircularPad1d CircularPad2d CircularPad3d ConstantPad1d
ConstantPad2d ConstantPad3d ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d
ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d InstanceNorm1d InstanceNorm2d InstanceNorm3d
""".split()

# Those that are called with masks, by name.
MASKED = "MultiheadAttention TransformerEncoderLayer TransformerDecoderLayer TransformerEncoder Transformer".split()

# What module_db has not, and more configurations of what it has: constructor's arguments, shapes of inputs.
MORE = [
    ("Identity", {}, [[2, 3]]),
    ("Flatten", {}, [[2, 3, 4]]), ("Flatten", {"start_dim": 0, "end_dim": 1}, [[2, 3, 4]]), ("Flatten", {"start_dim": -2}, [[2, 3, 2, 2]]),
    ("Hardsigmoid", {}, [[3, 4]]), ("Hardsigmoid", {}, [[]]),
    ("Dropout", {"p": 0.0}, [[3, 4]]), ("Dropout", {"p": 1.0}, [[3, 4]]),
    ("CosineSimilarity", {}, [[3, 4], [3, 4]]), ("CosineSimilarity", {"dim": 0, "eps": 0.1}, [[3, 4], [3, 4]]),
    ("PairwiseDistance", {}, [[3, 4], [3, 4]]), ("PairwiseDistance", {"p": 1.0, "keepdim": True}, [[3, 4], [3, 4]]),
    ("PairwiseDistance", {"p": 3.0, "eps": 1e-3}, [[3, 4], [4]]), ("PairwiseDistance", {"p": float("inf")}, [[4], [4]]),
    ("TripletMarginLoss", {}, [[3, 4]] * 3), ("TripletMarginLoss", {"margin": 0.5, "p": 1.0, "swap": True}, [[3, 4]] * 3),
    ("TripletMarginLoss", {"reduction": "sum"}, [[4]] * 3), ("TripletMarginLoss", {"reduction": "none"}, [[2, 3, 4]] * 3),
    ("Softmax", {"dim": 0}, [[3, 4]]), ("LogSoftmax", {"dim": -1}, [[2, 3, 4]]), ("Softmin", {"dim": 0}, [[3]]),
    ("Softplus", {"beta": 2.5, "threshold": 3.0}, [[3, 4]]), ("Hardtanh", {"min_val": -0.5, "max_val": 0.5}, [[3, 4]]),
    ("LeakyReLU", {"negative_slope": 0.3}, [[5]]), ("ELU", {"alpha": 0.3}, [[5]]), ("CELU", {"alpha": 0.3}, [[5]]),
    ("GELU", {"approximate": "tanh"}, [[2, 5]]), ("Hardshrink", {"lambd": 0.2}, [[5]]), ("Softshrink", {"lambd": 0.2}, [[5]]),
    ("Threshold", {"threshold": 0.2, "value": -3.0}, [[5]]), ("GLU", {"dim": 0}, [[4, 3]]), ("GLU", {}, [[2, 2, 6]]),
    ("PReLU", {"num_parameters": 3}, [[2, 3, 4]]), ("PReLU", {"init": 0.1}, [[4]]), ("PReLU", {}, [[]]),
    ("Linear", {"in_features": 4, "out_features": 3, "bias": False}, [[2, 2, 4]]), ("Linear", {"in_features": 4, "out_features": 3}, [[4]]),
    ("Linear", {"in_features": 4, "out_features": 3}, [[0, 4]]),
    ("LayerNorm", {"normalized_shape": [3, 4]}, [[2, 3, 4]]), ("LayerNorm", {"normalized_shape": 4, "elementwise_affine": False}, [[2, 4]]),
    ("LayerNorm", {"normalized_shape": [4], "eps": 0.1, "bias": False}, [[2, 4]]),
    ("RMSNorm", {"normalized_shape": [3, 4]}, [[2, 3, 4]]), ("RMSNorm", {"normalized_shape": 4, "elementwise_affine": False}, [[2, 4]]),
    ("RMSNorm", {"normalized_shape": [4], "eps": 0.1}, [[4]]), ("RMSNorm", {"normalized_shape": 4}, [[0, 4]]),
    ("GroupNorm", {"num_groups": 2, "num_channels": 4}, [[3, 4]]), ("GroupNorm", {"num_groups": 1, "num_channels": 4, "eps": 0.1}, [[2, 4, 3]]),
    ("GroupNorm", {"num_groups": 3, "num_channels": 3, "affine": False}, [[2, 3, 2, 2]]), ("GroupNorm", {"num_groups": 2, "num_channels": 4, "bias": False}, [[1, 4, 3]]),
    ("GroupNorm", {"num_groups": 2, "num_channels": 4}, [[0, 4, 3]]),
    ("BatchNorm1d", {"num_features": 3}, [[4, 3]]), ("BatchNorm1d", {"num_features": 3, "momentum": None}, [[4, 3, 2]]),
    ("BatchNorm1d", {"num_features": 3, "affine": False, "momentum": 0.3}, [[4, 3]]),
    ("BatchNorm2d", {"num_features": 2, "track_running_stats": False}, [[2, 2, 3, 2]]), ("BatchNorm2d", {"num_features": 2, "eps": 0.1}, [[2, 2, 3, 2]]),
    ("BatchNorm3d", {"num_features": 2}, [[2, 2, 2, 2, 2]]),
    ("Bilinear", {"in1_features": 2, "in2_features": 3, "out_features": 4, "bias": False}, [[3, 2], [3, 3]]),
    ("PixelShuffle", {"upscale_factor": 2}, [[1, 8, 2, 3]]), ("PixelUnshuffle", {"downscale_factor": 2}, [[2, 4, 6]]),
    ("MSELoss", {"reduction": "sum"}, [[3, 4]] * 2), ("MSELoss", {"reduction": "none"}, [[3, 4]] * 2), ("L1Loss", {"reduction": "none"}, [[3, 4]] * 2),
    ("SmoothL1Loss", {"beta": 0.3}, [[3, 4]] * 2), ("SmoothL1Loss", {"beta": 0.0}, [[3, 4]] * 2), ("HuberLoss", {"delta": 0.3}, [[3, 4]] * 2),
    ("KLDivLoss", {"reduction": "batchmean", "log_target": True}, [[3, 4]] * 2), ("SoftMarginLoss", {"reduction": "none"}, [[3, 4]] * 2),
    ("PoissonNLLLoss", {"full": True, "reduction": "sum"}, [[3, 4]] * 2), ("BCEWithLogitsLoss", {"reduction": "sum"}, [[3, 4]] * 2),
]  # fmt: skip


class Drawn:
    """A module's class, its constructor's arguments, the call's, and the mode."""

    def __init__(self, cls, made, called, training, masks=None):
        self.cls, self.made, self.called, self.training, self.masks = cls, made, called, training, masks or {}


def written(argument):
    """A constructor's argument as a fixture has it: a layer by what its own was given, a function by its name."""
    if isinstance(argument, nn.TransformerEncoderLayer):
        options = {
            "d_model": argument.linear1.in_features,
            "nhead": argument.self_attn.num_heads,
            "dim_feedforward": argument.linear1.out_features,
            "dropout": argument.dropout.p,
            "activation": argument.activation.__name__,
            "batch_first": argument.self_attn.batch_first,
            "norm_first": argument.norm_first,
            "bias": argument.linear1.bias is not None,
        }
        return {"layer": {k: encode.value(v) for k, v in options.items()}}
    return argument.__name__ if argument is torch.nn.functional.gelu else encode.value(argument)


def constructor(cls, args, kwargs):
    """The constructor's arguments by name."""
    bound = inspect.signature(cls.__init__).bind(None, *args, **kwargs).arguments
    named = {k: v for k, v in list(bound.items())[1:] if k not in ("args", "kwargs")}
    named.update(bound.get("kwargs", {}))
    return {k: v for k, v in named.items() if k not in ("device", "dtype", "inplace", "size_average", "reduce")}


def own(seed):
    """Those of MORE, in both modes and dtypes."""
    for name, kwargs, shapes in MORE:
        for dtype, training in itertools.product((torch.float32, torch.float64), (True, False)):
            if not training and name not in ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "Dropout"):
                continue
            seeded(name, kwargs, str(dtype), training, seed)
            inputs = [torch.randn(s, dtype=dtype, requires_grad=True) for s in shapes]
            yield name, dtype, Drawn(getattr(nn, name), kwargs, inputs, training)


def of_module_db(seed, shapes, kept):
    """Those of module_db: drawn again and again, with seeds of their own, until there are enough of each module."""
    infos = {info.name.removeprefix("nn."): info for info in module_db}
    for name in [*NAMES, *MASKED]:
        info = infos[name]
        # Padding is much alike, and large; modules with masks have many parameters.
        most = max(2, kept // 6) if "Pad" in name else max(2, kept // 2) if name in MASKED else kept
        modes = (True, False) if info.train_and_eval_differ else (True,)
        drawn = []
        for round in range(60):
            for dtype, training in itertools.product((torch.float32, torch.float64), modes):
                seeded(name, str(dtype), training, seed, round)
                try:
                    with sizes(shapes if round % 2 == 0 else None):
                        inputs = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training)
                except Exception:
                    continue
                for i in inputs:
                    if i.forward_input is None or (i.forward_input.kwargs and name not in MASKED):
                        continue
                    masks = {k: v for k, v in i.forward_input.kwargs.items() if v is not None}
                    try:
                        made = constructor(info.module_cls, i.constructor_input.args, i.constructor_input.kwargs)
                    except TypeError:
                        continue
                    drawn.append((name, dtype, Drawn(info.module_cls, made, list(i.forward_input.args), training, masks)))
            if len(drawn) >= most:
                break
        yield from spread(drawn, max(kept, len(drawn) // (round + 1)) if round == 0 and most == kept else most)


def fixture(name, dtype, drawn):
    """What a module gives, or None where PyTorch refuses it or the fixture has no place for it."""
    try:
        made = {k: v for k, v in drawn.made.items()}
        module = drawn.cls(**made).to(dtype).train(drawn.training)
        if any(t.is_complex() or t.numel() > 600 for t in [*encode.leaves(drawn.called), *module.parameters()]):
            return None
        with torch.no_grad():
            for i, p in enumerate(module.parameters()):
                # Weights of 1 and biases of 0 hide what they are for.
                p.add_(torch.randint(-4, 5, p.shape) / 8)
            for key, b in module.named_buffers():
                if b.is_floating_point() and key.startswith("running"):
                    b.add_(torch.randint(0, 5, b.shape) / 8)
        state = {k: v.detach().clone() for k, v in module.state_dict().items() if k in dict(module.named_parameters()) or k.startswith(("running", "num_batches"))}
        found = ran(module, drawn.called, None, drawn.masks)
        entry = {
            "op": f"nn.{name}",
            "kind": "sample",
            "training": int(drawn.training),
            "init": {k: written(v) for k, v in drawn.made.items()},
            "state": {k: encode.value(v) for k, v in state.items()},
            "args": [encode.value(a) for a in drawn.called],
            "out": encode.value(found["out"]),
            "after": {k: encode.value(v.detach()) for k, v in module.named_buffers() if k in state},
        }
        if drawn.masks:
            entry["masks"] = encode.value(drawn.masks)
        if found["cot"] is not None:
            entry["cot"] = encode.value(found["cot"])
            entry["grads"] = [None if g is None else encode.tensor(g) for g in found["grads"]]
        if dtype == torch.float32:
            wide = drawn.cls(**{k: encode.mapped(v, widened) for k, v in made.items()}).double().train(drawn.training)
            wide.load_state_dict({k: widened(v) for k, v in state.items()}, strict=False)
            called = encode.mapped(drawn.called, lambda t: widened(t.detach()).requires_grad_(t.requires_grad))
            better = ran(wide, called, found["cot"], drawn.masks)
            flat = [[*encode.leaves(f["out"]), *(f["grads"] or [])] for f in (found, better)]
            worst, _ = doubtful(*flat)
            if worst > 0.25:
                entry["loose"] = min(1e6, int(2 + 4 * worst))
        return entry
    except Exception as error:
        if "fixture" in str(error):
            raise
        return None


def widened(t):
    return t.double() if t.dtype == torch.float32 else t


def ran(module, called, cotangent, masks):
    """The output, or outputs, and the gradients of inputs and then of parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = [a.detach().clone().requires_grad_(a.requires_grad) if isinstance(a, torch.Tensor) else a for a in called]
        out = module(*inputs, **masks)
    wanted = [t for t in inputs if isinstance(t, torch.Tensor) and t.requires_grad] + list(module.parameters())
    outs = encode.leaves(out)
    if not outs[0].requires_grad or not wanted:
        return {"out": out, "cot": None, "grads": None}
    given = [None] * len(outs) if cotangent is None else encode.leaves(cotangent)
    cots = [(torch.randint(1, 17, o.shape) / 8 - 1.0625 if c is None else c).to(o.dtype) for o, c in zip(outs, given)]
    grads = torch.autograd.grad(outs, wanted, cots, allow_unused=True)
    return {"out": out, "cot": cots[0] if isinstance(out, torch.Tensor) else cots, "grads": list(grads)}


def errors(seed):
    """What constructors and calls must refuse."""
    found = []
    infos = {info.name.removeprefix("nn."): info for info in module_db}
    for name in [*NAMES, *MASKED]:
        info = infos[name]
        if info.module_error_inputs_func is None:
            continue
        for training in (True, False):
            seeded(name, "errors", seed)
            try:
                drawn = info.module_error_inputs_func(info, device="cpu", dtype=torch.float32, requires_grad=False, training=training)
            except Exception:
                continue
            for e in drawn:
                i = e.module_error_input
                try:
                    module = info.module_cls(*i.constructor_input.args, **i.constructor_input.kwargs).train(training)
                    if i.forward_input:
                        module(*i.forward_input.args, **i.forward_input.kwargs)
                    continue
                except Exception:
                    # It is refused in this mode, as it should be.
                    pass
                try:
                    init = {k: encode.value(v) for k, v in constructor(info.module_cls, i.constructor_input.args, i.constructor_input.kwargs).items()}
                    args = [encode.value(a) for a in i.forward_input.args] if i.forward_input else None
                except Exception:
                    continue
                found.append({"op": f"nn.{name}", "kind": "error", "training": int(training), "init": init, "args": args, "message": e.error_regex[:120]})
    return found


def samples(seed, shapes, kept):
    """All module fixtures, none twice."""
    found, seen = [], set()
    for name, dtype, drawn in itertools.chain(of_module_db(seed, shapes, kept), own(seed)):
        entry = fixture(name, dtype, drawn)
        key = repr([entry and [entry["op"], entry["init"], entry["state"], entry["args"], entry["training"]]])
        if entry is not None and key not in seen:
            seen.add(key)
            found.append(entry)
    return found + errors(seed)
