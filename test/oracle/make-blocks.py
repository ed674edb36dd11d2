"""Writes blocks.json.gz: attention and transformer layers and weight norm: outputs, gradients, names, what a new one holds."""

import zlib

import torch
from fixture import SOURCE, quiet, write
from ops.case import packed, snake
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

CASES = []


def eighths(*shape):
    """Numbers that every dtype holds."""
    return torch.randint(-12, 13, shape) / 8


def made(kind, args, options, norm):
    options = {snake(k): v for k, v in options.items()}
    if kind in ("TransformerEncoder", "TransformerDecoder"):
        layer = getattr(nn, f"{kind}Layer")(*args[0], **options)
        module = getattr(nn, kind)(layer, args[1], norm=nn.LayerNorm(args[0][0]) if norm is not None else None)
        return module
    module = getattr(nn, kind)(*args, **options)
    if norm is not None:
        nn.utils.parametrizations.weight_norm(module, dim=norm["dim"])
    return module


def weight_norm(v, g, dim):
    return v * (g / torch.norm_except_dim(v, 2, dim))


def evaluated(module, state, inputs, masks, cotangents, vectors):
    """Outputs, gradients of inputs and parameters, and gradients of those, in float64."""
    module.double()
    with torch.no_grad():
        named = dict(module.named_parameters())
        for name, value in state.items():
            named[name].copy_(value)
    inputs = [x.double().requires_grad_() for x in inputs]
    masks = {k: v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v for k, v in masks.items()}
    # Queries, keys and values that are one tensor are one tensor.
    same = [inputs[0]] * 3 if isinstance(module, nn.MultiheadAttention) and len(inputs) == 1 else inputs
    with sdpa_kernel(SDPBackend.MATH):
        out = module(*same, **{snake(k): v for k, v in masks.items()})
    outs = [o for o in (out if isinstance(out, tuple) else (out,)) if o is not None]
    leaves = [*inputs, *(named[name] for name in state)]
    total = sum((o * c).sum() for o, c in zip(outs, cotangents(outs)))
    grads = torch.autograd.grad(total, leaves, create_graph=vectors is not None, allow_unused=True)
    second = None
    if vectors is not None:
        total = sum((g * v).sum() for g, v in zip(grads, vectors(grads)) if g is not None)
        second = torch.autograd.grad(total, leaves, allow_unused=True)
    return outs, grads, second


def case(name, kind, args, inputs, options={}, masks={}, norm=None, train=True, second=False):
    torch.manual_seed(zlib.crc32(name.encode()))
    module = made(kind, args, options, norm).train(train)
    state = {k: eighths(*p.shape) for k, p in module.named_parameters()}
    inputs = [eighths(*shape) for shape in inputs]
    drawn = {}

    def draw(key):
        def of(tensors):
            drawn[key] = [None if t is None else eighths(*t.shape) for t in tensors]
            return [v if v is None else v.double() for v in drawn[key]]

        return of

    if norm and second:
        # The second derivative of PyTorch's own kernel fails its gradgradcheck; that of the formula does not.
        torch._weight_norm, kernel = weight_norm, torch._weight_norm
    outs, grads, again = evaluated(module, state, inputs, masks, draw("cot"), draw("vectors") if second else None)

    if norm and second:
        torch._weight_norm = kernel
        torch.testing.assert_close(evaluated(module, state, inputs, masks, lambda _: [c.double() for c in drawn["cot"]], None)[1], grads)

    def all_packed(tensors):
        return [None if t is None else packed(t.detach(), "float32") for t in tensors]

    entry = {
        "name": f"{kind}/{name}",
        "module": kind,
        "args": args,
        "options": options,
        "norm": norm,
        "train": train,
        "state": [[k, packed(v)] for k, v in state.items()],
        "inputs": all_packed(inputs),
        "masks": {k: {"tensor": packed(v)} if isinstance(v, torch.Tensor) else v for k, v in masks.items()},
        "outputs": all_packed(outs),
        "cotangents": all_packed(drawn["cot"]),
        "grads": all_packed(grads),
    }
    assert list(module.state_dict()) == list(state)
    if second:
        entry["second"] = {"vectors": all_packed(drawn["vectors"]), "grads": all_packed(again)}
    CASES.append(entry)


