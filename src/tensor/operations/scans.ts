import type { DType } from "../../base/dtype.ts";
import { cast, filled, filledLike, sliceAxis } from "../../ir/build.ts";
import { isGradEnabled, type Node, node } from "../../ir/node.ts";
import { dimOf } from "./dims.ts";
import { add, and, div, eq, ge, isnan, mul, not, or, where } from "./elementwise.ts";
import { logaddexp } from "./logarithmic.ts";
import { flip } from "./movement.ts";
import { floating, numeric } from "./promote.ts";
import { type Indexed, summable } from "./reduction.ts";
import { stated } from "./stated.ts";

/**
 * What runs along a dimension, each element combined with all before it, in as many rounds as the length has binary
 * digits: each joins every element with the one as far before it as the last round has reached.
 */
function scan<T extends readonly Node[]>(
  start: T,
  axis: number,
  combine: (earlier: T, later: T) => readonly Node[],
): T {
  const count = start[0]!.shape[axis] ?? 1;
  let running = start;
  for (let reach = 1; reach < count; reach *= 2) {
    const part = (from: number, size: number): T =>
      running.map((x) => sliceAxis(x, axis, from, size)) as unknown as T;
    const joined = combine(part(0, count - reach), part(reach, count - reach));
    const first = part(0, reach);
    running = joined.map((x, i) => node("concat", [first[i]!, x], { axis })) as unknown as T;
  }
  return running;
}

/** Running products along a dimension. */
export function cumprod(input: Node, dim: number, dtype?: DType): Node {
  const axis = dimOf("cumprod", dim, input.shape.length, input.shape);
  const x = summable(input, dtype);
  return stated(products(x, axis), [x, (g, n) => (isGradEnabled() ? byOthers : byQuotient)(x, axis, g, n)]);
}

const products = (x: Node, axis: number): Node => scan([x] as const, axis, ([a], [b]) => [mul(a, b)])[0];

const sumFrom = (x: Node, axis: number): Node => flip(node("cumsum", [flip(x, axis)], { axis }), axis);

/**
 * The gradient of running products as PyTorch has it where it has no gradient itself: what the sum of all later products
 * is to each element, and, as nothing is divided by 0, the sum of products without it for the first zero of a row.
 */
function byQuotient(x: Node, axis: number, g: Node, n: Node): Node {
  if (x.shape.length === 0 || x.shape[axis]! <= 1) return g;
  const zero = eq(x, 0);
  const zeros = node("cumsum", [cast(zero, "i32")], { axis });
  const none = eq(zeros, 0);
  const first = and(zero, eq(zeros, 1));
  const before = div(sumFrom(where(none, mul(n, g), 0), axis), x);
  const between = where(and(eq(zeros, 1), not(zero)), x, 1);
  const after = sumFrom(mul(products(between, axis), where(eq(zeros, 1), g, 0)), axis);
  return where(none, before, where(first, mul(after, without(n, axis)), 0));
}

/** Of running products, each without its own element. */
const without = (n: Node, axis: number): Node => {
  const start = filledLike(1, sliceAxis(n, axis, 0, 1));
  return node("concat", [start, sliceAxis(n, axis, 0, n.shape[axis]! - 1)], { axis });
};

/** The same gradient as sums of products of all other elements, which has derivatives at zeros too. */
function byOthers(x: Node, axis: number, g: Node): Node {
  if (x.shape.length === 0 || x.shape[axis]! <= 1) return g;
  // From the end, what is left at an element is g + the next element · what is left there: a scan of such steps.
  const steps = [without(flip(x, axis), axis), flip(g, axis)] as const;
  const [, left] = scan(steps, axis, ([a, b], [c, d]) => [mul(a, c), add(mul(b, c), d)]);
  return mul(without(products(x, axis), axis), flip(left, axis));
}

/** Running logarithms of sums of eˣ along a dimension. */
export function logcumsumexp(input: Node, dim: number): Node {
  const axis = dimOf("logcumsumexp", dim, input.shape.length, input.shape);
  return scan([floating(input)] as const, axis, ([a], [b]) => [logaddexp(a, b)])[0];
}

/** The largest so far along a dimension, and where it is: of several the last one, and a NaN for good. */
export const cummax = (x: Node, dim: number): Indexed<Node> =>
  extremeSoFar("cummax", x, dim, (a, b) => ge(b, a));
/** The smallest so far along a dimension, and where it is: of several the last one, and a NaN for good. */
export const cummin = (x: Node, dim: number): Indexed<Node> =>
  extremeSoFar("cummin", x, dim, (a, b) => ge(a, b));

function extremeSoFar(
  op: string,
  input: Node,
  dim: number,
  replaces: (earlier: Node, later: Node) => Node,
): Indexed<Node> {
  const axis = dimOf(op, dim, input.shape.length, input.shape);
  if (input.shape.length === 0) return { values: input, indices: filled(0, [], "i32") };
  const places = node("iota", [], { shape: input.shape, axis, dtype: "i32" });
  const [, indices] = scan(
    [node("detach", [numeric(input)], {}), places as Node] as const,
    axis,
    ([a, i], [b, j]) => {
      const later = or(replaces(a, b), isnan(b));
      return [where(later, b, a), where(later, j, i)];
    },
  );
  return { values: cast(node("gather", [numeric(input), indices], { axis }), input.dtype), indices };
}
