import { cast, restore, sum } from "../../ir/build.ts";
import type { Node } from "../../ir/node.ts";
import { abs, and, div, eq, isnan, mul, or, pow, sign, where } from "./elementwise.ts";
import type { Slope } from "./stated.ts";

/**
 * The gradient of the p-norm over some axes, which is PyTorch's where the norm has none: 0 where the norm is 0, and for p
 * below 1 where an element is 0; shared by all that are the largest (or smallest) where p is infinite.
 */
export function normSlope(p: number, x: Node, axes: readonly number[]): Slope {
  const over = (reduced: Node): Node => restore(reduced, axes, x.shape);
  if (p === 0) return (g) => mul(over(g), 0);
  if (!Number.isFinite(p))
    return (g, n) => {
      const is = extremeOf(x, over(n));
      return mul(sign(x), where(is, div(over(g), over(sum(cast(is, x.dtype), axes))), 0));
    };
  return (g, n) => {
    const none = eq(n, 0);
    const shared = over(where(none, 0, div(g, pow(where(none, 1, n), p - 1))));
    if (p >= 2) return mul(mul(x, pow(abs(x), p - 2)), shared);
    // The power of a harmless number, so that neither it nor its own slope is infinite.
    const zero = eq(x, 0);
    return mul(mul(sign(x), where(zero, 0, pow(where(zero, 1, abs(x)), p - 1))), shared);
  };
}

/** Where |x| is its extreme value; every NaN is, where that is NaN. */
const extremeOf = (x: Node, value: Node): Node => or(eq(abs(x), value), and(isnan(x), isnan(value)));
