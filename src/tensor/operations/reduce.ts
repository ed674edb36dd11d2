import { isFloat } from "../../base/dtype.ts";
import { ArgumentError, IndexError } from "../../base/errors.ts";
import { shapeText } from "../../base/shape.ts";
import { type Node, node } from "../../ir/node.ts";
import { broadcastTo, cast, computeType, full } from "./broadcast.ts";
import { binary, unary } from "./elementwise.ts";

/** One axis or several; negative ones count from the last. */
export type Dims = number | readonly number[];

/** The axes as ascending, non-negative numbers; all of them where none is given. */
export function axesOf(x: Node, dims: Dims | undefined, name: string): number[] {
  const rank = x.shape.length;
  if (dims === undefined) return x.shape.map((_, i) => i);
  const list = (typeof dims === "number" ? [dims] : dims).map((d) => axisOf(x, d, name));
  if (new Set(list).size !== list.length) throw new ArgumentError(`${name}: dims [${dims}] repeat an axis`);
  return list.length === 0 && typeof dims !== "number" ? x.shape.map((_, i) => i) : list.sort((a, b) => a - b).slice(0, rank || 1);
}

/** One axis as a non-negative number; throws `IndexError` where there is none such. */
export function axisOf(x: Node, dim: number, name: string, extra = 0): number {
  const rank = x.shape.length + extra;
  if (!Number.isInteger(dim) || dim < -rank || dim >= Math.max(rank, 1))
    throw new IndexError(`${name}: dim ${dim} of a tensor of shape ${shapeText(x.shape)}; it may be ${-rank} to ${rank - 1}`);
  return dim < 0 ? dim + rank : dim;
}

/** Puts back reduced axes with size 1. */
const keep = (x: Node, axes: readonly number[], result: Node): Node =>
  node("reshape", [result], { shape: x.shape.map((d, i) => (axes.includes(i) ? 1 : d)) });

/** A reduction over some axes, with or without keeping them. */
export function reduce(op: "sum" | "maxReduce" | "minReduce" | "prod", x: Node, dims?: Dims, keepdim = false, name: string = op): Node {
  const axes = axesOf(x, dims, name);
  let value = cast(x, computeType(x.dtype));
  if (value.dtype === "bool" || ((op === "sum" || op === "prod") && !isFloat(value.dtype))) value = cast(value, "i32");
  const result = x.shape.length === 0 ? value : node(op, [value], { axes });
  return keepdim ? keep(x, axes, result) : result;
}

export function mean(x: Node, dims?: Dims, keepdim = false): Node {
  const axes = axesOf(x, dims, "mean");
  const count = axes.reduce((n, a) => n * (x.shape[a] ?? 1), 1);
  return binary("mul", reduce("sum", isFloat(x.dtype) ? x : cast(x, "f32"), dims, keepdim, "mean"), 1 / count);
}

/** Exponentials over their sum; the maximum is taken off first and carries no gradient. */
export function softmax(x: Node, dim: number): Node {
  const e = unary("exp", shifted(x, dim));
  return node("div", [e, broadcastTo(reduce("sum", e, dim, true), e.shape)], {});
}

export function logSoftmax(x: Node, dim: number): Node {
  const s = shifted(x, dim);
  const total = unary("log", reduce("sum", unary("exp", s), dim, true));
  return node("sub", [s, broadcastTo(total, s.shape)], {});
}

function shifted(x: Node, dim: number): Node {
  const value = isFloat(x.dtype) ? cast(x, computeType(x.dtype)) : cast(x, "f32");
  if (value.shape.length === 0) return node("sub", [value, node("detach", [value], {})], {});
  const max = node("detach", [reduce("maxReduce", value, dim, true)], {});
  return node("sub", [value, broadcastTo(max, value.shape)], {});
}

export function argmax(x: Node, dim: number | undefined, keepdim: boolean): Node {
  const value = cast(x, x.dtype === "bool" ? "i32" : computeType(x.dtype));
  if (dim === undefined) return node("argmax", [node("reshape", [value], { shape: [x.shape.reduce((a, b) => a * b, 1)] })], { axis: 0 });
  const axis = axisOf(x, dim, "argmax");
  if (x.shape.length === 0) return full([], 0, "i32");
  const result = node("argmax", [value], { axis });
  return keepdim ? keep(x, [axis], result) : result;
}
