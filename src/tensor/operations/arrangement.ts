import { isFloat } from "../../base/dtype.ts";
import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { sameShape, shapeText, sizeOf } from "../../base/shape.ts";
import * as build from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { dimOf } from "./dims.ts";
import { where } from "./elementwise.ts";
import { flip, movedim, permute, reshape, slice, split, transpose } from "./movement.ts";
import { broadcastTo, computeDtype } from "./promote.ts";

/** Every dimension in reverse order. */
export const reversed = (x: Node): Node =>
  permute(
    x,
    x.shape.map((_, i) => x.shape.length - 1 - i),
  );

/** Columns in reverse order, or rows. */
export function flipAlong(op: "fliplr" | "flipud", x: Node): Node {
  const axis = op === "fliplr" ? 1 : 0;
  if (x.shape.length <= axis)
    throw new ShapeError(`${op}: takes at least ${axis + 1} dimensions, not shape ${shapeText(x.shape)}`);
  return flip(x, axis);
}

/** Turned by k quarters from the first of two dimensions to the second. */
export function rot90(x: Node, k: number, dims: readonly number[]): Node {
  if (x.shape.length < 2 || dims.length !== 2)
    throw new ShapeError(`rot90: turns in two dimensions, not [${dims}] of shape ${shapeText(x.shape)}`);
  const [a, b] = dims.map((d) => dimOf("rot90", d, x.shape.length, x.shape)) as [number, number];
  if (a === b) throw new ArgumentError(`rot90: dims [${dims}] are the same`);
  const turns = ((k % 4) + 4) % 4;
  if (turns === 0) return x;
  if (turns === 2) return flip(x, [a, b]);
  return turns === 1 ? transpose(flip(x, b), a, b) : flip(transpose(x, a, b), b);
}

/** Pieces of nearly equal size, or cut at indices, along a dimension. */
export function tensorSplit(
  x: Node,
  indices: number | readonly number[],
  dim: number,
  op = "tensorSplit",
): Node[] {
  if (x.shape.length === 0) throw new ShapeError(`${op}: a scalar cannot be cut; use reshape([1]) first`);
  const axis = dimOf(op, dim, x.shape.length, x.shape);
  const size = x.shape[axis]!;
  if (typeof indices !== "number") {
    const ends = [...indices, size];
    return ends.map((end, i) => slice(x, axis, i === 0 ? 0 : ends[i - 1]!, end));
  }
  if (indices < 1) throw new ArgumentError(`${op}: into ${indices} pieces; at least one`);
  const least = Math.floor(size / indices);
  const larger = size % indices;
  return split(
    x,
    Array.from({ length: indices }, (_, i) => least + (i < larger ? 1 : 0)),
    axis,
  );
}

/** What a tensor of integers stands for in `tensorSplit`: a scalar for a count, a vector for indices. */
export function splitPlaces({ shape, dtype }: Node, values: ArrayLike<number>): number | number[] {
  if (shape.length > 1 || isFloat(dtype) || dtype === "bool")
    throw new ShapeError(
      `tensorSplit: takes an integer or a vector of them, not ${dtype}${shapeText(shape)}`,
    );
  return shape.length === 0 ? values[0]! : Array.from(values);
}

/** As `tensorSplit` along columns, rows or planes; pieces must be of equal size. */
export function splitAlong(
  op: "hsplit" | "vsplit" | "dsplit",
  x: Node,
  indices: number | readonly number[],
): Node[] {
  const rank = x.shape.length;
  const least = { hsplit: 1, vsplit: 2, dsplit: 3 }[op];
  if (rank < least)
    throw new ShapeError(`${op}: takes at least ${least} dimensions, not shape ${shapeText(x.shape)}`);
  const axis = op === "vsplit" ? 0 : op === "dsplit" ? 2 : rank === 1 ? 0 : 1;
  if (typeof indices === "number" && (indices < 1 || x.shape[axis]! % indices !== 0))
    throw new ArgumentError(`${op}: ${x.shape[axis]} cannot be cut into ${indices} pieces of equal size`);
  return tensorSplit(x, indices, axis, op);
}