def attention_cases():
    mha = "MultiheadAttention"
    padding = torch.tensor([[False, False, False, True, True], [False, True, False, False, False]])
    pairs = torch.tensor([[False, True, False, False, True], [False] * 5, [True, True, False, True, False]])
    bias = torch.tensor([[0.5, -1.0, 0.0, 0.25, -2.0], [0.0] * 5, [1.0, 0.0, float("-inf"), 0.5, 0.0]])
    each = torch.stack([pairs, ~pairs | torch.eye(3, 5).bool().logical_not(), pairs.roll(1, 0), pairs.roll(2, 1)])
    each[:, :, 2] = False
    three = [[3, 2, 4], [5, 2, 4], [5, 2, 4]]
    no = {"needWeights": False}
    case("of itself", mha, [4, 2], [[3, 2, 4]], second=True)
    case("of itself, batch first, no bias", mha, [4, 2], [[2, 3, 4]], {"batchFirst": True, "bias": False}, no, second=True)
    case("weights of each head", mha, [6, 3], [[3, 2, 6]], masks={"averageAttnWeights": False})
    case("of others", mha, [4, 2], three, second=True)
    case("of others without weights", mha, [4, 1], three, masks=no)
    case("other sizes", mha, [4, 2], [[3, 2, 4], [5, 2, 3], [5, 2, 6]], {"kdim": 3, "vdim": 6})
    case("other sizes, batch first", mha, [4, 2], [[2, 3, 4], [2, 5, 3], [2, 5, 4]], {"kdim": 3, "batchFirst": True}, no)
    case("keys added", mha, [4, 2], three, {"addBiasKv": True, "addZeroAttn": True}, {"keyPaddingMask": padding, "attnMask": pairs})
    case("keys added, without weights", mha, [4, 2], three, {"addBiasKv": True}, {"keyPaddingMask": padding, "attnMask": bias, **no})
    case("zeros added", mha, [4, 2], three, {"addZeroAttn": True}, {"attnMask": bias, **no})
    case("padding", mha, [4, 2], three, masks={"keyPaddingMask": padding, **no})
    case("padding, weights", mha, [4, 2], three, masks={"keyPaddingMask": padding})
    case("numbers for padding", mha, [4, 2], three, masks={"keyPaddingMask": padding * -1.5, **no})
    case("pairs", mha, [4, 2], three, masks={"attnMask": pairs, **no}, second=True)
    case("pairs, weights", mha, [4, 2], three, masks={"attnMask": pairs, "averageAttnWeights": False})
    case("pairs of each head", mha, [4, 2], three, masks={"attnMask": each, **no})
    case("pairs of each head, weights", mha, [4, 2], three, masks={"attnMask": each, "keyPaddingMask": padding & False})
    case("pairs and padding", mha, [4, 2], three, masks={"attnMask": pairs, "keyPaddingMask": padding & ~pairs[0], **no})
    case("numbers and padding", mha, [4, 2], three, masks={"attnMask": bias, "keyPaddingMask": padding, **no})
    case("numbers and numbers", mha, [4, 2], three, masks={"attnMask": bias, "keyPaddingMask": padding * -1.5})
    causal = nn.Transformer.generate_square_subsequent_mask(3)
    case("causal", mha, [4, 2], [[3, 2, 4]], masks={"attnMask": causal, "isCausal": True, **no})
    case("causal, weights", mha, [4, 2], [[3, 2, 4]], masks={"attnMask": causal, "isCausal": True})
    late = torch.tensor([[False, False, True], [False, True, False]])
    case("causal and padding", mha, [4, 2], [[3, 2, 4]], masks={"attnMask": causal.bool(), "isCausal": True, "keyPaddingMask": late, **no})
    case("no batch", mha, [4, 2], [[3, 4], [5, 4], [5, 4]], masks={"keyPaddingMask": padding[0], "attnMask": pairs})
    case("no batch, pairs of each head", mha, [4, 2], [[3, 4], [5, 4], [5, 4]], {"batchFirst": True}, {"attnMask": each[:2], **no})
    case("nothing to attend to, without weights", mha, [4, 2], three, masks={"keyPaddingMask": torch.tensor([[True] * 5, [False] * 5]), **no})
    case("nothing to attend to", mha, [4, 2], three, masks={"keyPaddingMask": torch.tensor([[True] * 5, [False] * 5])})
    for weights in (True, False):
        suffix = "" if weights else ", without weights"
        for what, shapes in (("queries", [[0, 2, 4], [5, 2, 4], [5, 2, 4]]), ("keys", [[3, 2, 4], [0, 2, 4], [0, 2, 4]]), ("samples", [[3, 0, 4], [5, 0, 4], [5, 0, 4]])):
            case(f"no {what}{suffix}", mha, [4, 2], shapes, masks={"needWeights": weights})


