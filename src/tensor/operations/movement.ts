import { isFloat } from "../../base/dtype.ts";
import { ArgumentError, IndexError, ShapeError } from "../../base/errors.ts";
import { type Shape, shapeText, sizeOf } from "../../base/shape.ts";
import { hostNode } from "../../engine/trace.ts";
import * as build from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { dimOf } from "./dims.ts";
import { le, where } from "./elementwise.ts";
import { storedNumber } from "./number.ts";
import { broadcastTo, resultDtype } from "./promote.ts";

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const dim = (op: string, x: Node, d: number): number => dimOf(op, d, x.shape.length, x.shape);
/** A dimension of a tensor that has some: a scalar has none to be cut along. */
function sizedDim(op: string, x: Node, d: number): number {
  const axis = dim(op, x, d);
  if (x.shape.length === 0)
    throw new IndexError(`${op}: a scalar has no dimension ${d}; use reshape([1]) first`);
  return axis;
}
const replaced = (shape: Shape, axis: number, ...sizes: number[]): number[] =>
  shape.toSpliced(axis, 1, ...sizes);

/** Dimensions, each named once. */
function distinct(op: string, x: Node, dims: number | readonly number[]): number[] {
  const found = [dims].flat().map((d) => dim(op, x, d));
  if (new Set(found).size !== found.length)
    throw new ArgumentError(`${op}: dimension named twice in [${dims}]`);
  return found;
}

/** The shape with its one -1 worked out, so that it has `count` elements. */
function inferred(op: string, shape: readonly number[], count: number, from: Shape): number[] {
  const unknown = shape.indexOf(-1);
  const known = shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const bad = (): ShapeError =>
    new ShapeError(
      `${op}: shape ${shapeText(shape)} does not hold the ${count} elements of a tensor of shape ${shapeText(from)}`,
    );
  if (shape.some((d) => !Number.isInteger(d) || d < -1) || unknown !== shape.lastIndexOf(-1)) throw bad();
  if (unknown >= 0 && known > 0 && count % known === 0)
    return shape.map((d) => (d === -1 ? count / known : d));
  if (unknown >= 0 || known !== count) throw bad();
  return [...shape];
}

/** The same elements in another shape; one size may be -1. */
export const reshape = (x: Node, shape: readonly number[]): Node =>
  build.reshape(x, inferred("reshape", shape, sizeOf(x.shape), x.shape));

/** Dimensions in another order. */
export function permute(x: Node, dims: readonly number[]): Node {
  if (dims.length !== x.shape.length)
    throw new ShapeError(`permute: dims [${dims}] do not reorder shape ${shapeText(x.shape)}`);
  return build.permute(
    x,
    dims.map((d) => dim("permute", x, d)),
  );
}

/** Two dimensions swapped. */
export function transpose(x: Node, dim0: number, dim1: number): Node {
  const [a, b] = [dim("transpose", x, dim0), dim("transpose", x, dim1)];
  return build.permute(
    x,
    range(x.shape.length).map((i) => (i === a ? b : i === b ? a : i)),
  );
}

/** A matrix transposed; a vector or scalar as it is. */
export function t(x: Node): Node {
  if (x.shape.length > 2)
    throw new ShapeError(
      `t: takes at most 2 dimensions, not shape ${shapeText(x.shape)}; use transpose or mT`,
    );
  return x.shape.length < 2 ? x : transpose(x, 0, 1);
}

/** Dimensions moved to other places. */
export function movedim(
  x: Node,
  source: number | readonly number[],
  destination: number | readonly number[],
): Node {
  const from = [source].flat().map((d) => dim("movedim", x, d));
  const to = [destination].flat().map((d) => dim("movedim", x, d));
  if (from.length !== to.length || new Set(from).size !== from.length || new Set(to).size !== to.length)
    throw new ArgumentError(`movedim: [${source}] to [${destination}] is not one place for each dimension`);
  const rest = range(x.shape.length).filter((i) => !from.includes(i));
  return build.permute(
    x,
    range(x.shape.length).map((i) => (to.includes(i) ? from[to.indexOf(i)]! : rest.shift()!)),
  );
}

