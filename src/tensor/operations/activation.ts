import { isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { shapeText, sizeOf } from "../../base/shape.ts";
import { reshape } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import {
  abs,
  add,
  and,
  clamp,
  div,
  erf,
  exp,
  expm1,
  ge,
  gt,
  le,
  log1p,
  lt,
  minimum,
  mul,
  neg,
  sigmoid,
  sub,
  tanh,
  where,
} from "./elementwise.ts";
import { storedNumber } from "./number.ts";
import { computeDtype, floating, widen } from "./promote.ts";
import { stated } from "./stated.ts";

/** Activation functions. Where one branch could overflow it is fed a harmless value, so that gradients stay finite. */

/** max(x, 0). */
export const relu = (x: Node): Node => {
  if (x.dtype === "bool") throw new DTypeError('relu: takes numbers, not bool; cast it with to("i32")');
  return node("relu", [widen(x)], {});
};
/** x clamped to [0, 6]. */
export const relu6 = (x: Node): Node => hardtanh(x, 0, 6);

/** x clamped; outside, at the bounds and at NaN the gradient is 0. */
export function hardtanh(x: Node, min = -1, max = 1): Node {
  if (min > max) throw new ArgumentError(`hardtanh: minVal ${min} is larger than maxVal ${max}`);
  if (!isFloat(x.dtype)) return integerHardtanh(x, min, max);
  const value = where(le(x, min), min, where(ge(x, max), max, x));
  return stated(value, [x, (g) => where(and(gt(x, min), lt(x, max)), g, 0)]);
}

/** Of integers: bounds lose their fractions, as in PyTorch, and the dtype stays. */
function integerHardtanh(x: Node, min: number, max: number): Node {
  if (x.dtype === "bool" || (x.dtype === "u8" && (min < 0 || max < 0)))
    throw new DTypeError(`hardtanh: from ${min} to ${max} of ${x.dtype}; cast it with to("i32")`);
  const [low, high] = [min, max].map((v) => storedNumber("hardtanh", v, computeDtype(x.dtype)));
  return clamp(x, low, high);
}

/** x, or slope · x where negative. */
export const leakyRelu = (x: Node, slope = 0.01): Node => where(gt(x, 0), x, mul(x, slope));
const negativePart = (x: Node): Node => where(gt(x, 0), 0, x);

/** As leakyRelu, with a slope that is a tensor: one, or one for each channel, which dimension 1 is of. */
export function prelu(x: Node, slope: Node): Node {
  const [count, channels] = [sizeOf(slope.shape), x.shape[1] ?? 1];
  if (slope.shape.length > 1 || (count !== 1 && (count !== channels || x.shape.length === 0)))
    throw new ShapeError(
      `prelu: a weight of shape ${shapeText(slope.shape)} for an input of shape ${shapeText(x.shape)}; it is one slope, ` +
        `or one for each of the ${channels} channels in dimension 1`,
    );
  if (slope.dtype !== x.dtype || !isFloat(x.dtype))
    throw new DTypeError(
      `prelu: an input of ${x.dtype} and a weight of ${slope.dtype}; both are of one floating-point dtype`,
    );
  const along = count === 1 ? [] : x.shape.map((size, i) => (i === 1 ? size : 1));
  return where(gt(x, 0), x, mul(negativePart(x), reshape(slope, along)));
}

/** scale · x, or scale · alpha · (e^(x / width) − 1) where negative; its slope there has all digits. */
function eluOf(input: Node, alpha: number, scale: number, width: number): Node {
  const x = floating(input);
  const low = div(negativePart(x), width);
  const value = mul(where(gt(x, 0), x, mul(expm1(low), alpha)), scale);
  const slope = (g: Node): Node => mul(where(gt(x, 0), g, mul(g, mul(exp(low), alpha / width))), scale);
  return stated(value, [x, slope]);
}

/** x, or alpha · (eˣ − 1) where negative. */
export const elu = (x: Node, alpha = 1): Node => eluOf(x, alpha, 1, 1);
/** The self-normalizing elu of Klambauer et al., 2017. */
export const selu = (x: Node): Node => eluOf(x, 1.6732632423543772, 1.0507009873554805, 1);
/** Continuously differentiable elu: alpha · (e^(x / alpha) − 1) where negative. */
export function celu(x: Node, alpha = 1): Node {
  if (alpha === 0) throw new ArgumentError("celu: alpha is 0, and x is divided by it");
  return eluOf(x, alpha, 1, alpha);
}

/** x · Φ(x), exactly, or by the tanh approximation. */
export function gelu(input: Node, approximate: "none" | "tanh" = "none"): Node {
  const x = floating(input);
  if (approximate === "none") return mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));
  const inner = mul(add(x, mul(mul(mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}

/** x · sigmoid(x). */
export const silu = (x: Node): Node => mul(x, sigmoid(x));
/** x · tanh(softplus(x)). */
export const mish = (x: Node): Node => mul(x, tanh(softplus(x)));

/** log(1 + e^(beta x)) / beta; x itself beyond the threshold. */
export function softplus(input: Node, beta = 1, threshold = 20): Node {
  const x = floating(input);
  const scaled = mul(x, beta);
  const linear = gt(scaled, threshold);
  return where(linear, x, div(log1p(exp(where(linear, 0, scaled))), beta));
}

/** log sigmoid(x), without overflow. */
export const logSigmoid = (input: Node): Node => {
  const x = floating(input);
  return sub(minimum(x, 0), log1p(exp(neg(abs(x)))));
};

/** x / (1 + |x|). */
export const softsign = (x: Node): Node => div(x, add(abs(x), 1));
/** x − tanh x. */
export const tanhshrink = (x: Node): Node => sub(x, tanh(x));
/** x, or 0 within ±lambda. */
export const hardshrink = (x: Node, lambda = 0.5): Node => shrunk(where(le(abs(x), lambda), 0, x), x, lambda);
/** The gradient of what is 0 within ±lambda; PyTorch's at NaN is 0. */
const shrunk = (value: Node, x: Node, lambda: number): Node =>
  stated(value, [x, (g) => where(gt(abs(x), lambda), g, 0)]);
/** x moved towards 0 by lambda. */
export const softshrink = (x: Node, lambda = 0.5): Node => {
  const least = where(le(abs(x), lambda), 0, x);
  const value = where(gt(x, lambda), sub(x, lambda), where(lt(x, -lambda), add(x, lambda), least));
  return shrunk(value, x, lambda);
};
/** clamp(x / 6 + ½, 0, 1). */
export function hardsigmoid(input: Node): Node {
  const x = floating(input);
  const slope = (g: Node): Node => where(and(gt(x, -3), lt(x, 3)), div(g, 6), 0);
  return stated(div(relu6(add(x, 3)), 6), [x, slope]);
}
/** x · hardsigmoid(x). */
export function hardswish(input: Node): Node {
  const x = floating(input);
  const slope = (g: Node): Node => where(le(x, -3), 0, where(ge(x, 3), g, mul(g, add(div(x, 3), 0.5))));
  return stated(div(mul(x, relu6(add(x, 3))), 6), [x, slope]);
}
/** x where above the threshold, else `value`. */
export function threshold(x: Node, above: number, value: number): Node {
  const dtype = computeDtype(x.dtype);
  const [least, instead] = [above, value].map((v) => storedNumber("threshold", v, dtype)) as [number, number];
  return where(le(x, least), instead, x);
}