def layer_cases():
    causal = nn.Transformer.generate_square_subsequent_mask(3)
    late = torch.tensor([[False, False, True], [False, True, False]])
    memory = torch.tensor([[False, False, True, False], [False, True, False, True]])
    small = {"dimFeedforward": 6, "dropout": 0.0}
    for kind, shapes in (("TransformerEncoderLayer", [[3, 2, 4]]), ("TransformerDecoderLayer", [[3, 2, 4], [4, 2, 4]])):
        firsts = [[s[1], s[0], s[2]] for s in shapes]
        case("after", kind, [4, 2], shapes, small, second=True)
        case("before", kind, [4, 2], firsts, {**small, "normFirst": True, "batchFirst": True, "activation": "gelu"}, second=True)
        case("no bias", kind, [4, 1], shapes, {**small, "bias": False, "layerNormEps": 0.1})
        case("eval", kind, [4, 2], shapes, {**small, "dropout": 0.5}, train=False)
        case("no batch", kind, [4, 2], [[s[0], s[2]] for s in shapes], small)
    case("masks", "TransformerEncoderLayer", [4, 2], [[3, 2, 4]], small, {"srcMask": causal.bool(), "srcKeyPaddingMask": late})
    case("causal", "TransformerEncoderLayer", [4, 2], [[3, 2, 4]], small, {"srcMask": causal, "isCausal": True})
    masks = {"tgtMask": causal.bool(), "memoryMask": torch.eye(3, 4).bool(), "tgtKeyPaddingMask": late, "memoryKeyPaddingMask": memory}
    case("masks", "TransformerDecoderLayer", [4, 2], [[3, 2, 4], [4, 2, 4]], small, masks)
    case("causal", "TransformerDecoderLayer", [4, 2], [[3, 2, 4], [4, 2, 4]], small, {"tgtMask": causal, "tgtIsCausal": True})
    case("layers", "TransformerEncoder", [[4, 2], 2], [[3, 2, 4]], small, {"mask": causal, "isCausal": True}, norm={})
    case("no norm", "TransformerEncoder", [[4, 2], 1], [[3, 2, 4]], small, {"srcKeyPaddingMask": late})
    case("layers", "TransformerDecoder", [[4, 2], 2], [[3, 2, 4], [4, 2, 4]], small, {"tgtMask": causal, "memoryKeyPaddingMask": memory}, norm={})
    whole = {"dModel": 4, "nhead": 2, "numEncoderLayers": 1, "numDecoderLayers": 2, "dimFeedforward": 6, "dropout": 0.0}
    case("whole", "Transformer", [], [[3, 2, 4], [2, 2, 4]], whole, {"srcKeyPaddingMask": late, "memoryKeyPaddingMask": late, "tgtMask": causal[:2, :2], "tgtIsCausal": True})
    case("before", "Transformer", [], [[2, 3, 4], [2, 2, 4]], {**whole, "normFirst": True, "batchFirst": True, "bias": False})


