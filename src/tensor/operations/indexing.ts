import { isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../base/errors.ts";
import { indexAt, type Shape, sameShape, shapeText, sizeOf } from "../../base/shape.ts";
import { hostNode } from "../../engine/trace.ts";
import { cast, filled, permute, reshape } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { checkElements } from "./check-elements.ts";
import { dimOf } from "./dims.ts";
import { add, eq, ge, lt, mul, or, where } from "./elementwise.ts";
import { select, slice as sliceDim, unsqueeze } from "./movement.ts";
import { broadcastShape, broadcastTo, computeDtype } from "./promote.ts";

const outOfRange = (op: string, low: number, high: number, found?: number): IndexError =>
  new IndexError(
    `${op}: ${found === undefined ? "an index" : `index ${found}`} is out of range; it must be in [${low}, ${high - 1}]`,
  );

/** The dtype of indices, which those given must fit. */
function checkedDtype(op: string, { dtype }: Node): "i32" {
  if (isFloat(dtype) || dtype === "bool")
    throw new DTypeError(`${op}: indices are integers, not ${dtype}; cast them with to("i32")`);
  return "i32";
}

/**
 * Indices as i32, checked to be in [low, high): at once where their values are known, else before the next step
 * writes anything.
 */
export function checkedIndices(op: string, input: Node, low: number, high: number): Node {
  const indices = cast(input, checkedDtype(op, input));
  if (sizeOf(indices.shape) === 0) return indices;
  const demand = {
    meets: (i: number): boolean => i >= low && i < high,
    fails: (): Node => or(lt(indices, low), ge(indices, high)),
    error: (i?: number): IndexError => outOfRange(op, low, high, i),
  };
  // A node of its own, so that the indices themselves can still be read if the check fails.
  return checkElements(input, demand, () => node("detach", [indices], {})) ?? indices;
}

/** Elements at indices along a dimension; the indices' other sizes may be smaller than the tensor's. */
export function gather(input: Node, dim: number, index: Node): Node {
  const { x, axis, indices } = alongDim("gather", input, dim, index);
  if (sizeOf(index.shape) === 0) return filled(0, index.shape, input.dtype);
  const region = node("slice", [x], {
    start: x.shape.map(() => 0),
    size: x.shape.map((n, i) => (i === axis ? n : indices.shape[i]!)),
    step: x.shape.map(() => 1),
  });
  const taken = node("gather", [sameShape(region.shape, x.shape) ? x : region, indices], { axis });
  return reshape(taken, index.shape);
}

/** A scalar as a vector of one element, which it stands for wherever a dimension is named. */
const vector = (x: Node): Node => (x.shape.length === 0 ? reshape(x, [1]) : x);

/** A tensor and the indices along one of its dimensions, of one rank. No indices at all may have any shape. */
export function alongDim(
  op: string,
  input: Node,
  dim: number,
  given: Node,
): { x: Node; axis: number; indices: Node } {
  const axis = dimOf(op, dim, input.shape.length, input.shape);
  const [x, index] = [vector(input), vector(given)];
  if (sizeOf(index.shape) === 0)
    return {
      x,
      axis,
      indices: filled(
        0,
        x.shape.map((n, i) => (i === axis ? 0 : n)),
        checkedDtype(op, index),
      ),
    };
  if (index.shape.length !== x.shape.length || index.shape.some((n, i) => i !== axis && n > x.shape[i]!))
    throw new ShapeError(
      `${op}: indices of shape ${shapeText(index.shape)} for a tensor of shape ${shapeText(x.shape)}: they need as many ` +
        `dimensions, none larger but ${axis}`,
    );
  return { x, axis, indices: checkedIndices(op, index, 0, x.shape[axis]!) };
}

/** Indices of which negative ones count from the end of `size`, counted from the front. */
export function fromFront(op: string, index: Node, size: number): Node {
  const checked = checkedIndices(op, index, -size, size);
  return where(lt(checked, 0), add(checked, size), checked);
}

/** As `gather`, with indices broadcast against the tensor, as `torch.take_along_dim`. */
export function takeAlongDim(x: Node, index: Node, dim?: number | null): Node {
  if (dim === undefined || dim === null)
    return takeAlongDim(reshape(x, [sizeOf(x.shape)]), reshape(index, [sizeOf(index.shape)]), 0);
  if (x.shape.length === 0)
    throw new IndexError(`takeAlongDim: a scalar has no dimension ${dim}; use reshape([1]) first`);
  const axis = dimOf("takeAlongDim", dim, x.shape.length, x.shape);
  if (index.shape.length !== x.shape.length)
    throw new ShapeError(
      `takeAlongDim: indices of shape ${shapeText(index.shape)} for shape ${shapeText(x.shape)}: as many dimensions are needed`,
    );
  const but = (shape: Shape): Shape => shape.map((n, i) => (i === axis ? 1 : n));
  const outer = broadcastShape(
    [filled(0, but(x.shape), "i32"), filled(0, but(index.shape), "i32")],
    "takeAlongDim",
  );
  const to = (y: Node): Node =>
    broadcastTo(
      y,
      outer.map((n, i) => (i === axis ? y.shape[i]! : n)),
      "takeAlongDim",
    );
  return gather(to(x), axis, to(fromFront("takeAlongDim", index, x.shape[axis]!)));
}

/** x with every element of `source` added at its index along a dimension. */
export function scatterAdd(input: Node, dim: number, index: Node, given: Node): Node {
  const { x, axis, indices } = alongDim("scatterAdd", input, dim, index);
  if (sizeOf(index.shape) === 0) return input;
  const source = vector(given);
  if (source.shape.length !== indices.shape.length || source.shape.some((n, i) => n < indices.shape[i]!))
    throw new ShapeError(
      `scatterAdd: a source of shape ${shapeText(source.shape)} for indices of shape ${shapeText(indices.shape)}`,
    );
  if (source.dtype !== x.dtype)
    throw new DTypeError(
      `scatterAdd: the source is ${source.dtype}, the tensor ${x.dtype}; cast one to the other`,
    );
  const dtype = computeDtype(x.dtype);
  const updates = node("slice", [cast(source, dtype)], {
    start: source.shape.map(() => 0),
    size: indices.shape,
    step: source.shape.map(() => 1),
  });
  // The primitive wants whole lines: the rest of them gets zeros, at index 0.
  const whole = x.shape.map((n, i) => (i === axis ? indices.shape[i]! : n));
  const low = whole.map(() => 0);
  const high = whole.map((n, i) => n - indices.shape[i]!);
  const filledOut = (y: Node): Node =>
    high.every((n) => n === 0) ? y : node("pad", [y], { low, high, value: 0 });
  const summed = node("scatterAdd", [cast(x, dtype), filledOut(indices), filledOut(updates)], { axis });
  return reshape(cast(summed, x.dtype), input.shape);
}

/** Whole slices at a vector of indices along a dimension. */
export function indexSelect(input: Node, dim: number, index: Node): Node {
  const axis = dimOf("indexSelect", dim, input.shape.length, input.shape);
  const count = sizeOf(index.shape);
  if (index.shape.length > 1 || (input.shape.length === 0 && count !== 1))
    throw new ShapeError(
      `indexSelect: the index is a vector${input.shape.length === 0 ? " of one element for a scalar" : ""}, not of shape ${shapeText(index.shape)}`,
    );
  const x = vector(input);
  const taken = take(x, axis, reshape(checkedIndices("indexSelect", index, 0, x.shape[axis]!), [count]));
  return input.shape.length === 0 ? reshape(taken, []) : taken;
}

/** Slices along `axis` at checked indices of any shape, which takes the place of that axis. */
function take(x: Node, axis: number, indices: Node): Node {
  const count = sizeOf(indices.shape);
  const lines = x.shape.map((n, i) => (i === axis ? count : n));
  const column = reshape(
    indices,
    x.shape.map((_, i) => (i === axis ? count : 1)),
  );
  const taken = node("gather", [x, broadcastTo(column, lines, "take")], { axis });
  return reshape(taken, x.shape.toSpliced(axis, 1, ...indices.shape));
}

/** Rows of a table: `torch.nn.functional.embedding`. The row `paddingIdx` gets no gradient. */
export function embedding(index: Node, weight: Node, paddingIdx?: number): Node {
  if (weight.shape.length !== 2)
    throw new ShapeError(`embedding: the table is a matrix, not of shape ${shapeText(weight.shape)}`);
  const [rows] = weight.shape as [number, number];
  if (paddingIdx !== undefined && (paddingIdx < -rows || paddingIdx >= rows || !Number.isInteger(paddingIdx)))
    throw new IndexError(`embedding: paddingIdx ${paddingIdx} is out of range for ${rows} rows`);
  const indices = checkedIndices("embedding", index, 0, rows);
  const found = take(weight, 0, indices);
  if (paddingIdx === undefined) return found;
  const padding = eq(indices, paddingIdx < 0 ? paddingIdx + rows : paddingIdx);
  return where(unsqueeze(padding, -1), node("detach", [found], {}), found);
}

/** 1 (i32) at each index, 0 elsewhere, along a new last dimension. */
export function oneHot(index: Node, numClasses: number): Node {
  if (!Number.isInteger(numClasses) || numClasses < 1)
    throw new ArgumentError(`oneHot: numClasses ${numClasses}`);
  const indices = checkedIndices("oneHot", index, 0, numClasses);
  const classes = node("iota", [], { shape: [numClasses], axis: 0, dtype: "i32" });
  return cast(eq(unsqueeze(indices, -1), classes), "i32");
}

/** A range of a dimension, as Python's start:stop:step. */
export interface Slice {
  readonly start: number | null;
  readonly stop: number | null;
  readonly step: number;
}

/** A bool tensor, which stands for as many dimensions as it has, and where it is true. */
export interface Mask {
  readonly mask: Node;
  readonly values: ArrayLike<number>;
}

/** What `at` takes for one dimension: an index, a slice, null (a new dimension), "..." or a tensor of indices. */
export type Index = number | Slice | null | "..." | Node | Mask;

const isMask = (i: Index): i is Mask => i !== null && typeof i === "object" && "mask" in i;

/** The indices of what a mask picks, a vector for each of its dimensions; a scalar picks all or nothing of a new one. */
function placesOf(op: string, { mask, values }: Mask, shape: Shape, axis: number): Node[] {
  const sizes = mask.shape.length === 0 ? [1] : mask.shape;
  if (sizes.some((n, i) => n !== shape[axis + i]))
    throw new IndexError(
      `${op}: a mask of shape ${shapeText(mask.shape)} for dimensions ${shapeText(shape.slice(axis, axis + sizes.length))} of shape ${shapeText(shape)}`,
    );
  const found: number[][] = [];
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) found.push(indexAt(i, sizes));
  return sizes.map((_, d) =>
    hostNode(
      Int32Array.from(found, (index) => index[d]!),
      "i32",
      [found.length],
    ),
  );
}

