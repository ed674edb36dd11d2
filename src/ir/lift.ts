import { roundTo } from "../base/dtype.ts";
import { isOp, type Node } from "./node.ts";
import { ops } from "./op.ts";
import { simplify } from "./simplify.ts";
import { constantOf } from "./simplify-builder.ts";

/**
 * Numbers that differ from one graph to the next, which are otherwise the same, as inputs of one plan. What simplification
 * would make of such constants alone is computed before each run instead, by simplification itself: a number gives the
 * same bits as an input and as a constant.
 */

/** What algebra treats in a way of its own: a graph with such a constant has other nodes than with any other. */
const special = new Set([0, 1, -1, 2]);

/** Whether a number may stand for any other in a plan. */
export const isOrdinary = (value: number): boolean => !special.has(value);

/** Operations that simplification carries out on constants, whatever these are. */
const folds = (n: Node): boolean =>
  ops[n.op].kind === "elementwise" || isOp(n, "reshape") || isOp(n, "expand") || isOp(n, "permute");

/**
 * The places, among the nodes of a graph in topological order, of the largest parts that are made of constants alone, one
 * of them `free`, and folded to a constant. They depend on the form of the graph only.
 */
export function liftedPlaces(order: readonly Node[], free: ReadonlySet<Node>): number[] {
  const constant = new Set<Node>();
  const depends = new Set<Node>();
  for (const n of order) {
    if (!isOp(n, "constant") && !(n.src.length > 0 && folds(n) && n.src.every((s) => constant.has(s))))
      continue;
    constant.add(n);
    if (free.has(n) || n.src.some((s) => depends.has(s))) depends.add(n);
  }
  const lifted = new Set(depends);
  // A part within a larger one goes with it; but a part that others use too stands for itself.
  for (const n of depends) for (const s of n.src) lifted.delete(s);
  for (const n of order) if (!depends.has(n)) for (const s of n.src) if (depends.has(s)) lifted.add(s);
  return order.flatMap((n, place) => (lifted.has(n) ? [place] : []));
}

/** The number that a part made of constants alone is everywhere; null where it is not folded to one. */
export function foldedValue(n: Node): number | null {
  return isOp(n, "constant") ? roundTo(n.dtype, n.attrs.value) : constantOf(simplify([n])[0]!);
}
