import type { Tensor } from "thaw/tensor";
import * as thaw from "thaw/tensor";
import * as losses from "../../src/nn/losses/index.ts";

/** The operations of extremes.json.gz as they are called here, by the names that make-extremes.py gives them. */

type Unary = (x: Tensor) => Tensor;
type Binary = (a: Tensor, b: Tensor) => Tensor;

const one = (x: Tensor, value: number): Tensor => thaw.full([], value, { dtype: x.dtype });
const ones = (x: Tensor): Tensor => thaw.onesLike(x);
const infinity = Number.POSITIVE_INFINITY;
const none = { reduction: "none" } as const;
/** A function of each row, joined to one tensor. */
const rowwise =
  (of: Unary): Unary =>
  (x) =>
    thaw.stack(x.unbind(0).map(of));

const named = (...names: string[]): Record<string, Unary> =>
  Object.fromEntries(
    names.map((name) => [name, (x: Tensor) => (x as unknown as Record<string, () => Tensor>)[name]!()]),
  );
const pairs = (...names: string[]): Record<string, Binary> =>
  Object.fromEntries(
    names.map((name) => [
      name,
      (a: Tensor, b: Tensor) => (a as unknown as Record<string, (b: Tensor) => Tensor>)[name]!(b),
    ]),
  );

/** Of one tensor. */
export const unary: Readonly<Record<string, Unary>> = {
  ...named(
    "neg",
    "abs",
    "sign",
    "square",
    "reciprocal",
    "floor",
    "ceil",
    "trunc",
    "frac",
    "round",
    "sqrt",
    "rsqrt",
  ),
  ...named(
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
  ),
  ...named(
    "sigmoid",
    "erf",
    "erfc",
    "logit",
    "nanToNum",
    "relu",
    "relu6",
    "selu",
    "silu",
    "mish",
    "logSigmoid",
  ),
  ...named(
    "softsign",
    "tanhshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leakyRelu",
    "elu",
    "celu",
    "gelu",
  ),
  ...named("softplus", "hardshrink", "softshrink"),
  "round 2": (x) => x.round({ decimals: 2 }),
  "round -2": (x) => x.round({ decimals: -2 }),
  "logit eps": (x) => x.logit(1e-6),
  "leakyRelu negative": (x) => x.leakyRelu({ negativeSlope: -0.5 }),
  "elu 2": (x) => x.elu({ alpha: 2 }),
  "celu 2": (x) => x.celu({ alpha: 2 }),
  "gelu tanh": (x) => x.gelu({ approximate: "tanh" }),
  "softplus 2": (x) => x.softplus({ beta: 2, threshold: 5 }),
  threshold: (x) => x.threshold(0.5, 7),
  clamp: (x) => x.clamp({ min: -1, max: 2 }),
  "clamp min": (x) => x.clamp({ min: 0 }),
  "clamp max NaN": (x) => x.clamp({ max: Number.NaN }),
  "clamp min NaN": (x) => x.clamp({ min: Number.NaN }),
  "clamp infinite": (x) => x.clamp({ min: -infinity, max: infinity }),
  ...Object.fromEntries(
    [0, 1, 2, 3, 0.5, -1, -2, 1.5, -0.5].map((p) => [`pow ${p}`, (x: Tensor) => x.pow(p)]),
  ),
  "pow inf": (x) => x.pow(infinity),
  "2 to the": (x) => one(x, 2).pow(x),
  "0 to the": (x) => one(x, 0).pow(x),
  "-1 to the": (x) => one(x, -1).pow(x),
  "xlogy number": (x) => x.xlogy(3),
  "number xlogy": (x) => one(x, 0).xlogy(x),
  "fmod number": (x) => x.fmod(3),
  "remainder number": (x) => x.remainder(-3),
  "floorDivide number": (x) => x.floorDivide(3),
  "trunc div": (x) => x.div(3, { roundingMode: "trunc" }),
  lerp: (x) => x.lerp(1, 0.3),
  "lerp 1": (x) => x.lerp(1, 1),
  "lerp 0.7": (x) => one(x, 1).lerp(x, 0.7),
  "lerp weight": (x) => one(x, 2).lerp(one(x, 5), x),
};

/** Of two tensors. */
export const binary: Readonly<Record<string, Binary>> = {
  ...pairs("add", "sub", "mul", "div", "pow", "floorDivide", "remainder", "fmod", "maximum", "minimum"),
  ...pairs("logaddexp", "xlogy", "hypot", "eq", "ne", "lt", "le", "gt", "ge"),
  "trunc div": (a, b) => a.div(b, { roundingMode: "trunc" }),
  // Of PyTorch's prelu the slope is a parameter of its own kind; this is one for each element.
  prelu: (a, b) => thaw.where(a.gt(0), a, a.mul(b)),
  clamp: (a, b) => a.clamp({ min: b }),
  "clamp max": (a, b) => a.clamp({ max: b }),
  "clamp both": (a, b) => a.clamp({ min: b, max: ones(b) }),
  addcmul: (a, b) => a.addcmul(b, b, { value: 0.5 }),
  addcdiv: (a, b) => a.addcdiv(a, b, { value: 0.5 }),
  lerp: (a, b) => a.lerp(b, 0.25),
  "lerp 0.75": (a, b) => a.lerp(b, 0.75),
  mseLoss: (a, b) => losses.mseLoss(a, b, none),
  l1Loss: (a, b) => losses.l1Loss(a, b, none),
  smoothL1Loss: (a, b) => losses.smoothL1Loss(a, b, { ...none, beta: 0.5 }),
  huberLoss: (a, b) => losses.huberLoss(a, b, { ...none, delta: 0.5 }),
  klDiv: (a, b) => losses.klDiv(a, b, none),
  "klDiv log": (a, b) => losses.klDiv(a, b, { ...none, logTarget: true }),
  binaryCrossEntropyWithLogits: (a, b) => losses.binaryCrossEntropyWithLogits(a, b, none),
};

/** Along the rows of a matrix. */
export const lines: Readonly<Record<string, Unary>> = {
  sum: (x) => x.sum(1),
  prod: (x) => x.prod(1),
  mean: (x) => x.mean(1),
  var: (x) => x.var(1),
  std: (x) => x.std(1),
  ...Object.fromEntries(
    [0, 4, 5].flatMap((correction) => [
      [`var ${correction}`, (x: Tensor) => x.var(1, { correction })],
      [`std ${correction}`, (x: Tensor) => x.std(1, { correction })],
    ]),
  ),
  ...Object.fromEntries(
    [2, 1, 3, 0.5, 1.5, 4, 0, -1, -2].map((p) => [`norm ${p}`, (x: Tensor) => x.norm(p, 1)]),
  ),
  "norm inf": (x) => x.norm(infinity, 1),
  "norm -inf": (x) => x.norm(-infinity, 1),
  amax: (x) => x.amax(1),
  amin: (x) => x.amin(1),
  max: (x) => x.max(1).values,
  min: (x) => x.min(1).values,
  cumsum: (x) => x.cumsum(1),
  softmax: (x) => x.softmax(1),
  logSoftmax: (x) => x.logSoftmax(1),
  logsumexp: (x) => x.logsumexp(1),
  "max all": rowwise((x) => x.max()),
  "norm all": rowwise((x) => x.norm()),
  "var one": (x) => x.narrow(1, 0, 1).var(1),
  "std one": (x) => x.narrow(1, 0, 1).std(1),
  argmax: (x) => x.argmax(1),
  argmin: (x) => x.argmin(1),
  layerNorm: (x) => thaw.layerNorm(x, [4]),
};
