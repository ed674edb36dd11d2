import { ArgumentError, IndexError, ShapeError } from "../../base/errors.ts";
import { shapeText, sizeOf } from "../../base/shape.ts";
import { type Node, node } from "../../ir/node.ts";
import { promoteTypes } from "../../base/dtype.ts";
import { cast } from "./broadcast.ts";
import { axisOf } from "./reduce.ts";

/** Another shape of as many elements; one size may be -1. */
export function reshape(x: Node, shape: readonly number[]): Node {
  const unknown = shape.indexOf(-1);
  if (unknown < 0) return node("reshape", [x], { shape });
  const rest = shape.reduce((n, d, i) => (i === unknown ? n : n * d), 1);
  const size = sizeOf(x.shape) / rest;
  if (!Number.isInteger(size) || shape.lastIndexOf(-1) !== unknown)
    throw new ShapeError(`reshape: ${shapeText(x.shape)} does not fit ${shapeText(shape)}`);
  return node("reshape", [x], { shape: shape.map((d, i) => (i === unknown ? size : d)) });
}

export function permute(x: Node, dims: readonly number[]): Node {
  return node("permute", [x], { axes: dims.map((d) => axisOf(x, d, "permute")) });
}

export function transpose(x: Node, a: number, b: number): Node {
  const axes = x.shape.map((_, i) => i);
  const [i, j] = [axisOf(x, a, "transpose"), axisOf(x, b, "transpose")];
  if (axes.length === 0) return x;
  [axes[i], axes[j]] = [axes[j]!, axes[i]!];
  return node("permute", [x], { axes });
}

export function squeeze(x: Node, dims?: number | readonly number[]): Node {
  const list = dims === undefined ? null : (typeof dims === "number" ? [dims] : dims).map((d) => axisOf(x, d, "squeeze"));
  return node("reshape", [x], { shape: x.shape.filter((d, i) => d !== 1 || (list !== null && !list.includes(i))) });
}

export function unsqueeze(x: Node, dim: number): Node {
  const axis = axisOf(x, dim, "unsqueeze", 1);
  return node("reshape", [x], { shape: [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)] });
}

export function flatten(x: Node, start = 0, end = -1): Node {
  if (x.shape.length === 0) return node("reshape", [x], { shape: [1] });
  const [a, b] = [axisOf(x, start, "flatten"), axisOf(x, end, "flatten")];
  if (a > b) throw new ArgumentError(`flatten: startDim ${start} is behind endDim ${end}`);
  return node("reshape", [x], { shape: [...x.shape.slice(0, a), sizeOf(x.shape.slice(a, b + 1)), ...x.shape.slice(b + 1)] });
}

/** `length` elements from `start` along one axis. */
export function narrow(x: Node, dim: number, start: number, length: number, step = 1): Node {
  const axis = axisOf(x, dim, "narrow");
  const from = start < 0 ? start + x.shape[axis]! : start;
  if (length < 0 || from < 0 || (length > 0 && from + (length - 1) * step >= x.shape[axis]!))
    throw new IndexError(`narrow: ${length} elements from ${start} of axis ${axis}, which has ${x.shape[axis]}`);
  return node("slice", [x], {
    start: x.shape.map((_, i) => (i === axis ? (length === 0 ? 0 : from) : 0)),
    size: x.shape.map((d, i) => (i === axis ? length : d)),
    step: x.shape.map((_, i) => (i === axis ? step : 1)),
  });
}

/** One index of an axis, which goes. */
export function select(x: Node, dim: number, index: number): Node {
  const axis = axisOf(x, dim, "select");
  const size = x.shape[axis] ?? 0;
  if (!Number.isInteger(index) || index < -size || index >= size)
    throw new IndexError(`select: index ${index} of axis ${axis}, which has ${size}`);
  const one = narrow(x, axis, index < 0 ? index + size : index, 1);
  return node("reshape", [one], { shape: x.shape.filter((_, i) => i !== axis) });
}

export function flip(x: Node, dims: number | readonly number[]): Node {
  const axes = (typeof dims === "number" ? [dims] : dims).map((d) => axisOf(x, d, "flip"));
  return node("slice", [x], {
    start: x.shape.map((d, i) => (axes.includes(i) ? Math.max(0, d - 1) : 0)),
    size: x.shape,
    step: x.shape.map((_, i) => (axes.includes(i) ? -1 : 1)),
  });
}

/** Joins along an existing axis. */
export function concat(list: readonly Node[], dim = 0): Node {
  if (list.length === 0) throw new ArgumentError("concat: needs at least one tensor");
  const axis = axisOf(list[0]!, dim, "concat");
  const dtype = list.map((n) => n.dtype).reduce(promoteTypes);
  return list.length === 1 ? list[0]! : node("concat", list.map((n) => cast(n, dtype)), { axis });
}

/** Joins along a new axis. */
export function stack(list: readonly Node[], dim = 0): Node {
  if (list.length === 0) throw new ArgumentError("stack: needs at least one tensor");
  const axis = axisOf(list[0]!, dim, "stack", 1);
  return concat(list.map((n) => unsqueeze(n, axis)), axis);
}
