import { cast } from "../autodiff/build.ts";
import { allocate, type DType, integerRange, isFloat, type TypedArray, writeElement } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, shapeText, sizeOf } from "../base/shape.ts";
import { hostNode } from "../engine/trace.ts";
import { type Node, node } from "../ir/node.ts";
import { full as filled } from "./operations/elementwise.ts";
import { storedNumber } from "./operations/number.ts";
import { Tensor } from "./tensor.ts";

/** What tensors can be made of: numbers or booleans, nested to any depth, or a typed array. */
export type TensorData = number | boolean | readonly TensorData[] | TypedArray | BigInt64Array;

/** Options of functions that make tensors. */
export interface TensorOptions {
  /** Default: f32 for numbers, bool for booleans, its own for a typed array. */
  dtype?: DType;
  requiresGrad?: boolean;
}

const finish = (n: Node, { requiresGrad = false }: TensorOptions): Tensor =>
  new Tensor(n).requiresGrad_(requiresGrad);

/** A tensor with a copy of data. */
export function tensor(data: TensorData, options: TensorOptions = {}): Tensor {
  if (ArrayBuffer.isView(data)) return fromArray(data, [data.length], options);
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
export function fromArray(
  data: TypedArray | BigInt64Array | readonly number[],
  shape: Shape,
  options: TensorOptions = {},
): Tensor {
  if (data.length !== sizeOf(shape))
    throw new ShapeError(
      `fromArray: ${data.length} values for shape ${shapeText(shape)}, which has ${sizeOf(shape)}`,
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

function shapeOf(data: TensorData): number[] {
  const shape: number[] = [];
  for (
    let level: TensorData | undefined = data;
    typeof level === "object";
    level = (level as readonly TensorData[])[0]
  )
    shape.push(level.length);
  return shape;
}

function flattenInto(values: (number | boolean)[], data: TensorData, shape: Shape, axis: number): void {
  const deeper = axis < shape.length;
  if (typeof data !== "object") {
    if (deeper) throw ragged(shape, axis, "a number");
    if (typeof data !== "number" && typeof data !== "boolean")
      throw new ArgumentError(`tensor: ${typeof data} among the data; numbers and booleans are taken`);
    values.push(data);
    return;
  }
  if (!deeper || data.length !== shape[axis]) throw ragged(shape, axis, `${data.length} entries`);
  for (let i = 0; i < data.length; i++)
    flattenInto(values, (data as readonly TensorData[])[i]!, shape, axis + 1);
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

function checkedShape(op: string, shape: Shape): Shape {
  if (shape.some((d) => !Number.isInteger(d) || d < 0))
    throw new ShapeError(`${op}: ${shapeText(shape)} is no shape: sizes are whole numbers from 0 on`);
  return [...shape];
}

/** One value everywhere; a boolean makes a bool tensor. */
export function full(shape: Shape, value: number | boolean, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? (typeof value === "boolean" ? "bool" : "f32");
  return finish(filled(checkedShape("full", shape), value, dtype), options);
}
/** Zeros. */
export const zeros = (shape: Shape, options: TensorOptions = {}): Tensor => full(shape, 0, options);
/** Ones. */
export const ones = (shape: Shape, options: TensorOptions = {}): Tensor => full(shape, 1, options);
/** A tensor whose values do not matter: zeros. */
export const empty = (shape: Shape, options: TensorOptions = {}): Tensor => zeros(shape, options);

const like = (x: Tensor, options: TensorOptions): TensorOptions => ({ dtype: x.dtype, ...options });

/** Zeros of another tensor's shape and dtype. */
export const zerosLike = (x: Tensor, options: TensorOptions = {}): Tensor => zeros(x.shape, like(x, options));
/** Ones of another tensor's shape and dtype. */
export const onesLike = (x: Tensor, options: TensorOptions = {}): Tensor => ones(x.shape, like(x, options));
/** One value, in another tensor's shape and dtype. */
export const fullLike = (x: Tensor, value: number | boolean, options: TensorOptions = {}): Tensor =>
  full(x.shape, value, like(x, options));
/** As `zerosLike`. */
export const emptyLike = (x: Tensor, options: TensorOptions = {}): Tensor => zerosLike(x, options);

/** Ones on the diagonal of a matrix, zeros elsewhere. */
export function eye(rows: number, columns = rows, options: TensorOptions = {}): Tensor {
  const shape = checkedShape("eye", [rows, columns]);
  const iota = (axis: number): Node => node("iota", [], { shape, axis, dtype: "i32" });
  return finish(cast(node("eq", [iota(0), iota(1)], {}), options.dtype ?? "f32"), options);
}

/**
 * start, start + step, … below end: i32 where all three are whole, as PyTorch's int64, else f32. Integers that are asked
 * for count from start and by step without their fractions, as many as there would be with them.
 */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step?: number, options?: TensorOptions): Tensor;
export function arange(
  first: number,
  second?: number | TensorOptions,
  step = 1,
  last: TensorOptions = {},
): Tensor {
  const [start, end] = typeof second === "number" ? [first, second] : [0, first];
  const options = typeof second === "object" ? second : last;
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

/** `steps` numbers evenly from start to end, both included. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? "f32";
  if (!Number.isInteger(steps) || steps < 0) throw new ArgumentError(`linspace: ${steps} steps`);
  const [from, to] = isFloat(dtype) ? [start, end] : [Math.trunc(start), Math.trunc(end)];
  const step = (to - from) / (steps - 1);
  // From both ends to the middle, as PyTorch does, so that the last is exact.
  const value = (i: number): number =>
    steps === 1 ? from : i < steps / 2 ? from + i * step : to - (steps - 1 - i) * step;
  return finish(hostNode(stored("linspace", steps, value, dtype), dtype, [steps]), options);
}
