import { integerRange, isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../base/errors.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../../base/shape.ts";
import { cast, filled, filledLike, pad, reshape } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { written } from "./arrangement.ts";
import { dimOf } from "./dims.ts";
import { add, eq, mul, sub, truth, where } from "./elementwise.ts";
import { alongDim, checkedIndices, fromFront, scatterAdd } from "./indexing.ts";
import { integerQuotient } from "./integer-division.ts";
import { unsqueeze } from "./movement.ts";
import { numberOf, storedNumber } from "./number.ts";
import { broadcastShape, broadcastTo, computeDtype, constant, type Operand } from "./promote.ts";
import { amax, amin, prod, sum } from "./reduction.ts";
import { stated } from "./stated.ts";

/** What becomes of elements that meet at one index. */
export type ScatterReduce = "sum" | "prod" | "mean" | "amax" | "amin";

/** Updates for indices: what is given, cut to the indices' shape; a number stands for all of them. */
function updatesFor(op: string, x: Node, indices: Node, source: Operand): Node {
  if (typeof source !== "object") return filled(Number(source), indices.shape, computeDtype(x.dtype));
  const values = source.shape.length === 0 ? reshape(source, [1]) : source;
  if (values.dtype !== x.dtype)
    throw new DTypeError(
      `${op}: the source is ${values.dtype}, the tensor ${x.dtype}; cast one to the other`,
    );
  if (values.shape.length !== indices.shape.length || values.shape.some((n, i) => n < indices.shape[i]!))
    throw new ShapeError(
      `${op}: a source of shape ${shapeText(values.shape)} for indices of shape ${shapeText(indices.shape)}: it must be as large`,
    );
  return cast(corner(values, indices.shape), computeDtype(x.dtype));
}

/** The first elements along each dimension. */
const corner = (x: Node, shape: Shape): Node =>
  sameShape(x.shape, shape)
    ? x
    : node("slice", [x], { start: shape.map(() => 0), size: shape, step: shape.map(() => 1) });

/** `x` with the lines that indices reach, those of the first lines along the other dimensions, made anew. */
function onLines(x: Node, axis: number, indices: Node, change: (lines: Node) => Node): Node {
  const shape = indices.shape.map((n, i) => (i === axis ? x.shape[i]! : n));
  const changed = change(corner(x, shape));
  if (sameShape(shape, x.shape)) return changed;
  const low = shape.map(() => 0);
  const high = shape.map((n, i) => x.shape[i]! - n);
  const reached = cast(pad(filled(1, shape, "i32"), low, high), "bool");
  return where(reached, pad(changed, low, high), x);
}

/** x with the elements at indices along a dimension replaced; where indices repeat, the last one stays. */
export function scatter(
  input: Node,
  dim: number,
  index: Node,
  source: Operand,
  reduce?: "add" | "multiply",
): Node {
  if (reduce === "add") return scatterAdd(input, dim, index, asSource("scatter", input, index, source));
  if (reduce === "multiply")
    return scatterReduce(input, dim, index, asSource("scatter", input, index, source), "prod");
  const { x, axis, indices } = alongDim("scatter", input, dim, index);
  if (sizeOf(index.shape) === 0) return input;
  const updates = updatesFor("scatter", x, indices, source);
  const result = onLines(cast(x, updates.dtype), axis, indices, (lines) =>
    node("scatter", [lines, indices, updates], { axis }),
  );
  return reshape(cast(result, input.dtype), input.shape);
}

const asSource = (op: string, x: Node, index: Node, source: Operand): Node =>
  typeof source === "object" ? source : cast(updatesFor(op, x, index, source), x.dtype);

/** x with the elements of a source reduced into it at indices along a dimension, as `torch.scatter_reduce`. */
export function scatterReduce(
  input: Node,
  dim: number,
  index: Node,
  source: Node,
  reduce: ScatterReduce,
  includeSelf = true,
): Node {
  if (input.dtype === "bool" && source.dtype === "bool") {
    const [numbers, updates] = [cast(input, "i32"), cast(source, "i32")];
    return truth(scatterReduce(numbers, dim, index, updates, reduce, includeSelf));
  }
  const { x, axis, indices } = alongDim("scatterReduce", input, dim, index);
  if (sizeOf(index.shape) === 0) return input;
  const updates = updatesFor("scatterReduce", x, indices, source);
  const result = onLines(cast(x, updates.dtype), axis, indices, (lines) => {
    // Which update goes where, as a table of updates (before the dimension) by places (in it).
    const places = node("iota", [], { shape: [lines.shape[axis]!], axis: 0, dtype: "i32" });
    const rest = lines.shape.slice(axis + 1).map(() => 1);
    const hits = eq(unsqueeze(indices, axis + 1), reshape(places, [places.shape[0]!, ...rest]));
    const candidates = (none: number): Node => where(hits, unsqueeze(updates, axis + 1), none);
    const count = sum(hits, axis);
    const untouched = eq(count, 0);
    const own = (none: number): Node => (includeSelf ? lines : where(untouched, lines, none));
    if (reduce === "prod") return mul(own(1), cast(prod(candidates(1), axis), lines.dtype));
    if (reduce === "sum" || reduce === "mean") {
      const total = add(own(0), cast(sum(candidates(0), axis), lines.dtype));
      if (reduce === "sum") return total;
      const terms = includeSelf ? add(count, 1) : where(untouched, 1, count);
      return floorMean(total, terms);
    }
    const extreme = reduce === "amax" ? amax : amin;
    const worst = worstOf(lines, reduce);
    const joined = node("concat", [unsqueeze(own(worst), axis), candidates(worst)], { axis });
    return extreme(joined, axis);
  });
  return reshape(cast(result, input.dtype), input.shape);
}

function floorMean(total: Node, terms: Node): Node {
  if (!isFloat(total.dtype)) return integerQuotient(total, terms, "floor");
  return node("div", [total, cast(terms, total.dtype)], {});
}

/** What loses to everything. */
function worstOf({ dtype }: Node, reduce: "amax" | "amin"): number {
  const [least, most] = integerRange(dtype) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return reduce === "amax" ? least : most;
}

/** A vector of indices along a dimension, repeated over a source's other dimensions; both checked to fit. */
function columnOf(
  op: string,
  input: Node,
  dim: number,
  index: Node,
  source: Shape,
): { axis: number; lines: Node } {
  const axis = dimOf(op, dim, input.shape.length, input.shape);
  if (index.shape.length > 1)
    throw new ShapeError(`${op}: the index is a vector, not of shape ${shapeText(index.shape)}`);
  const count = sizeOf(index.shape);
  const wanted = input.shape.map((n, i) => (i === axis ? count : n));
  if (!sameShape(source, wanted))
    throw new ShapeError(
      `${op}: a source of shape ${shapeText(source)} for ${count} indices along dimension ${dim} of shape ${shapeText(input.shape)}: it must be ${shapeText(wanted)}`,
    );
  const checked = fromFront(op, index, input.shape[axis] ?? 1);
  const shape = input.shape.length === 0 ? [1] : wanted;
  const column = reshape(
    checked,
    shape.map((_, i) => (i === axis ? count : 1)),
  );
  return { axis, lines: broadcastTo(column, shape, op) };
}

/** x with whole slices of a source, times alpha, added at a vector of indices along a dimension. */
export function indexAdd(input: Node, dim: number, index: Node, source: Node, alpha: Operand): Node {
  if (source.dtype !== input.dtype)
    throw new DTypeError(
      `indexAdd: the source is ${source.dtype}, the tensor ${input.dtype}; cast one to the other`,
    );
  const { axis, lines } = columnOf("indexAdd", input, dim, index, source.shape);
  const terms = reshape(
    alpha === 1 || alpha === true ? source : cast(mul(source, alpha), source.dtype),
    lines.shape,
  );
  const into = lineUp(input);
  // The sum of bools is whether one of them is true.
  if (input.dtype === "bool")
    return reshape(truth(scatterAdd(cast(into, "i32"), axis, lines, cast(terms, "i32"))), input.shape);
  return reshape(scatterAdd(into, axis, lines, terms), input.shape);
}

const lineUp = (x: Node): Node => (x.shape.length === 0 ? reshape(x, [1]) : x);

/** x with whole slices at a vector of indices along a dimension replaced by those of a source. */
export function indexCopy(input: Node, dim: number, index: Node, source: Node): Node {
  const { axis, lines } = columnOf("indexCopy", input, dim, index, source.shape);
  return reshape(scatter(lineUp(input), axis, lines, reshape(source, lines.shape)), input.shape);
}

/** x with one value at a vector of indices along a dimension. */
export function indexFill(input: Node, dim: number, index: Node, value: Operand): Node {
  if (typeof value === "object" && value.shape.length > 0)
    throw new ShapeError(
      `indexFill: the value is a number, or a tensor of shape [], not ${shapeText(value.shape)}`,
    );
  const axis = dimOf("indexFill", dim, input.shape.length, input.shape);
  const source = input.shape.map((n, i) => (i === axis ? sizeOf(index.shape) : n));
  const { lines } = columnOf("indexFill", input, dim, index, source);
  if (sizeOf(lines.shape) === 0) return input;
  const into = cast(lineUp(input), computeDtype(input.dtype));
  const one = cast(typeof value === "object" ? value : constant(value, input.dtype), into.dtype);
  const replaced = (x: Node, by: Node): Node =>
    node("scatter", [x, lines, broadcastTo(by, lines.shape, "indexFill")], { axis });
  // An index that is there twice counts once in the value's gradient, as in PyTorch.
  const reached = (g: Node): Node => truth(replaced(filledLike(0, g), constant(1, g.dtype)));
  const result = stated(
    replaced(into, one),
    [into, (g) => replaced(g, constant(0, g.dtype))],
    [one, (g) => sum(where(reached(g), g, 0))],
  );
  return reshape(cast(result, input.dtype), input.shape);
}

/** Elements of the flattened tensor at indices of any shape, negative ones from the end. */
export function take(input: Node, index: Node): Node {
  const count = sizeOf(input.shape);
  if (count === 0 && sizeOf(index.shape) > 0)
    throw new IndexError(`take: there is nothing to take from a tensor of shape ${shapeText(input.shape)}`);
  const flat = reshape(input, [count]);
  const places = reshape(fromFront("take", index, count), [sizeOf(index.shape)]);
  return reshape(node("gather", [flat, places], { axis: 0 }), index.shape);
}

/** x with elements of the flattened tensor at indices replaced by those of a source, or with these added. */
export function put(input: Node, index: Node, source: Node, accumulate: boolean): Node {
  if (sizeOf(source.shape) !== sizeOf(index.shape))
    throw new ShapeError(
      `put: a source of shape ${shapeText(source.shape)} for indices of shape ${shapeText(index.shape)}: it must have as many elements`,
    );
  const flat = reshape(input, [sizeOf(input.shape)]);
  const places = reshape(fromFront("put", index, sizeOf(input.shape)), [sizeOf(index.shape)]);
  const values = reshape(source, places.shape);
  return reshape(
    accumulate ? scatterAdd(flat, 0, places, values) : scatter(flat, 0, places, values),
    input.shape,
  );
}

/** x with the elements where a mask is true replaced by those of a source, one after the other. */
export function maskedScatter(given: Node, mask: Node, source: Node): Node {
  if (mask.dtype !== "bool")
    throw new DTypeError(
      `maskedScatter: the mask is ${mask.dtype}, not bool; compare it with something first`,
    );
  const input = broadcastTo(given, broadcastShape([given, mask], "maskedScatter"), "maskedScatter");
  if (source.dtype !== input.dtype)
    throw new DTypeError(
      `maskedScatter: the source is ${source.dtype}, the tensor ${input.dtype}; cast one to the other`,
    );
  const chosen = reshape(broadcastTo(mask, input.shape, "maskedScatter"), [sizeOf(input.shape)]);
  if (sizeOf(input.shape) === 0) return input;
  const before = sub(node("cumsum", [cast(chosen, "i32")], { axis: 0 }), 1);
  // Places that the mask leaves out look at the first element of the source, which is not used.
  const places = checkedIndices(
    "maskedScatter",
    where(chosen, before, 0),
    0,
    Math.max(1, sizeOf(source.shape)),
  );
  if (sizeOf(source.shape) === 0)
    throw new ArgumentError(
      "maskedScatter: the source has no elements; give one for each that the mask chooses",
    );
  const values = node("gather", [reshape(source, [sizeOf(source.shape)]), places], { axis: 0 });
  return where(reshape(chosen, input.shape), reshape(values, input.shape), input);
}

/** Values that are put into x, in its dtype: a number as it is assigned, a tensor only if it has that dtype. */
export function valuesFor(op: string, x: Node, values: Operand): Node {
  const number = numberOf(values);
  if (number !== null) return constant(storedNumber(op, number, x.dtype), x.dtype);
  const given = values as Node;
  if (given.dtype !== x.dtype)
    throw new DTypeError(
      `${op}: the values are ${given.dtype}, the tensor ${x.dtype}; cast one to the other`,
    );
  return given;
}

/** x with a scalar where a mask of its first dimensions is true. */
export function whereMask(op: string, x: Node, mask: Node, value: Node): Node {
  const rank = mask.shape.length;
  if (rank > x.shape.length || mask.shape.some((n, i) => n !== x.shape[i]))
    throw new IndexError(
      `${op}: a mask of shape ${shapeText(mask.shape)} for a tensor of shape ${shapeText(x.shape)}; it must have its first sizes`,
    );
  const wide = broadcastTo(reshape(mask, [...mask.shape, ...x.shape.slice(rank).map(() => 1)]), x.shape, op);
  return cast(where(wide, value, x), x.dtype);
}

/** x with values that broadcast to places of it put there, or added. */
export function putAt(op: string, x: Node, places: Node, values: Node, accumulate: boolean): Node {
  // Sizes of 1 in front stand for nothing, as in an assignment.
  const extra = Math.max(0, values.shape.length - places.shape.length);
  const fitted = values.shape.slice(0, extra).every((n) => n === 1)
    ? reshape(values, values.shape.slice(extra))
    : values;
  const wide = broadcastTo(fitted, places.shape, op);
  if (accumulate && x.dtype === "bool")
    return truth(written(cast(x, "i32"), places, cast(wide, "i32"), true));
  return written(x, places, wide, accumulate);
}
