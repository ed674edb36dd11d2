import { ArgumentError } from "../../base/errors.ts";
import { shapeText } from "../../base/shape.ts";
import { cast, filled, sliceAxis } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { dimOf } from "./dims.ts";
import { truth } from "./elementwise.ts";
import { numeric } from "./promote.ts";
import type { Indexed } from "./reduction.ts";

/** Indices (i32) that sort a dimension; equal elements keep their order, NaN is the largest. */
export function argsort(x: Node, dim = -1, descending = false): Node {
  const axis = dimOf("argsort", dim, x.shape.length, x.shape);
  return x.shape.length === 0 ? filled(0, [], "i32") : node("argsort", [numeric(x)], { axis, descending });
}

function at(x: Node, indices: Node, axis: number): Indexed<Node> {
  if (x.shape.length === 0) return { values: x, indices };
  const values = node("gather", [x.dtype === "bool" ? cast(x, "i32") : x, indices], { axis });
  return { values: x.dtype === "bool" ? truth(values) : values, indices };
}

/** A dimension sorted, and the indices that sort it. */
export function sort(x: Node, dim = -1, descending = false): Indexed<Node> {
  return at(x, argsort(x, dim, descending), dimOf("sort", dim, x.shape.length, x.shape));
}

/** The `k` largest (or smallest) along a dimension, in order, and where they are. */
export function topk(x: Node, k: number, dim = -1, largest = true): Indexed<Node> {
  const axis = dimOf("topk", dim, x.shape.length, x.shape);
  if (!Number.isInteger(k) || k < 0 || k > (x.shape[axis] ?? 1))
    throw new ArgumentError(`topk: ${k} of dimension ${dim} of shape ${shapeText(x.shape)}`);
  const indices = argsort(x, axis, largest);
  return x.shape.length === 0 ? { values: x, indices } : at(x, sliceAxis(indices, axis, 0, k), axis);
}
