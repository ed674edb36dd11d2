import { allocate, type DType, integerRange, isFloat, type TypedArray, writeElement } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, shapeText, sizeOf } from "../base/shape.ts";
import { hostNode } from "../engine/trace.ts";
import { cast } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { full as filled } from "./operations/elementwise.ts";
import { storedNumber } from "./operations/number.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** What tensors can be made of: numbers or booleans, nested to any depth, or a typed array. */
export type TensorData = number | boolean | readonly TensorData[] | TypedArray | BigInt64Array;

/** Options of functions that make tensors. */
export interface TensorOptions {
  /** Default: f32 for numbers, bool for booleans, its own for a typed array. */
  dtype?: DType;
  requiresGrad?: boolean;
}

/** What they are checked for. */
const tensorOptions = { dtype: kind.dtype, requiresGrad: kind.boolean };

const finish = (n: Node, { requiresGrad = false }: TensorOptions): Tensor =>
  new Tensor(n).requiresGrad_(requiresGrad);

/** A tensor with a copy of data. */
export const tensor = checked("tensor", takes({ data: kind.anything }, tensorOptions), tensorOf);

function tensorOf(data: TensorData, options: TensorOptions = {}): Tensor {
  if (ArrayBuffer.isView(data)) return flat("tensor", data, [data.length], options);
  const shape = shapeOf(data);
  const values: (number | boolean)[] = [];
  flattenInto(values, data, shape, 0);
  const dtype =
    options.dtype ?? (values.length > 0 && values.every((v) => typeof v === "boolean") ? "bool" : "f32");
  return finish(
    hostNode(
      stored("tensor", values.length, (i) => Number(values[i]), dtype),
      dtype,
      shape,
    ),
    options,
  );
}

/** A tensor with a copy of a flat array of values, in row-major order. */
export const fromArray = checked(
  "fromArray",
  takes({ data: kind.flatData, shape: kind.shape }, tensorOptions),
  (data: TypedArray | BigInt64Array | readonly number[], shape: Shape, options: TensorOptions = {}): Tensor =>
    flat("fromArray", data, shape, options),
);

function flat(
  op: string,
  data: TypedArray | BigInt64Array | readonly number[],
  shape: Shape,
  options: TensorOptions,
): Tensor {
  if (data.length !== sizeOf(shape))
    throw new ShapeError(
      `${op}: ${data.length} values for shape ${shapeText(shape)}, which has ${sizeOf(shape)}`,
    );
  const dtype = options.dtype ?? dtypeOf(data);
  return finish(
    hostNode(
      stored("fromArray", data.length, (i) => Number(data[i]), dtype),
      dtype,
      [...shape],
    ),
    options,
  );
}

function dtypeOf(data: TypedArray | BigInt64Array | readonly number[]): DType {
  if (Array.isArray(data) || data instanceof Float32Array) return "f32";
  if (data instanceof Float64Array) return "f64";
  if (data instanceof Int32Array || data instanceof BigInt64Array) return "i32";
  if (data instanceof Int8Array) return "i8";
  if (data instanceof Uint8Array) return "u8";
  throw new DTypeError(
    `tensor: a ${data.constructor.name} has no dtype here; copy it to a Float32Array or Int32Array`,
  );
}

/** Deeper than this arrays are no data: one that is its own first entry has no end. */
const deepest = 64;

function shapeOf(data: TensorData): number[] {
  const shape: number[] = [];
  for (let level: TensorData | undefined = data; Array.isArray(level); level = level[0]) {
    if (shape.length === deepest) throw new ShapeError(`tensor: arrays nested more than ${deepest} deep`);
    shape.push(level.length);
  }
  return shape;
}

function flattenInto(values: (number | boolean)[], data: TensorData, shape: Shape, axis: number): void {
  const deeper = axis < shape.length;
  if (typeof data === "number" || typeof data === "boolean") {
    if (deeper) throw ragged(shape, axis, "a number");
    values.push(data);
    return;
  }
  if (!Array.isArray(data))
    throw new ArgumentError(
      `tensor: ${axis > 0 && typeof data !== "object" ? typeof data : kind.described(data)} ${axis === 0 ? "as" : "among"} the data; numbers and booleans are taken${remedyFor(data)}`,
    );
  if (!deeper || data.length !== shape[axis]) throw ragged(shape, axis, `${data.length} entries`);
  for (let i = 0; i < data.length; i++)
    flattenInto(values, (data as readonly TensorData[])[i]!, shape, axis + 1);
}

function remedyFor(data: unknown): string {
  if (kind.tensor.ok(data)) return "; use stack() for a list of tensors, clone() for a copy of one";
  if (ArrayBuffer.isView(data)) return "; give one typed array alone, or fromArray() with a shape";
  return data instanceof Promise ? "; await it first" : "";
}

const ragged = (shape: Shape, axis: number, found: string): ShapeError =>
  new ShapeError(
    `tensor: the arrays are ragged: ${found} at depth ${axis} where the first has ${axis < shape.length ? `${shape[axis]} entries` : "a number"}`,
  );

/** Values in the array that stores a dtype; an integer that does not fit is an error, a fraction is cut. */
function stored(op: string, length: number, value: (i: number) => number, dtype: DType): TypedArray {
  const out = allocate(dtype, length);
  const whole = integerRange(dtype) !== null;
  for (let i = 0; i < length; i++)
    writeElement(dtype, out, i, whole ? storedNumber(op, value(i), dtype) : value(i));
  return out;
}

/** One value everywhere; a boolean makes a bool tensor. */
export const full = checked("full", takes({ shape: kind.shape, value: kind.scalar }, tensorOptions), fullOf);