/** Windows of a size along a dimension, one every `step`, each a last dimension. */
export function unfold(x: Node, dim: number, size: number, step: number): Node {
  const axis = dimOf("unfold", dim, x.shape.length, x.shape);
  const total = x.shape[axis] ?? 1;
  if (size < 0 || size > total || step < 1)
    throw new ArgumentError(
      `unfold: windows of ${size} every ${step} along dimension ${dim} of shape ${shapeText(x.shape)}; a window has at most ${total} elements, a step is above 0`,
    );
  if (x.shape.length === 0) return build.reshape(x, [size]);
  const count = Math.floor((total - size) / step) + 1;
  const starts = node("iota", [], { shape: [count, size], axis: 0, dtype: "i32" });
  const offsets = node("iota", [], { shape: [count, size], axis: 1, dtype: "i32" });
  const places = build.add(build.mul(starts, build.filledLike(step, starts)), offsets);
  const line = movedim(x, axis, -1);
  const outer = line.shape.slice(0, -1);
  const index = broadcastTo(
    build.reshape(places, [...outer.map(() => 1), count * size]),
    [...outer, count * size],
    "unfold",
  );
  const taken = build.reshape(node("gather", [line, index], { axis: outer.length }), [...outer, count, size]);
  return movedim(taken, -2, axis);
}

/** The last dimension as a diagonal of two new ones. */
export function diagEmbed(x: Node, offset: number, dim1: number, dim2: number): Node {
  if (x.shape.length === 0) throw new ShapeError("diagEmbed: takes at least one dimension, not a scalar");
  const rank = x.shape.length + 1;
  const [a, b] = [dimOf("diagEmbed", dim1, rank), dimOf("diagEmbed", dim2, rank)];
  if (a === b) throw new ArgumentError(`diagEmbed: dims ${dim1} and ${dim2} are the same`);
  const size = x.shape.at(-1)!;
  const n = size + Math.abs(offset);
  const outer = x.shape.slice(0, -1);
  // Where column j meets the diagonal is element j less the columns before it.
  const shape = [...outer, n, n];
  const row = node("iota", [], { shape: [n, n], axis: 0, dtype: "i32" });
  const column = node("iota", [], { shape: [n, n], axis: 1, dtype: "i32" });
  const on = build.eq(column, build.add(row, build.filledLike(offset, row)));
  const [top, left] = [Math.max(0, -offset), Math.max(0, offset)];
  const along = build.padAxis(x, outer.length, left, top, 0);
  const rows = broadcastTo(build.reshape(along, [...outer, 1, n]), shape, "diagEmbed");
  const zero = build.filled(0, shape, x.dtype);
  const matrix = where(broadcastTo(on, shape, "diagEmbed"), rows, zero);
  return movedim(build.cast(matrix, x.dtype), [rank - 2, rank - 1], [a, b]);
}

/** x with the elements that a selection picks replaced, in order, by those of a source of the selection's shape. */
export function replaced(op: string, x: Node, pick: (places: Node) => Node, source: Node): Node {
  const places = placesOf(x, pick);
  if (!sameShape(places.shape, source.shape))
    throw new ShapeError(
      `${op}: a source of shape ${shapeText(source.shape)} for elements of shape ${shapeText(places.shape)}; they must be equal`,
    );
  return written(x, places, build.cast(source, x.dtype), false);
}

/** Where the elements that a selection picks are in x, laid out in one row. */
export const placesOf = (x: Node, pick: (places: Node) => Node): Node =>
  pick(build.reshape(node("iota", [], { shape: [sizeOf(x.shape)], axis: 0, dtype: "i32" }), x.shape));

/** x with values of its dtype at places of it, one for each, or with these added. */
export function written(x: Node, places: Node, values: Node, accumulate: boolean): Node {
  const chosen = [sizeOf(places.shape)];
  if (chosen[0] === 0) return x;
  const dtype = computeDtype(x.dtype);
  const [flat, updates] = [build.reshape(x, [sizeOf(x.shape)]), build.reshape(values, chosen)].map((n) =>
    build.cast(n, dtype),
  ) as [Node, Node];
  const operands = [flat, build.reshape(places, chosen), updates];
  const result = accumulate
    ? node("scatterAdd", operands, { axis: 0 })
    : node("scatter", operands, { axis: 0 });
  return build.cast(build.reshape(result, x.shape), x.dtype);
}

/** Matrices along the diagonal of one. */
export function blockDiag(blocks: readonly Node[]): Node {
  if (blocks.length === 0) throw new ArgumentError("blockDiag: needs at least one tensor");
  const matrices = blocks.map((x) => {
    if (x.shape.length > 2)
      throw new ShapeError(`blockDiag: takes at most 2 dimensions, not shape ${shapeText(x.shape)}`);
    return x.shape.length === 2 ? x : reshape(x, [1, -1]);
  });
  const width = matrices.reduce((n, m) => n + m.shape[1]!, 0);
  let left = 0;
  const rows = matrices.map((m) => {
    const before = left;
    left += m.shape[1]!;
    return build.padAxis(m, 1, before, width - left, 0);
  });
  return rows.length === 1 ? rows[0]! : node("concat", rows, { axis: 0 });
}
