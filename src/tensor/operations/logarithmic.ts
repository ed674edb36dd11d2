import { filledLike } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import {
  abs,
  add,
  and,
  clamp,
  div,
  eq,
  exp,
  isinf,
  isnan,
  le,
  log,
  log1p,
  lt,
  maximum,
  mul,
  neg,
  not,
  or,
  refuseIntegerOperands,
  sigmoid,
  sub,
  where,
} from "./elementwise.ts";
import { floating, meetFloating, type Operand } from "./promote.ts";
import { stated } from "./stated.ts";

/** Logarithms of more than their argument. */

/** log(eᵃ + eᵇ), without overflow and with all digits where one is much the larger. */
export function logaddexp(a: Operand, b: Operand): Node {
  refuseIntegerOperands("logaddexp", [a, b]);
  const [x, y] = meetFloating("logaddexp", [a, b]) as [Node, Node];
  const sum = add(maximum(x, y), log1p(exp(neg(abs(sub(x, y))))));
  // Two equal infinities would subtract to NaN.
  const value = where(and(isinf(x), eq(x, y)), x, sum);
  return stated(value, [x, (g) => mul(g, sigmoid(sub(x, y)))], [y, (g) => mul(g, sigmoid(sub(y, x)))]);
}

/** a · log b, and 0 where a is 0. */
export function xlogy(a: Operand, b: Operand): Node {
  const [x, y] = meetFloating("xlogy", [a, b]) as [Node, Node];
  const none = and(eq(x, 0), not(isnan(y)));
  const value = where(none, 0, mul(x, log(where(none, 1, y))));
  return stated(
    value,
    [
      x,
      (g) => {
        const endless = and(eq(x, 0), le(y, 0));
        return where(endless, 0, mul(g, log(where(endless, 1, y))));
      },
    ],
    [y, (g) => div(mul(g, x), y)],
  );
}

/** log(a / (1 − a)); with `eps`, a is first clamped to [eps, 1 − eps]. */
export function logit(a: Node, eps?: number): Node {
  const input = floating(a);
  const [low, high] = eps === undefined ? [0, 1] : [eps, 1 - eps];
  const x = eps === undefined ? input : clamp(input, low, high);
  const value = log(div(x, sub(1, x)));
  const slope = (g: Node): Node => {
    const outside = or(lt(input, low), lt(high, input));
    return where(outside, eps === undefined ? Number.NaN : 0, div(g, mul(input, sub(1, input))));
  };
  return stated(value, [input, slope]);
}

const based =
  (base: number) =>
  (a: Node): Node => {
    const x = floating(a);
    const scale = filledLike(1 / Math.log(base), x);
    const value = node("mul", [log(x), scale], {});
    return stated(value, [x, (g) => div(g, mul(x, Math.log(base)))]);
  };
/** The logarithm to base 2. */
export const log2 = based(2);
/** The logarithm to base 10. */
export const log10 = based(10);
