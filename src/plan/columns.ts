import { type Shape, sameShape } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import { sameExtent, sameExtents } from "./compare.ts";

/**
 * How a kernel over a shape makes sums of its elements besides those of whole rows: over the rows of a block, for each
 * column; or along a part of a row, which is several lines then. Axes are counted without those of size 1.
 */
export type Sums =
  | {
      readonly kind: "rows";
      /** The axis that is cut in two, and how many of its indices are one of the first's; null: none is. */
      readonly cut: { readonly axis: number; readonly by: number } | null;
      /** How many axes, once that is cut, tell blocks apart, and how many more the rows of a block. */
      readonly outer: number;
      readonly rows: number;
    }
  | {
      readonly kind: "line";
      /** The first of the axes that are along a line. */
      readonly from: number;
    };

/** A shape without its axes of size 1. */
export const squeeze = (shape: Shape): Shape => (shape.includes(1) ? shape.filter((d) => d !== 1) : shape);

/** Some axes of a shape, counted without axes of size 1. */
export const squeezedAxes = (shape: Shape, axes: readonly number[]): number[] =>
  axes.filter((a) => shape[a] !== 1).map((a) => squeeze(shape.slice(0, a)).length);

/**
 * How a kernel over a shape makes the sums `n` of elements that it has, in the order of memory; null where these are neither
 * its rows nor its lines. Sizes are only compared with each other, so that the answer holds for other sizes in their place
 * (`form.ts`).
 */
export function sumsOf(n: Node<"sum">, shape: Shape): Sums | null {
  const of = n.src[0]!.shape;
  const own = squeeze(of);
  const axes = n.attrs.axes.map((a) => squeeze(of.slice(0, a)).length);
  const outer = axes[0]!;
  if (outer === 0 || axes.some((a, i) => a !== outer + i)) return null;
  const rows = axes.length;
  if (outer + rows === own.length) return sameExtents(own, shape) ? { kind: "line", from: outer } : null;
  if (sameExtents(own, shape)) return { kind: "rows", cut: null, outer, rows };
  const axis = outer - 1;
  const isCut =
    own.length === shape.length + 1 &&
    sameExtents(own.slice(0, axis), shape.slice(0, axis)) &&
    sameExtents(own.slice(outer + 1), shape.slice(outer));
  return isCut ? { kind: "rows", cut: { axis, by: own[outer]! }, outer, rows } : null;
}

/** Whether a kernel over a shape that folds some axes, if it is not null, goes along them so that it can make the sums. */
export function goesWith(sums: Sums, shape: Shape, folds: readonly number[] | null): boolean {
  if (sums.kind === "rows") return folds === null || sameShape(folds, rowAxes(sums, shape));
  // Where a line is a row, its sum is one that any kernel of rows makes.
  const first = folds?.[0] ?? 0;
  return first > 0 && first < sums.from && folds!.every((a, i) => a === shape.length - folds!.length + i);
}

/** The axes of the shape that are along a row. */
export const rowAxes = ({ cut, outer, rows }: Sums & { kind: "rows" }, shape: Shape): number[] =>
  [...shape.keys()].slice(outer + rows - (cut === null ? 0 : 1));

/** Whether one kernel makes both. */
export function goTogether(a: Sums, b: Sums): boolean {
  if (a.kind === "line" || b.kind === "line")
    return a.kind === "line" && b.kind === "line" && a.from === b.from;
  const isSame =
    a.cut === null ? b.cut === null : a.cut.axis === b.cut?.axis && sameExtent(a.cut.by, b.cut.by);
  return isSame && a.outer === b.outer && a.rows === b.rows;
}
