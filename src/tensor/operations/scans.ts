import { cast, filled, sliceAxis } from "../../autodiff/build.ts";
import type { DType } from "../../base/dtype.ts";
import { type Node, node } from "../../ir/node.ts";
import { dimOf } from "./dims.ts";
import { ge, isnan, mul, or, where } from "./elementwise.ts";
import { logaddexp } from "./logarithmic.ts";
import { floating, numeric } from "./promote.ts";
import { type Indexed, summable } from "./reduction.ts";

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
  return scan([summable(input, dtype)] as const, axis, ([a], [b]) => [mul(a, b)])[0];
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