const isNode = (i: Index): i is Node => i !== null && typeof i === "object" && "op" in i;

/** `x[i, …]` by Python's and NumPy's rules. */
export function at(input: Node, indices: readonly Index[], op = "at"): Node {
  const given = indices.reduce<number>(
    (n, i) => n + (isMask(i) ? i.mask.shape.length : i === null || i === "..." ? 0 : 1),
    0,
  );
  const rank = input.shape.length;
  if (given > rank)
    throw new IndexError(`${op}: ${given} indices for a tensor of shape ${shapeText(input.shape)}`);
  if (indices.filter((i) => i === "...").length > 1) throw new ArgumentError(`${op}: "..." twice`);
  const all: Slice = { start: null, stop: null, step: 1 };
  const rest = new Array<Index>(rank - given).fill(all);
  const ellipsis = indices.indexOf("...");
  const full = ellipsis < 0 ? [...indices, ...rest] : indices.toSpliced(ellipsis, 1, ...rest);

  let x = input;
  let axis = 0;
  const advanced: { axis: number; index: Node }[] = [];
  for (const index of full) {
    if (index === null) x = unsqueeze(x, axis++);
    else if (typeof index === "number") x = select(x, axis, index);
    else if (isMask(index)) {
      if (index.mask.shape.length === 0) x = unsqueeze(x, axis);
      for (const places of placesOf(op, index, x.shape, axis)) advanced.push({ axis: axis++, index: places });
    } else if (isNode(index)) advanced.push({ axis: axis++, index });
    else if (index !== "...") x = sliceDim(x, axis++, index.start, index.stop, index.step);
  }
  return advanced.length === 0 ? x : takeAll(op, x, advanced);
}