function fullOf(shape: Shape, value: number | boolean, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? (typeof value === "boolean" ? "bool" : "f32");
  return finish(filled([...shape], value, dtype), options);
}

const shaped = takes({ shape: kind.shape }, tensorOptions);

/** Zeros. */
export const zeros = checked(
  "zeros",
  shaped,
  (shape: Shape, options: TensorOptions = {}): Tensor => fullOf(shape, 0, options),
);
/** Ones. */
export const ones = checked(
  "ones",
  shaped,
  (shape: Shape, options: TensorOptions = {}): Tensor => fullOf(shape, 1, options),
);
/** A tensor whose values do not matter: zeros. */
export const empty = checked(
  "empty",
  shaped,
  (shape: Shape, options: TensorOptions = {}): Tensor => fullOf(shape, 0, options),
);

const like = (x: Tensor, options: TensorOptions): TensorOptions => ({ dtype: x.dtype, ...options });

const another = takes({ x: kind.tensor }, tensorOptions);

/** Zeros of another tensor's shape and dtype. */
export const zerosLike = checked(
  "zerosLike",
  another,
  (x: Tensor, options: TensorOptions = {}): Tensor => fullOf(x.shape, 0, like(x, options)),
);
/** Ones of another tensor's shape and dtype. */
export const onesLike = checked(
  "onesLike",
  another,
  (x: Tensor, options: TensorOptions = {}): Tensor => fullOf(x.shape, 1, like(x, options)),
);
/** One value, in another tensor's shape and dtype. */
export const fullLike = checked(
  "fullLike",
  takes({ x: kind.tensor, value: kind.scalar }, tensorOptions),
  (x: Tensor, value: number | boolean, options: TensorOptions = {}): Tensor =>
    fullOf(x.shape, value, like(x, options)),
);
/** As `zerosLike`. */
export const emptyLike = checked(
  "emptyLike",
  another,
  (x: Tensor, options: TensorOptions = {}): Tensor => fullOf(x.shape, 0, like(x, options)),
);

/** Ones on the diagonal of a matrix, zeros elsewhere. */
export const eye = checked(
  "eye",
  takes({ rows: kind.size, columns: kind.maybe(kind.size) }, tensorOptions),
  eyeOf,
);

function eyeOf(rows: number, columns = rows, options: TensorOptions = {}): Tensor {
  const shape = [rows, columns];
  const iota = (axis: number): Node => node("iota", [], { shape, axis, dtype: "i32" });
  return finish(cast(node("eq", [iota(0), iota(1)], {}), options.dtype ?? "f32"), options);
}

/**
 * start, start + step, … below end: i32 where all three are whole, as PyTorch's int64, else f32. Integers that are asked
 * for count from start and by step without their fractions, as many as there would be with them.
 */
export const arange: {
  (end: number, options?: TensorOptions): Tensor;
  (start: number, end: number, step?: number, options?: TensorOptions): Tensor;
} = (first: number, second?: number | TensorOptions, step?: number, last?: TensorOptions): Tensor =>
  second === undefined || typeof second === "object"
    ? toEnd(first, second ?? last)
    : fromStart(first, second, step, last);

const toEnd = checked(
  "arange",
  takes({ end: kind.number }, tensorOptions),
  (end: number, options?: TensorOptions) => arangeOf(0, end, 1, options),
);
const fromStart = checked(
  "arange",
  takes({ start: kind.number, end: kind.number, step: kind.maybe(kind.number) }, tensorOptions),
  arangeOf,
);

function arangeOf(start: number, end: number, step = 1, options: TensorOptions = {}): Tensor {
  if (step === 0 || !Number.isFinite(step) || !Number.isFinite(start) || !Number.isFinite(end))
    throw new ArgumentError(`arange: from ${start} to ${end} by ${step}`);
  if ((end - start) / step < 0)
    throw new ArgumentError(`arange: a step of ${step} does not lead from ${start} to ${end}`);
  const count = Math.ceil((end - start) / step);
  const dtype = options.dtype ?? ([start, end, step].every(Number.isInteger) ? "i32" : "f32");
  const [from, by] = isFloat(dtype) ? [start, step] : [Math.trunc(start), Math.trunc(step)];
  return finish(
    hostNode(
      stored("arange", count, (i) => from + i * by, dtype),
      dtype,
      [count],
    ),
    options,
  );
}

const endOfLine: kind.Kind = {
  what: "a number or a tensor of shape []",
  ok: (x) => typeof x === "number" || (x instanceof Tensor && x.ndim === 0),
};
const numberOf = (x: number | Tensor): number => (typeof x === "number" ? x : Number(x.itemSync()));

/** `steps` numbers evenly from start to end, both included; where those are tensors, they are read. */
export const linspace = checked(
  "linspace",
  takes({ start: endOfLine, end: endOfLine, steps: kind.size }, tensorOptions),
  (start: number | Tensor, end: number | Tensor, steps: number, options?: TensorOptions): Tensor =>
    linspaceOf(numberOf(start), numberOf(end), steps, options),
);

function linspaceOf(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? "f32";
  const [from, to] = isFloat(dtype) ? [start, end] : [Math.trunc(start), Math.trunc(end)];
  const step = (to - from) / (steps - 1);
  // From both ends to the middle, as PyTorch does, so that the last is exact.
  const value = (i: number): number =>
    steps === 1 ? from : i < steps / 2 ? from + i * step : to - (steps - 1 - i) * step;
  return finish(hostNode(stored("linspace", steps, value, dtype), dtype, [steps]), options);
}
