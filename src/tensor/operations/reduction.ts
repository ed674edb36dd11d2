import { type DType, isFloat } from "../../base/dtype.ts";
import { DTypeError, ShapeError } from "../../base/errors.ts";
import { type Shape, shapeText } from "../../base/shape.ts";
import { cast, filled, filledLike, reshape, restore, sum as sumAxes } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { dimOf, dimsOf } from "./dims.ts";
import {
  abs,
  and,
  div,
  eq,
  exp,
  isfinite,
  isnan,
  log,
  mul,
  not,
  or,
  pow,
  sqrt,
  square,
  sub,
  truth,
  where,
} from "./elementwise.ts";
import { normSlope } from "./norm-slope.ts";
import { computeDtype, floating, numeric, refuseIntegers } from "./promote.ts";
import { type Slope, stated } from "./stated.ts";

/** Which dimensions a reduction takes: all if none is named. */
export type Dim = number | readonly number[] | undefined;

type Reduce = "sum" | "prod" | "maxReduce" | "minReduce";

const kept = (shape: Shape, axes: readonly number[]): Shape =>
  shape.map((d, i) => (axes.includes(i) ? 1 : d));

function reduce(op: Reduce, x: Node, axes: readonly number[], keepdim: boolean): Node {
  const result = axes.length === 0 ? x : node(op, [x], { axes });
  return keepdim ? reshape(result, kept(x.shape, axes)) : result;
}

/** Integers and bools are summed and multiplied in i32, as PyTorch does in int64. */
export const summable = (x: Node, dtype?: DType): Node =>
  dtype !== undefined ? cast(x, computeDtype(dtype)) : isFloat(x.dtype) ? floating(x) : cast(x, "i32");

/** The sum. */
export function sum(x: Node, dim?: Dim, keepdim = false, dtype?: DType): Node {
  if (dtype === "bool") return any(truth(x), dim, keepdim);
  return reduce("sum", summable(x, dtype), dimsOf("sum", dim, x.shape), keepdim);
}

/** The product. */
export function prod(x: Node, dim?: Dim, keepdim = false, dtype?: DType): Node {
  if (dtype === "bool") return all(truth(x), dim, keepdim);
  return reduce("prod", summable(x, dtype), dimsOf("prod", dim, x.shape), keepdim);
}

/** The mean, in floating point. */
export function mean(x: Node, dim?: Dim, keepdim = false, dtype?: DType): Node {
  const input = meanable("mean", dtype === undefined ? x : cast(x, dtype));
  const axes = dimsOf("mean", dim, x.shape);
  return div(reduce("sum", input, axes, keepdim), countOf(x.shape, axes));
}

/** A tensor as what has a mean, which integers have not: they would have to be rounded, or become floats in silence. */
export function meanable(op: string, x: Node): Node {
  refuseIntegers(op, x);
  return floating(x);
}

const countOf = (shape: Shape, axes: readonly number[]): number => axes.reduce((n, a) => n * shape[a]!, 1);

/** The variance in two passes, divided by the count less `correction`. */
export function variance(input: Node, dim?: Dim, keepdim = false, correction = 1, op = "var"): Node {
  const x = meanable(op, input);
  const axes = dimsOf(op, dim, x.shape);
  const count = countOf(x.shape, axes);
  const center = div(reduce("sum", x, axes, true), count);
  // With fewer elements than the correction takes away it is NaN or infinite, as in PyTorch.
  const value = div(reduce("sum", square(sub(x, center)), axes, keepdim), Math.max(0, count - correction));
  // Stated, as what follows from the mean adds up to 0, and to NaN where anything is infinite.
  return stated(value, [x, deviationSlope(x, axes, center, count - correction, dim === undefined)]);
}

/** 2 (x − mean) / divisor; where none is left to divide by PyTorch's gradient is infinite, or of a negative number. */
function deviationSlope(
  x: Node,
  axes: readonly number[],
  center: Node,
  divisor: number,
  whole: boolean,
): Slope {
  return (g) => {
    const spread = restore(g, axes, x.shape);
    // What rounding the mean has lost, far from 0, is the mean of what is left.
    const near = sub(x, restore(center, axes, x.shape));
    const lost = div(reduce("sum", near, axes, true), countOf(x.shape, axes));
    const from = sub(near, restore(where(isfinite(lost), lost, 0), axes, x.shape));
    if (whole && divisor <= 0)
      return mul(spread, where(eq(from, 0), Number.NaN, filledLike(Number.POSITIVE_INFINITY, from)));
    return mul(mul(spread, filledLike(2 / divisor, spread)), from);
  };
}

/**
 * The square root of the variance; its gradient is 0 where that is 0. By way of f64, in which the squares of no f32
 * overflow or vanish.
 */