def norm_cases():
    for name, dim in (("rows", 0), ("columns", 1), ("all", None)):
        case(f"weight norm of {name}", "Linear", [3, 4], [[2, 3]], norm={"dim": dim}, second=True)


def default_cases():
    """What a new module holds, by parameter: the bound of a uniform, the deviation of a normal, or a value."""
    torch.manual_seed(0)
    rows = []

    def add(kind, args, options, held):
        module = made(kind, args, options, None)
        named = dict(module.named_parameters())
        assert set(held) == set(named), set(held) ^ set(named)
        for name, rule in held.items():
            p = named[name].detach()
            if "bound" in rule:
                assert 0.98 * rule["bound"] < p.abs().max() <= rule["bound"] * (1 + 1e-6), (name, p.abs().max(), rule)
            if "std" in rule:
                assert abs(p.std() / rule["std"] - 1) < 0.2, name
            if "value" in rule:
                assert (p == rule["value"]).all(), name
        rows.append({"module": kind, "args": args, "options": options, "held": held})

    def xavier(rows, columns):
        return {"bound": (6 / (rows + columns)) ** 0.5}

    def fan(size):
        return {"bound": size**-0.5}

    zero, one = {"value": 0.0}, {"value": 1.0}
    e = 32
    own = {"in_proj_weight": xavier(3 * e, e), "in_proj_bias": zero, "out_proj.weight": fan(e), "out_proj.bias": zero}
    add("MultiheadAttention", [e, 4], {}, own)
    # Of [1, 1, e] the fan-in and the fan-out are e.
    learned = {"std": (2 / (e + e)) ** 0.5}
    add("MultiheadAttention", [e, 4], {"addBiasKv": True}, {**own, "bias_k": learned, "bias_v": learned})
    apart = {"q_proj_weight": xavier(e, e), "k_proj_weight": xavier(e, 40), "v_proj_weight": xavier(e, 48), "out_proj.weight": fan(e)}
    add("MultiheadAttention", [e, 4], {"kdim": 40, "vdim": 48, "bias": False}, apart)

    def layer(attentions, norms):
        held = {f"{name}.{k}": v for name in attentions for k, v in own.items()}
        held |= {"linear1.weight": fan(e), "linear1.bias": fan(e), "linear2.weight": fan(48), "linear2.bias": fan(48)}
        return held | {f"norm{i + 1}.{k}": v for i in range(norms) for k, v in (("weight", one), ("bias", zero))}

    encoder, decoder = layer(["self_attn"], 2), layer(["self_attn", "multihead_attn"], 3)
    small = {"dimFeedforward": 48}
    # The largest of 32 or 48 numbers says little of their bound.
    for held in (encoder, decoder):
        held["linear1.bias"] = {"within": e**-0.5}
        held["linear2.bias"] = {"within": 48**-0.5}
    add("TransformerEncoderLayer", [e, 4], small, encoder)
    add("TransformerDecoderLayer", [e, 4], small, decoder)
    drawn = {}
    for name, held in (("encoder", encoder), ("decoder", decoder)):
        for k, v in held.items():
            drawn[f"{name}.layers.0.{k}"] = v
        drawn |= {f"{name}.norm.weight": one, f"{name}.norm.bias": zero}
    for k in drawn:
        if k.endswith("linear1.weight") or k.endswith("linear2.weight"):
            drawn[k] = xavier(e, 48)
        if k.endswith("out_proj.weight"):
            drawn[k] = xavier(e, e)
    add("Transformer", [], {"dModel": e, "nhead": 4, "numEncoderLayers": 1, "numDecoderLayers": 1, **small}, drawn)
    return rows


def main():
    quiet()
    attention_cases()
    layer_cases()
    norm_cases()
    content = {"format": "blocks/1", "source": SOURCE, "cases": CASES, "defaults": default_cases()}
    write("blocks.json.gz", content)


if __name__ == "__main__":
    main()