/** Neighbouring dimensions as one. */
export function flatten(x: Node, startDim = 0, endDim = -1): Node {
  const [start, end] = [dim("flatten", x, startDim), dim("flatten", x, endDim)];
  if (start > end) throw new ArgumentError(`flatten: startDim ${startDim} comes after endDim ${endDim}`);
  return build.reshape(x, [
    ...x.shape.slice(0, start),
    sizeOf(x.shape.slice(start, end + 1)),
    ...x.shape.slice(end + 1),
  ]);
}

/** One dimension as several; one size may be -1. */
export function unflatten(x: Node, d: number, sizes: readonly number[]): Node {
  const axis = sizedDim("unflatten", x, d);
  if (sizes.length === 0) throw new ShapeError("unflatten: there are no sizes; give one or more");
  return build.reshape(
    x,
    replaced(x.shape, axis, ...inferred("unflatten", sizes, x.shape[axis]!, [x.shape[axis]!])),
  );
}

/** Without dimensions of size 1: all, or those named. */
export function squeeze(x: Node, dims?: number | readonly number[]): Node {
  const named = dims === undefined ? range(x.shape.length) : distinct("squeeze", x, dims);
  return build.reshape(
    x,
    x.shape.filter((d, i) => d !== 1 || !named.includes(i)),
  );
}

/** With a dimension of size 1 more. */
export function unsqueeze(x: Node, d: number): Node {
  const axis = dimOf("unsqueeze", d, x.shape.length + 1);
  return build.reshape(x, x.shape.toSpliced(axis, 0, 1));
}

/** Repeated along dimensions of size 1 up to a shape; -1 keeps a size. */
export function expand(x: Node, shape: readonly number[]): Node {
  const missing = shape.length - x.shape.length;
  if (shape.some((d, i) => d < -1 || (d === -1 && i < missing)))
    throw new ShapeError(
      `expand: ${shapeText(shape)} for a tensor of shape ${shapeText(x.shape)}: -1 keeps the size of a dimension that the ` +
        "tensor has, new ones in front need a size",
    );
  return broadcastTo(
    x,
    shape.map((d, i) => (d === -1 && i >= missing ? x.shape[i - missing]! : d)),
    "expand",
  );
}

/** The whole repeated, so many times along each dimension. */
export function repeat(x: Node, times: readonly number[]): Node {
  const missing = times.length - x.shape.length;
  if (missing < 0 || times.some((n) => !Number.isInteger(n) || n < 0))
    throw new ShapeError(
      `repeat: [${times}] for a tensor of shape ${shapeText(x.shape)}; give a count for each dimension`,
    );
  const shape = [...new Array<number>(missing).fill(1), ...x.shape];
  const apart = build.reshape(
    x,
    shape.flatMap((d) => [1, d]),
  );
  return build.reshape(
    build.expand(
      apart,
      shape.flatMap((d, i) => [times[i]!, d]),
    ),
    shape.map((d, i) => d * times[i]!),
  );
}

/** Each element repeated, along a dimension or, without one, flattened. */
export function repeatInterleave(input: Node, times: number, d?: number | null): Node {
  if (times < 0)
    throw new ArgumentError(`repeatInterleave: each element ${times} times; a count is from 0 on`);
  const x = d === undefined || d === null || input.shape.length === 0 ? flatten(input) : input;
  const axis = dim("repeatInterleave", x, d ?? 0);
  const apart = build.expand(
    build.reshape(x, replaced(x.shape, axis, x.shape[axis]!, 1)),
    replaced(x.shape, axis, x.shape[axis]!, times),
  );
  return build.reshape(apart, replaced(x.shape, axis, x.shape[axis]! * times));
}

