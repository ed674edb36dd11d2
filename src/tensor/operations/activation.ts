import { reshape } from "../../autodiff/build.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { shapeText, sizeOf } from "../../base/shape.ts";
import { type Node, node } from "../../ir/node.ts";
import {
  abs,
  add,
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
import { floating, numeric } from "./promote.ts";

/** Activation functions. Where one branch could overflow it is fed a harmless value, so that gradients stay finite. */

/** max(x, 0). */
export const relu = (x: Node): Node => node("relu", [numeric(x)], {});
/** x clamped to [0, 6]. */
export const relu6 = (x: Node): Node => hardtanh(x, 0, 6);

/** x clamped; outside, and at the bounds, the gradient is 0. */
export function hardtanh(x: Node, min = -1, max = 1): Node {
  if (min > max) throw new ArgumentError(`hardtanh: minVal ${min} is larger than maxVal ${max}`);
  return where(le(x, min), min, where(ge(x, max), max, x));
}

/** x, or slope · x where negative. */
export const leakyRelu = (x: Node, slope = 0.01): Node => where(gt(x, 0), x, mul(x, slope));
/** As leakyRelu, with a slope that is a tensor: one number, or one for each channel, which are along dimension 1. */
export function prelu(x: Node, slope: Node): Node {
  const rank = x.shape.length;
  const channels = rank > 1 ? x.shape[1]! : 1;
  const count = sizeOf(slope.shape);
  if (slope.shape.length > 1 || (count !== 1 && count !== channels))
    throw new ShapeError(
      `prelu: a weight of shape ${shapeText(slope.shape)} for an input of shape ${shapeText(x.shape)}: the weight has one ` +
        `element, or as many as dimension 1 of the input (${channels})`,
    );
  if (slope.dtype !== x.dtype)
    throw new DTypeError(`prelu: the input is ${x.dtype}, the weight ${slope.dtype}; cast one to the other`);
  const along = count === 1 ? [] : x.shape.slice(1).map((_, i) => (i === 0 ? count : 1));
  return where(gt(x, 0), x, mul(x, reshape(slope, along)));
}

const negativePart = (x: Node): Node => where(gt(x, 0), 0, x);

/** x, or scale · (eˣ − 1) where negative. */
export const elu = (x: Node, alpha = 1): Node =>
  where(gt(x, 0), x, mul(expm1(negativePart(floating(x))), alpha));
/** The self-normalizing elu of Klambauer et al., 2017. */
export const selu = (x: Node): Node => mul(elu(x, 1.6732632423543772), 1.0507009873554805);
/** Continuously differentiable elu: alpha · (e^(x / alpha) − 1) where negative. */
export const celu = (x: Node, alpha = 1): Node => {
  if (alpha === 0) throw new ArgumentError("celu: alpha is 0, and x is divided by it");
  return where(gt(x, 0), x, mul(expm1(div(negativePart(floating(x)), alpha)), alpha));
};

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
export const hardshrink = (x: Node, lambda = 0.5): Node => where(le(abs(x), lambda), 0, x);
/** x moved towards 0 by lambda. */
export const softshrink = (x: Node, lambda = 0.5): Node =>
  where(gt(x, lambda), sub(x, lambda), where(lt(x, -lambda), add(x, lambda), mul(x, 0)));
/** clamp(x / 6 + ½, 0, 1). */
export const hardsigmoid = (x: Node): Node => div(relu6(add(x, 3)), 6);
/** x · hardsigmoid(x). */
export const hardswish = (x: Node): Node => div(mul(x, relu6(add(x, 3))), 6);
/** x where above the threshold, else `value`. */
export const threshold = (x: Node, above: number, value: number): Node => where(le(x, above), value, x);
