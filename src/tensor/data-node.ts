import { allocate, type DType, integerRange, type TypedArray, writeElement } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, shapeText, sizeOf } from "../base/shape.ts";
import { hostNode } from "../engine/trace.ts";
import type { Node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { storedNumber } from "./operations/number.ts";

/** Data of scripts as stored values. */

/** What tensors can be made of: numbers or booleans, nested to any depth, or a typed array. */
export type TensorData = number | boolean | readonly TensorData[] | TypedArray | BigInt64Array;

/** A copy of data; without a dtype f32 for numbers, bool for booleans, its own for a typed array. */
export function dataNode(op: string, data: TensorData, given?: DType): Node {
  if (ArrayBuffer.isView(data)) return flatNode(op, data, [data.length], given);
  const shape = shapeOf(op, data);
  const values: (number | boolean)[] = [];
  flattenInto(op, values, data, shape, 0);
  const dtype = given ?? (values.length > 0 && values.every((v) => typeof v === "boolean") ? "bool" : "f32");
  return hostNode(
    stored(op, values.length, (i) => Number(values[i]), dtype),
    dtype,
    shape,
  );
}

/** A copy of a flat array in a shape. */
export function flatNode(
  op: string,
  data: TypedArray | BigInt64Array | readonly number[],
  shape: Shape,
  given?: DType,
): Node {
  if (data.length !== sizeOf(shape))
    throw new ShapeError(
      `${op}: ${data.length} values for shape ${shapeText(shape)}, which has ${sizeOf(shape)}`,
    );
  const dtype = given ?? dtypeOf(op, data);
  return hostNode(
    stored("fromArray", data.length, (i) => Number(data[i]), dtype),
    dtype,
    [...shape],
  );
}

function dtypeOf(op: string, data: TypedArray | BigInt64Array | readonly number[]): DType {
  if (Array.isArray(data) || data instanceof Float32Array) return "f32";
  if (data instanceof Float64Array) return "f64";
  if (data instanceof Int32Array || data instanceof BigInt64Array) return "i32";
  if (data instanceof Int8Array) return "i8";
  if (data instanceof Uint8Array) return "u8";
  throw new DTypeError(
    `${op}: a ${data.constructor.name} has no dtype here; copy it to a Float32Array or Int32Array`,
  );
}

/** Deeper than this arrays are no data: one that is its own first entry has no end. */
const deepest = 64;

function shapeOf(op: string, data: TensorData): number[] {
  const shape: number[] = [];
  for (let level: TensorData | undefined = data; Array.isArray(level); level = level[0]) {
    if (shape.length === deepest) throw new ShapeError(`${op}: arrays nested more than ${deepest} deep`);
    shape.push(level.length);
  }
  return shape;
}

function flattenInto(
  op: string,
  values: (number | boolean)[],
  data: TensorData,
  shape: Shape,
  axis: number,
): void {
  const deeper = axis < shape.length;
  if (typeof data === "number" || typeof data === "boolean") {
    if (deeper) throw ragged(op, shape, axis, "a number");
    values.push(data);
    return;
  }
  if (!Array.isArray(data))
    throw new ArgumentError(
      `${op}: ${axis > 0 && typeof data !== "object" ? typeof data : kind.described(data)} ${axis === 0 ? "as" : "among"} the data; numbers and booleans are taken${remedyFor(data)}`,
    );
  if (!deeper || data.length !== shape[axis]) throw ragged(op, shape, axis, `${data.length} entries`);
  for (let i = 0; i < data.length; i++)
    flattenInto(op, values, (data as readonly TensorData[])[i]!, shape, axis + 1);
}

function remedyFor(data: unknown): string {
  if (kind.tensor.ok(data)) return "; use stack() for a list of tensors, clone() for a copy of one";
  if (ArrayBuffer.isView(data)) return "; give one typed array alone, or fromArray() with a shape";
  return data instanceof Promise ? "; await it first" : "";
}

const ragged = (op: string, shape: Shape, axis: number, found: string): ShapeError =>
  new ShapeError(
    `${op}: the arrays are ragged: ${found} at depth ${axis} where the first has ${axis < shape.length ? `${shape[axis]} entries` : "a number"}`,
  );

/** Values in the array that stores a dtype; an integer that does not fit is an error, a fraction is cut. */
export function stored(op: string, length: number, value: (i: number) => number, dtype: DType): TypedArray {
  const out = allocate(dtype, length);
  const whole = integerRange(dtype) !== null;
  for (let i = 0; i < length; i++)
    writeElement(dtype, out, i, whole ? storedNumber(op, value(i), dtype) : value(i));
  return out;
}
