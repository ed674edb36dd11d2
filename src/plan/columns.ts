import { type Shape, sameShape } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";

/** How a cluster's rows are cut into blocks, each of which sums of columns have a row of their own for. */
export interface Blocks {
  /** The axis that is cut in two, and how many of its indices are one of the first's; null: none is. */
  readonly cut: { readonly axis: number; readonly by: number } | null;
  /** How many axes, once that is cut, tell blocks apart, and how many more the rows of a block. */
  readonly outer: number;
  readonly rows: number;
}

const squeeze = (shape: Shape): Shape => shape.filter((d) => d !== 1);

/**
 * How the rows of a kernel over a shape are cut where it makes the sums of columns `n` of elements that it has, in the order
 * of memory; null where these are not its rows. Sizes are only compared with each other, so that the answer holds for other
 * sizes in their place (`form.ts`).
 */
export function blocksOf(n: Node, shape: Shape): Blocks | null {
  if (!isOp(n, "sum")) return null;
  const of = n.src[0]!.shape;
  const own = squeeze(of);
  const axes = n.attrs.axes.map((a) => squeeze(of.slice(0, a)).length);
  const outer = axes[0]!;
  if (outer === 0 || axes.some((a, i) => a !== outer + i)) return null;
  const rows = axes.length;
  if (outer + rows >= own.length) return null;
  if (sameShape(own, shape)) return { cut: null, outer, rows };
  const axis = outer - 1;
  const isCut =
    own.length === shape.length + 1 &&
    sameShape(own.slice(0, axis), shape.slice(0, axis)) &&
    sameShape(own.slice(outer + 1), shape.slice(outer));
  return isCut ? { cut: { axis, by: own[outer]! }, outer, rows } : null;
}

/** The axes of the shape that are along a row. */
export const rowAxes = ({ cut, outer, rows }: Blocks, shape: Shape): number[] =>
  [...shape.keys()].slice(outer + rows - (cut === null ? 0 : 1));