/** Several dimensions by tensors of indices that broadcast together; negative ones count from the end. */
function takeAll(op: string, x: Node, advanced: readonly { axis: number; index: Node }[]): Node {
  const shape = broadcastShape(
    advanced.map((a) => a.index),
    op,
  );
  const axes = advanced.map((a) => a.axis);
  const rest = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  // One index into the chosen dimensions, brought to the front and merged.
  let flat: Node = filled(0, shape, "i32");
  for (const { axis, index } of advanced) {
    const size = x.shape[axis]!;
    flat = add(mul(flat, size), broadcastTo(fromFront(op, index, size), shape, op));
  }
  const merged = reshape(permute(x, [...axes, ...rest]), [
    sizeOf(axes.map((a) => x.shape[a]!)),
    ...rest.map((a) => x.shape[a]!),
  ]);
  const taken = take(merged, 0, flat);
  // Neighbouring tensors of indices leave their shape where they were, others at the front.
  const together = axes.every((a, i) => i === 0 || a === axes[i - 1]! + 1);
  if (!together || axes[0] === 0) return taken;
  const front = shape.length;
  const order = taken.shape.map((_, i) => i);
  return permute(taken, [
    ...order.slice(front, front + axes[0]!),
    ...order.slice(0, front),
    ...order.slice(front + axes[0]!),
  ]);
}

