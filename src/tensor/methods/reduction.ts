import type { DType } from "../../base/dtype.ts";
import { cast } from "../../ir/build.ts";
import type { Node } from "../../ir/node.ts";
import { neg } from "../operations/elementwise.ts";
import * as ops from "../operations/reduction.ts";
import type { HasNode } from "./base.ts";
import { ElementwiseMethods } from "./elementwise.ts";

/** A node in the dtype that is asked for, if one is. */
const as = (x: Node, dtype?: DType): Node => (dtype === undefined ? x : cast(x, dtype));

/** How a reduction leaves the shape: with the reduced dimensions as size 1, or without. */
export interface Keepdim {
  keepdim?: boolean;
}

/** Methods that reduce, named and behaving as PyTorch's. */
export abstract class ReductionMethods<T extends HasNode> extends ElementwiseMethods<T> {
  protected wrapBoth({ values, indices }: ops.Indexed<Node>): ops.Indexed<T> {
    return { values: this.wrap(values), indices: this.wrap(indices) };
  }
  /** The sum. */
  sum(dim?: ops.Dim, { keepdim = false, dtype }: Keepdim & { dtype?: DType } = {}): T {
    return this.wrap(ops.sum(this.node, dim, keepdim, dtype));
  }
  /** The product. */
  prod(dim?: ops.Dim, { keepdim = false, dtype }: Keepdim & { dtype?: DType } = {}): T {
    return this.wrap(ops.prod(this.node, dim, keepdim, dtype));
  }
  /** The mean. */
  mean(dim?: ops.Dim, { keepdim = false, dtype }: Keepdim & { dtype?: DType } = {}): T {
    return this.wrap(ops.mean(this.node, dim, keepdim, dtype));
  }
  /** The variance; the sum is divided by the count less `correction`. */
  var(dim?: ops.Dim, { keepdim = false, correction = 1 }: Keepdim & { correction?: number } = {}): T {
    return this.wrap(ops.variance(this.node, dim, keepdim, correction));
  }
  /** The standard deviation. */
  std(dim?: ops.Dim, { keepdim = false, correction = 1 }: Keepdim & { correction?: number } = {}): T {
    return this.wrap(ops.standardDeviation(this.node, dim, keepdim, correction));
  }
  /** The p-norm; "fro" is that of 2. */
  norm(
    p: number | "fro" = 2,
    dim?: ops.Dim,
    { keepdim = false, dtype }: Keepdim & { dtype?: DType } = {},
  ): T {
    return this.wrap(ops.norm(as(this.node, dtype), p === "fro" ? 2 : p, dim, keepdim));
  }
  /** The largest; ties share the gradient. */
  amax(dim?: ops.Dim, { keepdim = false }: Keepdim = {}): T {
    return this.wrap(ops.amax(this.node, dim, keepdim));
  }
  /** The smallest; ties share the gradient. */
  amin(dim?: ops.Dim, { keepdim = false }: Keepdim = {}): T {
    return this.wrap(ops.amin(this.node, dim, keepdim));
  }
  /** Whether any is true. */
  any(dim?: ops.Dim, { keepdim = false }: Keepdim = {}): T {
    return this.wrap(ops.any(this.node, dim, keepdim));
  }
  /** Whether all are true. */
  all(dim?: ops.Dim, { keepdim = false }: Keepdim = {}): T {
    return this.wrap(ops.all(this.node, dim, keepdim));
  }
  /** The largest: of all, or along a dimension with where it is; with another tensor, the larger of each two. */
  max(): T;
  max(dim: number, options?: Keepdim): ops.Indexed<T>;
  max(other: T): T;
  max(dim?: number | T, { keepdim = false }: Keepdim = {}): T | ops.Indexed<T> {
    if (typeof dim === "object") return this.maximum(dim);
    if (dim === undefined) return this.wrap(ops.extremeOfAll("max", this.node));
    return this.wrapBoth(ops.maxAlong(this.node, dim, keepdim));
  }
  /** The smallest: of all, or along a dimension with where it is; with another tensor, the smaller of each two. */
  min(): T;
  min(dim: number, options?: Keepdim): ops.Indexed<T>;
  min(other: T): T;
  min(dim?: number | T, { keepdim = false }: Keepdim = {}): T | ops.Indexed<T> {
    if (typeof dim === "object") return this.minimum(dim);
    if (dim === undefined) return this.wrap(ops.extremeOfAll("min", this.node));
    return this.wrapBoth(ops.minAlong(this.node, dim, keepdim));
  }
  /** The index of the first largest, along a dimension or of all. */
  argmax(dim?: number, { keepdim = false }: Keepdim = {}): T {
    return this.wrap(ops.argmax(this.node, dim, keepdim));
  }
  /** The index of the first smallest, along a dimension or of all. */
  argmin(dim?: number, { keepdim = false }: Keepdim = {}): T {
    return this.wrap(ops.argmin(this.node, dim, keepdim));
  }
  /** How many are not 0. */
  countNonzero(dim?: ops.Dim): T {
    return this.wrap(ops.countNonzero(this.node, dim));
  }
  /** Running sums along a dimension. */
  cumsum(dim: number, { dtype }: { dtype?: DType } = {}): T {
    return this.wrap(ops.cumsum(this.node, dim, dtype));
  }
  /** eˣ over its sum along a dimension. */
  softmax(dim: number, { dtype }: { dtype?: DType } = {}): T {
    return this.wrap(ops.softmax(as(this.node, dtype), dim));
  }
  /** The logarithm of softmax. */
  logSoftmax(dim: number, { dtype }: { dtype?: DType } = {}): T {
    return this.wrap(ops.logSoftmax(as(this.node, dtype), dim));
  }
  /** The logarithm of the sum of eˣ. */
  logsumexp(dim: ops.Dim, { keepdim = false }: Keepdim = {}): T {
    return this.wrap(ops.logsumexp(this.node, dim, keepdim));
  }
  /** Softmax of −x: the smallest along a dimension gets the most. With a dtype, −x is cast to it first. */
  softmin(dim: number, { dtype }: { dtype?: DType } = {}): T {
    const negative = neg(this.node);
    return this.wrap(ops.softmax(dtype === undefined ? negative : cast(negative, dtype), dim));
  }
}