export function standardDeviation(input: Node, dim?: Dim, keepdim = false, correction = 1): Node {
  const x = meanable("std", input);
  const square = variance(cast(x, "f64"), dim, keepdim, correction, "std");
  const root = node("sqrt", [square], {});
  return cast(stated(root, [square, (g, n) => where(eq(n, 0), 0, div(g, mul(n, 2)))]), x.dtype);
}

/** √x with a gradient of 0, not infinity, at 0. */
function safeSqrt(x: Node): Node {
  const zero = eq(x, 0);
  return where(zero, 0, sqrt(where(zero, 1, x)));
}

/** The p-norm: p a number, Infinity, -Infinity or 0 (how many are not 0). */
export function norm(input: Node, p = 2, dim?: Dim, keepdim = false): Node {
  const x = meanable("norm", input);
  const axes = dimsOf("norm", dim, x.shape);
  // A product's gradient, which is 0 where the norm is infinite; that of a square would be 0 · ∞.
  if (p === 2) return safeSqrt(reduce("sum", mul(x, x), axes, keepdim));
  if (p < 0 || p === Number.POSITIVE_INFINITY) refuseEmpty(`norm of ${p}`, x, axes);
  if (p === 1) return reduce("sum", abs(x), axes, keepdim);
  return stated(normOf(p, abs(x), axes, keepdim), [x, normSlope(p, x, axes)]);
}

function normOf(p: number, size: Node, axes: readonly number[], keepdim: boolean): Node {
  if (p === Number.POSITIVE_INFINITY) return reduce("maxReduce", size, axes, keepdim);
  if (p === Number.NEGATIVE_INFINITY) return reduce("minReduce", size, axes, keepdim);
  if (p === 0) return reduce("sum", cast(not(eq(size, 0)), size.dtype), axes, keepdim);
  return pow(reduce("sum", pow(size, p), axes, keepdim), 1 / p);
}

const refuseEmpty = (op: string, x: Node, axes: readonly number[]): void => {
  if (axes.some((a) => x.shape[a] === 0))
    throw new ShapeError(
      `${op}: there is no largest or smallest of no elements; the tensor has shape ${shapeText(x.shape)}`,
    );
};

/** The largest (smallest) of all; of several, or of NaNs, the gradient goes to each in equal parts. */
export function extremeOfAll(op: "max" | "min", input: Node): Node {
  const value = op === "max" ? amax(input) : amin(input);
  if (!isFloat(input.dtype)) return value;
  const x = floating(input);
  const axes = x.shape.map((_, i) => i);
  return stated(value, [
    x,
    (g, n) => {
      const [all, top] = [g, n].map((s) => restore(s, axes, x.shape)) as [Node, Node];
      const is = or(eq(x, top), and(isnan(x), isnan(top)));
      const count = restore(sumAxes(cast(is, x.dtype), axes), axes, x.shape);
      return where(is, div(all, count), 0);
    },
  ]);
}

/** The largest; of several, the gradient goes to all in equal parts. */
export const amax = (x: Node, dim?: Dim, keepdim = false): Node =>
  extreme("maxReduce", "amax", x, dim, keepdim);
/** The smallest; of several, the gradient goes to all in equal parts. */
export const amin = (x: Node, dim?: Dim, keepdim = false): Node =>
  extreme("minReduce", "amin", x, dim, keepdim);

function extreme(op: Reduce, name: string, x: Node, dim: Dim, keepdim: boolean): Node {
  const axes = dimsOf(name, dim, x.shape);
  refuseEmpty(name, x, axes);
  const result = reduce(op, numeric(x), axes, keepdim);
  return x.dtype === "bool" ? truth(result) : result;
}

/** Values and their indices. */
export interface Indexed<T> {
  values: T;
  indices: T;
}

/** The largest along a dimension, and where it is (the first of several, which alone gets the gradient). */
export const maxAlong = (x: Node, dim: number, keepdim = false): Indexed<Node> =>
  at(x, argmax(x, dim, true, "max"), dim, keepdim);
/** The smallest along a dimension, and where it is (the first of several, which alone gets the gradient). */
export const minAlong = (x: Node, dim: number, keepdim = false): Indexed<Node> =>
  at(x, argmin(x, dim, true, "min"), dim, keepdim);

function at(x: Node, indices: Node, dim: number, keepdim: boolean): Indexed<Node> {
  const axis = dimOf("max", dim, x.shape.length);
  if (x.shape.length === 0) return { values: x, indices };
  const values = node("gather", [x, indices], { axis });
  if (keepdim) return { values, indices };
  const shape = x.shape.filter((_, i) => i !== axis);
  return { values: reshape(values, shape), indices: reshape(indices, shape) };
}

/** What an extreme is looked for in, as numbers; of bools there are max and min, and no argmax in PyTorch. */
function searchable(op: string, x: Node): Node {
  if (x.dtype === "bool" && (op === "argmax" || op === "argmin"))
    throw new DTypeError(`${op}: takes numbers, not bool; cast it with to("i32")`);
  return numeric(x);
}

