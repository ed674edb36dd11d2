import type { DType } from "../base/dtype.ts";
import { type Shape, sameShape } from "../base/shape.ts";
import { type Node, node } from "./node.ts";

// The few node constructors that gradient rules and operations are written with; movement that would move nothing is left out.

/** The attributes of an operation that has none: one object for all of them. */
export const noAttributes = {};

/** -x. */
export const neg = (x: Node): Node => node("neg", [x], noAttributes);
/** a + b. */
export const add = (a: Node, b: Node): Node => node("add", [a, b], noAttributes);
/** a - b. */
export const sub = (a: Node, b: Node): Node => node("sub", [a, b], noAttributes);
/** a · b. */
export const mul = (a: Node, b: Node): Node => node("mul", [a, b], noAttributes);
/** a / b. */
export const div = (a: Node, b: Node): Node => node("div", [a, b], noAttributes);
/** Where a equals b. */
export const eq = (a: Node, b: Node): Node => node("eq", [a, b], noAttributes);
/** Where a is less than b. */
export const lt = (a: Node, b: Node): Node => node("lt", [a, b], noAttributes);
/** Where a is at most b. */
export const le = (a: Node, b: Node): Node => node("le", [a, b], noAttributes);
/** `then` where the condition holds, `otherwise` elsewhere. */
export const where = (condition: Node, then: Node, otherwise: Node): Node =>
  node("where", [condition, then, otherwise], noAttributes);

/** `x` as another dtype. */
export const cast = (x: Node, dtype: DType): Node => (x.dtype === dtype ? x : node("cast", [x], { dtype }));

/** `x` in another shape of as many elements. */
export const reshape = (x: Node, shape: Shape): Node =>
  sameShape(x.shape, shape) ? x : node("reshape", [x], { shape });

/** `x` with its axes of size 1 repeated. */
export const expand = (x: Node, shape: Shape): Node =>
  sameShape(x.shape, shape) ? x : node("expand", [x], { shape });

/** `x` with axis `axes[i]` as axis `i`. */
export const permute = (x: Node, axes: readonly number[]): Node =>
  axes.every((a, i) => a === i) ? x : node("permute", [x], { axes });

/** `x` summed over `axes` (ascending). */
export const sum = (x: Node, axes: readonly number[]): Node =>
  axes.length === 0 ? x : node("sum", [x], { axes });

/** A tensor with one value everywhere. */
export function filled(value: number, shape: Shape, dtype: DType): Node {
  const scalar = node("constant", [], { value, dtype });
  return expand(
    reshape(
      scalar,
      shape.map(() => 1),
    ),
    shape,
  );
}

/** A tensor like `x` with one value everywhere. */
export const filledLike = (value: number, x: Node): Node => filled(value, x.shape, x.dtype);

/** Undoes the shape of a reduction: `x`, reduced over `axes`, repeated along them up to `shape`. */
export function restore(x: Node, axes: readonly number[], shape: Shape): Node {
  return expand(
    reshape(
      x,
      shape.map((d, i) => (axes.includes(i) ? 1 : d)),
    ),
    shape,
  );
}

/** `x` with one axis reversed. */
export function flip(x: Node, axis: number): Node {
  return node("slice", [x], {
    start: x.shape.map((d, i) => (i === axis ? Math.max(0, d - 1) : 0)),
    size: x.shape,
    step: x.shape.map((_, i) => (i === axis ? -1 : 1)),
  });
}

/** `size` elements from `start` on, along one axis. */
export function sliceAxis(x: Node, axis: number, start: number, size: number): Node {
  if (start === 0 && size === x.shape[axis]) return x;
  return node("slice", [x], {
    start: x.shape.map((_, i) => (i === axis ? start : 0)),
    size: x.shape.map((d, i) => (i === axis ? size : d)),
    step: x.shape.map(() => 1),
  });
}

/** `x` with `low` and `high` elements of `value` around it, per axis. */
export function pad(x: Node, low: readonly number[], high: readonly number[], value = 0): Node {
  if (low.every((p) => p === 0) && high.every((p) => p === 0)) return x;
  return node("pad", [x], { low, high, value });
}

/** `x` with elements of `value` before and after one axis. */
export const padAxis = (x: Node, axis: number, low: number, high: number, value: number): Node =>
  pad(
    x,
    x.shape.map((_, i) => (i === axis ? low : 0)),
    x.shape.map((_, i) => (i === axis ? high : 0)),
    value,
  );