/** Each slice along a dimension repeated as often as `counts` says, or all as often as its one element does. */
export function repeatEach(input: Node, times: Node, counts: ArrayLike<number>, d?: number | null): Node {
  if (times.shape.length > 1 || isFloat(times.dtype) || times.dtype === "bool")
    throw new ShapeError(
      `repeatInterleave: counts are integers, one or a vector of them, not ${times.dtype}${shapeText(times.shape)}`,
    );
  const x = d === undefined || d === null || input.shape.length === 0 ? flatten(input) : input;
  const axis = dim("repeatInterleave", x, d ?? 0);
  const size = x.shape[axis]!;
  if (counts.length !== 1 && counts.length !== size)
    throw new ShapeError(
      `repeatInterleave: ${counts.length} counts for the ${size} slices of dimension ${axis} of shape ${shapeText(x.shape)}`,
    );
  const count = (i: number): number => counts[counts.length === 1 ? 0 : i]!;
  const places: number[] = [];
  for (let i = 0; i < size; i++) {
    if (count(i) < 0) throw new ArgumentError(`repeatInterleave: a count is ${count(i)}; each is from 0 on`);
    for (let k = 0; k < count(i); k++) places.push(i);
  }
  const lines = replaced(x.shape, axis, places.length);
  if (places.length === 0) return build.sliceAxis(x, axis, 0, 0);
  const column = hostNode(
    Int32Array.from(places),
    "i32",
    lines.map((n, i) => (i === axis ? n : 1)),
  );
  return node("gather", [x, broadcastTo(column, lines, "repeatInterleave")], { axis });
}

/** Dimensions run backwards. */
export function flip(x: Node, dims: number | readonly number[]): Node {
  const axes = distinct("flip", x, dims);
  return x.shape.length === 0 ? x : axes.reduce((y, axis) => build.flip(y, axis), x);
}

/** Elements moved along dimensions, what falls off at the end comes back at the front. */
export function roll(
  x: Node,
  shifts: number | readonly number[],
  dims?: number | readonly number[] | null,
): Node {
  const by = [shifts].flat();
  const along = [dims ?? []].flat();
  if (along.length === 0 && by.length === 1) return build.reshape(roll(flatten(x), by, 0), x.shape);
  if (by.length !== along.length || by.length === 0)
    throw new ArgumentError(`roll: ${by.length} shifts for ${along.length} dims`);
  return along.reduce((y, d, i) => {
    const axis = sizedDim("roll", x, d);
    const size = x.shape[axis]!;
    const shift = size === 0 ? 0 : ((by[i]! % size) + size) % size;
    if (shift === 0) return y;
    return node(
      "concat",
      [build.sliceAxis(y, axis, size - shift, shift), build.sliceAxis(y, axis, 0, size - shift)],
      { axis },
    );
  }, x);
}

/** `length` elements along a dimension, from `start` on. */
export function narrow(x: Node, d: number, start: number, length: number): Node {
  const axis = sizedDim("narrow", x, d);
  const size = x.shape[axis]!;
  const from = start < 0 ? start + size : start;
  if (from < 0 || length < 0 || from + length > size)
    throw new IndexError(`narrow: start ${start} and length ${length} exceed size ${size} of dimension ${d}`);
  return build.sliceAxis(x, axis, from, length);
}

/** One index of a dimension, which goes. */
export function select(x: Node, d: number, index: number): Node {
  const axis = dim("select", x, d);
  const size = x.shape[axis]!;
  if (x.shape.length === 0 || !Number.isInteger(index) || index < -size || index >= size)
    throw new IndexError(
      `select: index ${index} is out of range for dimension ${d} of shape ${shapeText(x.shape)}`,
    );
  const piece = build.sliceAxis(x, axis, index < 0 ? index + size : index, 1);
  return build.reshape(piece, replaced(x.shape, axis));
}

/** Every `step`th element along a dimension from `start` to before `end`, clipped to the size as Python's slices. */
export function slice(x: Node, d: number, start?: number | null, end?: number | null, step = 1): Node {
  const axis = dim("slice", x, d);
  if (x.shape.length === 0) throw new IndexError("slice: a scalar has no dimension to slice");
  if (!Number.isInteger(step) || step < 1)
    throw new ArgumentError(`slice: step ${step} must be a whole number above 0; use flip() to go backwards`);
  const size = x.shape[axis]!;
  const clipped = (at: number): number => Math.min(size, Math.max(0, at < 0 ? at + size : at));
  const from = clipped(start ?? 0);
  const count = Math.max(0, Math.ceil((clipped(end ?? size) - from) / step));
  return node("slice", [x], {
    start: x.shape.map((_, i) => (i === axis ? from : 0)),
    size: x.shape.map((n, i) => (i === axis ? count : n)),
    step: x.shape.map((_, i) => (i === axis ? step : 1)),
  });
}

