import { DTypeError, IndexError, ShapeError } from "../../base/errors.ts";
import { indexAt, sameShape, shapeText } from "../../base/shape.ts";
import { hostNode } from "../../engine/trace.ts";
import type { Node } from "../../ir/node.ts";
import { full } from "../operations/elementwise.ts";
import { indexSelect } from "../operations/indexing.ts";
import { flatten } from "../operations/movement.ts";
import { broadcastShape, broadcastTo } from "../operations/promote.ts";
import * as ops from "../operations/scattering.ts";
import { ArrangementMethods } from "./arrangement.ts";
import { type HasNode, operandOf } from "./base.ts";

const vector = (values: readonly number[]): Node => hostNode(Int32Array.from(values), "i32", [values.length]);

/** Methods that write at indices, and those of which the result's shape depends on values: these read them at once. */
export abstract class ScatteringMethods<T extends HasNode> extends ArrangementMethods<T> {
  /** This with elements at indices along a dimension replaced, or added to or multiplied; of several the last stays. */
  scatter(
    dim: number,
    index: T,
    source: T | number,
    { reduce }: { reduce?: "add" | "multiply" | null } = {},
  ): T {
    return this.wrap(ops.scatter(this.node, dim, index.node, operandOf(source), reduce ?? undefined));
  }
  /** This with elements of a source reduced into it at indices along a dimension. */
  scatterReduce(
    dim: number,
    index: T,
    source: T,
    reduce: ops.ScatterReduce,
    { includeSelf = true }: { includeSelf?: boolean } = {},
  ): T {
    return this.wrap(ops.scatterReduce(this.node, dim, index.node, source.node, reduce, includeSelf));
  }
  /** This with whole slices, times alpha, added at a vector of indices along a dimension. */
  indexAdd(dim: number, index: T, source: T, { alpha = 1 }: { alpha?: number } = {}): T {
    return this.wrap(ops.indexAdd(this.node, dim, index.node, source.node, operandOf(alpha)));
  }
  /** This with whole slices at a vector of indices along a dimension replaced. */
  indexCopy(dim: number, index: T, source: T): T {
    return this.wrap(ops.indexCopy(this.node, dim, index.node, source.node));
  }
  /** This with one value at a vector of indices along a dimension. */
  indexFill(dim: number, index: T, value: T | number | boolean): T {
    return this.wrap(ops.indexFill(this.node, dim, index.node, operandOf(value)));
  }
  /** Elements of the flattened tensor at indices of any shape. */
  take(index: T): T {
    return this.wrap(ops.take(this.node, index.node));
  }
  /** This with elements at indices of the flattened tensor replaced, or added to. */
  put(index: T, source: T, { accumulate = false }: { accumulate?: boolean } = {}): T {
    return this.wrap(ops.put(this.node, index.node, source.node, accumulate));
  }
  /** This with the elements where a mask is true replaced by those of a source, one after the other. */
  maskedScatter(mask: T, source: T): T {
    return this.wrap(ops.maskedScatter(this.node, mask.node, source.node));
  }
  /** The elements where a mask is true, in one row. It reads the mask. */
  maskedSelect(mask: T): T {
    if (mask.node.dtype !== "bool")
      throw new DTypeError(
        `maskedSelect: the mask is ${mask.node.dtype}, not bool; compare it with something first`,
      );
    const shape = broadcastShape([this.node, mask.node], "maskedSelect");
    const whole = this.wrap(broadcastTo(mask.node, shape, "maskedSelect"));
    const places: number[] = [];
    this.valuesFor("maskedSelect", whole).forEach((v, i) => {
      if (v !== 0) places.push(i);
    });
    const line = flatten(broadcastTo(this.node, shape, "maskedSelect"));
    return this.wrap(indexSelect(line, 0, vector(places)));
  }
  /** The indices of what is not 0, one a row; or a vector for each dimension. It reads this tensor. */
  nonzero(options?: { asTuple?: false }): T;
  nonzero(options: { asTuple: true }): T[];
  nonzero({ asTuple = false }: { asTuple?: boolean } = {}): T | T[] {
    const { shape } = this.node;
    const found: number[][] = [];
    this.valuesFor("nonzero", this.wrap(this.node)).forEach((v, i) => {
      if (v !== 0) found.push(indexAt(i, shape));
    });
    if (!asTuple)
      return this.wrap(hostNode(Int32Array.from(found.flat()), "i32", [found.length, shape.length]));
    // A scalar is a vector of one here.
    if (shape.length === 0) return [this.wrap(vector(found.map(() => 0)))];
    return shape.map((_, axis) => this.wrap(vector(found.map((index) => index[axis]!))));
  }
  /** How often each number from 0 on occurs in a vector of integers. It reads this tensor. */
  bincount({ weights, minlength = 0 }: { weights?: T; minlength?: number } = {}): T {
    const { shape, dtype } = this.node;
    if (shape.length !== 1 || !(dtype === "i32" || dtype === "u8" || dtype === "i8"))
      throw new DTypeError(`bincount: takes a vector of integers, not ${dtype}${shapeText(shape)}`);
    if (weights !== undefined && !sameShape(weights.node.shape, shape))
      throw new ShapeError(
        `bincount: weights of shape ${shapeText(weights.node.shape)} for shape ${shapeText(shape)}`,
      );
    let size = minlength;
    const values = this.valuesFor("bincount", this.wrap(this.node));
    for (const v of values) {
      if (v < 0) throw new IndexError(`bincount: ${v} is below 0`);
      size = Math.max(size, v + 1);
    }
    const terms = weights ?? this.newOnes(shape, { dtype: "i32" });
    const none = full([size], 0, terms.node.dtype);
    return this.wrap(ops.indexAdd(none, 0, this.node, terms.node, 1));
  }
  /** The different values, ascending. It reads this tensor. */
  unique(): T {
    const values = this.valuesFor("unique", this.wrap(this.node));
    const kept = [...new Set(values)].sort((a, b) => (Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : a - b));
    const places = kept.map((v) => values.findIndex((x) => Object.is(x, v) || x === v));
    return this.wrap(indexSelect(flatten(this.node), 0, vector(places)));
  }
}