/** Elements of the flattened tensor at offset + Σ iₖ · strideₖ, which may lie over each other. */
export function asStrided(x: Node, size: Shape, stride: readonly number[], offset: number): Node {
  if (size.length !== stride.length)
    throw new ShapeError(
      `asStrided: a shape of ${size.length} dimensions and ${stride.length} strides; give one for each`,
    );
  if (stride.some((s) => s < 0) || offset < 0)
    throw new ArgumentError(
      `asStrided: strides [${stride}] and an offset of ${offset}; they are from 0 on, use flip() to go backwards`,
    );
  if (sizeOf(size) === 0) return filled(0, size, x.dtype);
  const last = size.reduce((at, n, i) => at + (n - 1) * stride[i]!, offset);
  const count = sizeOf(x.shape);
  if (last >= count)
    throw new ShapeError(
      `asStrided: shape ${shapeText(size)} with strides [${stride}] from ${offset} on reaches element ${last} of a tensor of shape ${shapeText(x.shape)}, which has ${count}`,
    );
  let places = filled(offset, size, "i32");
  for (const [axis, step] of stride.entries())
    places = add(places, mul(node("iota", [], { shape: size, axis, dtype: "i32" }), step));
  const taken = node("gather", [reshape(x, [count]), reshape(places, [sizeOf(size)])], { axis: 0 });
  return reshape(taken, size);
}