/** Elements of `value` around it: pairs (before, after) from the last dimension on, negative ones crop, as `F.pad`. */
export function pad(x: Node, padding: readonly number[], value = 0): Node {
  const rank = x.shape.length;
  if (padding.length % 2 !== 0 || padding.length > 2 * rank)
    throw new ShapeError(
      `pad: [${padding}] are not pairs for the ${rank} dimensions of shape ${shapeText(x.shape)}`,
    );
  const low = x.shape.map((_, i) => padding[2 * (rank - 1 - i)] ?? 0);
  const high = x.shape.map((_, i) => padding[2 * (rank - 1 - i) + 1] ?? 0);
  let cropped = x;
  for (let i = 0; i < rank; i++) {
    const start = Math.max(0, -low[i]!);
    const size = x.shape[i]! - start - Math.max(0, -high[i]!);
    if (size < 0)
      throw new ShapeError(`pad: [${padding}] takes away more than shape ${shapeText(x.shape)} has`);
    cropped = build.sliceAxis(cropped, i, start, size);
  }
  return build.pad(
    cropped,
    low.map((p) => Math.max(0, p)),
    high.map((p) => Math.max(0, p)),
    storedNumber("pad", value, x.dtype),
  );
}

/** Tensors joined along a dimension. */
export function cat(tensors: readonly Node[], d = 0): Node {
  if (tensors.length === 0) throw new ArgumentError("cat: needs at least one tensor");
  const dtype = resultDtype(tensors);
  // PyTorch lets an empty vector be joined to anything.
  const some = tensors.filter((x) => x.shape.length !== 1 || x.shape[0] !== 0);
  if (some.length === 0) return build.cast(tensors[0]!, dtype);
  const parts = some.map((x) => build.cast(x, dtype));
  const first = parts[0]!;
  if (first.shape.length === 0) throw new ShapeError("cat: scalars cannot be joined; use stack");
  const axis = dim("cat", first, d);
  for (const x of parts)
    if (x.shape.length !== first.shape.length || x.shape.some((n, i) => i !== axis && n !== first.shape[i]))
      throw new ShapeError(
        `cat: shapes ${parts.map((p) => shapeText(p.shape)).join(", ")} must agree but for dimension ${axis}`,
      );
  return parts.length === 1 ? first : node("concat", parts, { axis });
}

/** Tensors of one shape joined along a new dimension. */
export function stack(tensors: readonly Node[], d = 0): Node {
  if (tensors.length === 0) throw new ArgumentError("stack: needs at least one tensor");
  const { shape } = tensors[0]!;
  for (const x of tensors)
    if (shapeText(x.shape) !== shapeText(shape))
      throw new ShapeError(
        `stack: shapes ${tensors.map((s) => shapeText(s.shape)).join(", ")} must be equal`,
      );
  const axis = dimOf("stack", d, shape.length + 1);
  return cat(
    tensors.map((x) => unsqueeze(x, axis)),
    axis,
  );
}

/** Pieces of a size, or of the sizes given, along a dimension. */
export function split(x: Node, sizes: number | readonly number[], d = 0): Node[] {
  const axis = sizedDim("split", x, d);
  const total = x.shape[axis]!;
  if (typeof sizes === "number") {
    if (sizes < 0 || (sizes === 0 && total > 0))
      throw new ArgumentError(
        `split: pieces of size ${sizes} of dimension ${d} of shape ${shapeText(x.shape)}`,
      );
    const count = total === 0 ? 1 : Math.ceil(total / sizes);
    return range(count).map((i) => build.sliceAxis(x, axis, i * sizes, Math.min(sizes, total - i * sizes)));
  }
  if (sizes.reduce((n, s) => n + s, 0) !== total || sizes.some((s) => s < 0))
    throw new ShapeError(
      `split: sizes [${sizes}] do not add up to ${total}, dimension ${d} of shape ${shapeText(x.shape)}`,
    );
  let start = 0;
  return sizes.map((s) => build.sliceAxis(x, axis, (start += s) - s, s));
}

