import { type DType, isFloat } from "../../../src/base/dtype.ts";
import type { Node } from "../../../src/ir/node.ts";

/** How a node's value is known: to the bit, to rounding, or not at all. */
export type Known = "exactly" | "nearly" | "not";

/** Operations whose results differ by rounding between backends: polynomials, and floats added up in another order. */
const polynomials = new Set(["exp", "log", "tanh", "sigmoid", "fma"]);
const orders = new Set(["sum", "prod", "cumsum", "dot", "scatterAdd"]);

/** Beyond these, an order of adding or multiplying decides whether a sum or a product overflows. */
const moderate: { readonly [D in DType]?: number } = { f32: 1e6, f64: 1e40 };

/**
 * How surely each node is known. What is made of something that is known to rounding alone may be anything: a
 * comparison, or a difference of two that are nearly the same, makes much of little.
 */
export function knowledge(
  order: readonly Node[],
  valuesOf: (n: Node) => ArrayLike<number>,
): Map<Node, Known> {
  const known = new Map<Node, Known>();
  for (const n of order) {
    const made = n.src.every((s) => known.get(s) === "exactly");
    const rounded = polynomials.has(n.op) || (orders.has(n.op) && isFloat(n.dtype));
    known.set(n, !made ? "not" : !rounded ? "exactly" : tame(n, valuesOf) ? "nearly" : "not");
  }
  return known;
}

function tame(n: Node, valuesOf: (n: Node) => ArrayLike<number>): boolean {
  const most = moderate[n.dtype] ?? 0;
  if (polynomials.has(n.op) && n.op !== "fma") return true;
  return n.src.every((s) => {
    if (!isFloat(s.dtype)) return true;
    return Array.from(valuesOf(s)).every((x) => {
      const size = Math.abs(x);
      return !Number.isFinite(x) || size === 0 || (size <= most && size >= 1 / most);
    });
  });
}