/** The index of the first largest along a dimension; without one, in the flattened tensor. */
export function argmax(input: Node, dim?: number, keepdim = false, op = "argmax"): Node {
  const x = searchable(op, input);
  if (dim === undefined) {
    refuseEmpty(op, x, dimsOf(op, dim, x.shape));
    const count = countOf(x.shape, dimsOf(op, dim, x.shape));
    const index = node("argmax", [reshape(x, [count])], { axis: 0 });
    return keepdim
      ? reshape(
          index,
          x.shape.map(() => 1),
        )
      : index;
  }
  const axis = dimOf(op, dim, x.shape.length, x.shape);
  if (x.shape.length === 0) return filled(0, [], "i32");
  refuseEmpty(op, x, [axis]);
  const index = node("argmax", [x], { axis });
  return keepdim ? reshape(index, kept(x.shape, [axis])) : index;
}

/** The index of the first smallest along a dimension; without one, in the flattened tensor. */
export function argmin(input: Node, dim?: number, keepdim = false, op = "argmin"): Node {
  const x = searchable(op, input);
  // The complement turns the order of integers round without overflow, and cannot wrap in u8 as the negative does.
  const turned = isFloat(x.dtype)
    ? node("neg", [x], {})
    : node("xor", [cast(x, "i32"), filled(-1, x.shape, "i32")], {});
  return argmax(turned, dim, keepdim, op);
}

/** Whether any is true. */
export function any(x: Node, dim?: Dim, keepdim = false): Node {
  // No dimensions are none, as in PyTorch: where they are not told, they are all.
  const axes = Array.isArray(dim) && dim.length === 0 ? [] : dimsOf("any", dim, x.shape);
  if (axes.some((a) => x.shape[a] === 0))
    return asTruthOf(x, filled(0, reduce("sum", numeric(x), axes, keepdim).shape, "bool"));
  return asTruthOf(x, truth(reduce("maxReduce", cast(truth(x), "i32"), axes, keepdim)));
}
/** Whether all are true. */
export const all = (x: Node, dim?: Dim, keepdim = false): Node =>
  asTruthOf(x, not(any(not(x), dim, keepdim)));

/** PyTorch's dtype of whether any or all are true: u8 of u8, which was its bool once, else bool. */
const asTruthOf = (x: Node, result: Node): Node => (x.dtype === "u8" ? cast(result, "u8") : result);

/** How many are not 0. */
export const countNonzero = (x: Node, dim?: Dim): Node => sum(truth(x), dim);

/** Running sums along a dimension. */
export function cumsum(input: Node, dim: number, dtype?: DType): Node {
  const x = summable(input, dtype);
  const axis = dimOf("cumsum", dim, x.shape.length, x.shape);
  return x.shape.length === 0 ? x : node("cumsum", [x], { axis });
}

// Along a row, in the form that a backend fuses into one pass: largest, exponentials, their sum.

function shifted(op: string, input: Node, dim: number): { x: Node; axes: number[] } {
  const x = meanable(op, input);
  const axes = x.shape.length === 0 ? [] : [dimOf(op, dim, x.shape.length, x.shape)];
  if (axes.some((a) => x.shape[a] === 0)) return { x, axes };
  // The shift changes nothing but rounding, so no gradient goes through it.
  const top = node("detach", [reduce("maxReduce", x, axes, false)], {});
  return { x: node("sub", [x, restore(top, axes, x.shape)], {}), axes };
}

/** eˣ over its sum along a dimension. */
export function softmax(input: Node, dim: number): Node {
  const { x, axes } = shifted("softmax", input, dim);
  const e = exp(x);
  return node("div", [e, restore(sumAxes(e, axes), axes, e.shape)], {});
}

/** The logarithm of softmax. */
export function logSoftmax(input: Node, dim: number): Node {
  const { x, axes } = shifted("logSoftmax", input, dim);
  return node("sub", [x, restore(log(sumAxes(exp(x), axes)), axes, x.shape)], {});
}

/** The logarithm of the sum of eˣ, without overflow. */
export function logsumexp(input: Node, dim: Dim, keepdim = false): Node {
  const x = floating(input);
  const axes = dimsOf("logsumexp", dim, x.shape);
  if (axes.some((a) => x.shape[a] === 0)) return log(reduce("sum", exp(x), axes, keepdim));
  const top = node("detach", [reduce("maxReduce", x, axes, true)], {});
  // An infinite shift would subtract to NaN.
  const shift = where(isfinite(top), top, 0);
  const result = node("add", [log(reduce("sum", exp(sub(x, shift)), axes, true)), shift], {});
  return keepdim
    ? result
    : reshape(
        result,
        x.shape.filter((_, i) => !axes.includes(i)),
      );
}
