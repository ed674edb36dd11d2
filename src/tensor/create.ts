import { type DType, isFloat, type TypedArray } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { hostNode } from "../engine/trace.ts";
import { cast } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { dataNode, flatNode, stored, type TensorData } from "./data-node.ts";
import { full as filled } from "./operations/elementwise.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

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
export const tensor = checked(
  "tensor",
  takes({ data: kind.anything }, tensorOptions),
  (data: TensorData, options: TensorOptions = {}): Tensor =>
    finish(dataNode("tensor", data, options.dtype), options),
);

/** A tensor with a copy of a flat array of values, in row-major order. */
export const fromArray = checked(
  "fromArray",
  takes({ data: kind.flatData, shape: kind.shape }, tensorOptions),
  (data: TypedArray | BigInt64Array | readonly number[], shape: Shape, options: TensorOptions = {}): Tensor =>
    finish(flatNode("fromArray", data, shape, options.dtype), options),
);

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
  const value = lineOf(start, end, steps, dtype);
  return finish(hostNode(stored("linspace", steps, value, dtype), dtype, [steps]), options);
}

/** Numbers evenly from start to end, counted in whole steps where the dtype is one of integers. */
function lineOf(start: number, end: number, steps: number, dtype: DType): (i: number) => number {
  const [from, to] = isFloat(dtype) ? [start, end] : [Math.trunc(start), Math.trunc(end)];
  const step = (to - from) / (steps - 1);
  // From both ends to the middle, as PyTorch does, so that the last is exact.
  return (i) => (steps === 1 ? from : i < steps / 2 ? from + i * step : to - (steps - 1 - i) * step);
}

/**
 * base to the power of `linspace(start, end, steps)`: the same ratio between neighbours.
 *
 * Gives [steps], f32 unless asked otherwise; `base` is 10. Throws `ShapeError` for a count that is no whole number from 0
 * on, `ArgumentError` where an integer dtype does not hold a power.
 * Source: `torch.logspace`. Example: `logspace(-4, -1, 4)` is 1e-4, 1e-3, 1e-2, 1e-1.
 */
export const logspace = checked(
  "logspace",
  takes({ start: endOfLine, end: endOfLine, steps: kind.size }, { ...tensorOptions, base: kind.number }),
  (
    start: number | Tensor,
    end: number | Tensor,
    steps: number,
    options: TensorOptions & { base?: number } = {},
  ): Tensor => {
    const { base = 10, dtype = "f32" } = options;
    const exponent = lineOf(numberOf(start), numberOf(end), steps, dtype);
    const values = stored("logspace", steps, (i) => base ** exponent(i), dtype);
    return finish(hostNode(values, dtype, [steps]), options);
  },
);

/** A number as a tensor of shape []. */
export const scalarTensor = checked(
  "scalarTensor",
  takes({ value: kind.scalar }, tensorOptions),
  (value: number | boolean, options: TensorOptions = {}): Tensor =>
    finish(filled([], value, options.dtype ?? "f32", "scalarTensor"), options),
);

/**
 * Data as a tensor: one that is a tensor already is itself, unless another dtype is asked for; anything else is copied, as
 * `tensor` does.
 * Source: `torch.as_tensor`. Example: `asTensor(lengths, { dtype: "i32" })`.
 */
export const asTensor = checked(
  "asTensor",
  takes({ data: kind.anything }, { dtype: kind.dtype }),
  (data: TensorData | Tensor, { dtype }: { dtype?: DType } = {}): Tensor => {
    if (!(data instanceof Tensor)) return new Tensor(dataNode("asTensor", data, dtype));
    return dtype === undefined || dtype === data.dtype ? data : data.to(dtype);
  },
);