/** At most `chunks` pieces of equal size, the last one smaller. */
export function chunk(x: Node, chunks: number, d = 0): Node[] {
  if (!Number.isInteger(chunks) || chunks < 1) throw new ArgumentError(`chunk: into ${chunks} pieces`);
  const total = x.shape[sizedDim("chunk", x, d)]!;
  return split(x, total === 0 ? new Array<number>(chunks).fill(0) : Math.ceil(total / chunks), d);
}

/** Every index of a dimension. */
export const unbind = (x: Node, d = 0): Node[] =>
  range(x.shape[sizedDim("unbind", x, d)]!).map((i) => select(x, d, i));

/** Lower triangle of the last two dimensions, up to a diagonal; 0 above. */
export const tril = (x: Node, diagonal = 0): Node =>
  triangle("tril", x, (row, column) => le(column, offset(row, diagonal)));
/** Upper triangle of the last two dimensions, from a diagonal on; 0 below. */
export const triu = (x: Node, diagonal = 0): Node =>
  triangle("triu", x, (row, column) => le(offset(row, diagonal), column));

const offset = (row: Node, diagonal: number): Node => build.add(row, build.filledLike(diagonal, row));

function triangle(op: string, x: Node, inside: (row: Node, column: Node) => Node): Node {
  const rank = x.shape.length;
  if (rank < 2) throw new ShapeError(`${op}: takes at least 2 dimensions, not shape ${shapeText(x.shape)}`);
  const shape = x.shape.slice(-2);
  const iota = (axis: number): Node => node("iota", [], { shape, axis, dtype: "i32" });
  return build.cast(where(inside(iota(0), iota(1)), x, isFloat(x.dtype) ? 0 : false), x.dtype);
}

/** Elements on a diagonal of two dimensions, as a last dimension. */
export function diagonal(x: Node, offsetBy = 0, dim1 = 0, dim2 = 1): Node {
  const [a, b] = [dim("diagonal", x, dim1), dim("diagonal", x, dim2)];
  if (a === b) throw new ArgumentError(`diagonal: dims ${dim1} and ${dim2} are the same`);
  const rest = range(x.shape.length).filter((i) => i !== a && i !== b);
  const moved = build.permute(x, [...rest, a, b]);
  const [rows, columns] = [x.shape[a]!, x.shape[b]!];
  const [top, left] = [Math.max(0, -offsetBy), Math.max(0, offsetBy)];
  const count = Math.max(0, Math.min(rows - top, columns - left));
  const r = rest.length;
  if (count === 0) return build.reshape(build.sliceAxis(moved, r, 0, 0), [...moved.shape.slice(0, r), 0]);
  const square = build.sliceAxis(build.sliceAxis(moved, r, top, count), r + 1, left, count);
  // In a square laid out in one row, the diagonal is every (count + 1)th element.
  const line = build.reshape(square, [...moved.shape.slice(0, r), count * count]);
  return slice(line, r, 0, count * count, count + 1);
}

/** A vector as a matrix's diagonal; of a matrix, its diagonal. */
export function diag(x: Node, offsetBy = 0): Node {
  if (x.shape.length === 2) return diagonal(x, offsetBy);
  if (x.shape.length !== 1)
    throw new ShapeError(`diag: takes a vector or a matrix, not shape ${shapeText(x.shape)}`);
  const size = x.shape[0]!;
  const n = size + Math.abs(offsetBy);
  if (size === 0) return build.filled(0, [n, n], x.dtype);
  // Each element, then a row's worth of zeros: cut to size, that is the matrix.
  const spaced = build.reshape(build.pad(build.reshape(x, [size, 1]), [0, 0], [0, n]), [size * (n + 1)]);
  const start = offsetBy < 0 ? -offsetBy * n : offsetBy;
  const line = build.padAxis(spaced, 0, start, Math.max(0, n * n - start - size * (n + 1)), 0);
  return build.reshape(build.sliceAxis(line, 0, 0, n * n), [n, n]);
}
