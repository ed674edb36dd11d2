import { DTypeError, IndexError, ShapeError } from "../../base/errors.ts";
import { indexAt, sameShape, shapeText } from "../../base/shape.ts";
import { hostNode } from "../../engine/trace.ts";
import type { Node } from "../../ir/node.ts";
import { placesOf } from "../operations/arrangement.ts";
import { dimOf } from "../operations/dims.ts";
import { full } from "../operations/elementwise.ts";
import { groups } from "../operations/groups.ts";
import { asStrided, at, indexSelect } from "../operations/indexing.ts";
import { flatten } from "../operations/movement.ts";
import { broadcastShape, broadcastTo } from "../operations/promote.ts";
import * as ops from "../operations/scattering.ts";
import { ArrangementMethods } from "./arrangement.ts";
import { type HasNode, operandOf } from "./base.ts";
import type { IndexOf } from "./indexing.ts";

const vector = (values: readonly number[]): Node => hostNode(Int32Array.from(values), "i32", [values.length]);

const isNodeOf = <T extends HasNode>(i: IndexOf<T> | undefined): i is T =>
  typeof i === "object" && i !== null && "node" in i;

/** What else `unique` gives. */
export interface UniqueOptions {
  /** They are in order whether or not that is asked for. */
  sorted?: boolean;
  /** Where each element is among the values, in this tensor's shape, or along the dimension. */
  returnInverse?: boolean;
  /** How often each value is there. */
  returnCounts?: boolean;
  /** The dimension whose slices are compared; null: all elements. */
  dim?: number | null;
}

/** Different values, and what else was asked for. */
export interface Unique<T> {
  values: T;
  inverse?: T;
  counts?: T;
}

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
  /**
   * This with what `at` takes at some indices, `x[i, …]`, replaced by values that broadcast to it, or with them added, each
   * as often as its index is there; of several that are put in one place the last stays. A bool tensor is read, but where it
   * is the only index and the value one.
   */
  indexPut(
    indices: readonly IndexOf<T>[],
    values: T | number | boolean,
    { accumulate = false }: { accumulate?: boolean } = {},
  ): T {
    const x = this.node;
    const given = ops.valuesFor("indexPut", x, operandOf(values));
    const [only, ...more] = indices;
    if (
      isNodeOf(only) &&
      only.node.dtype === "bool" &&
      more.length === 0 &&
      given.shape.length === 0 &&
      !accumulate
    )
      return this.wrap(ops.whereMask("indexPut", x, only.node, given));
    const places = placesOf(x, (p) => at(p, this.indicesFrom("indexPut", indices), "indexPut"));
    return this.wrap(ops.putAt("indexPut", x, places, given, accumulate));
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
  /**
   * The different values, ascending, slices along `dim` in the order of their elements; with `returnInverse` or
   * `returnCounts` an object of what was asked for. It reads this tensor.
   */
  unique(options?: UniqueOptions & { returnInverse?: false; returnCounts?: false }): T;
  unique(options: UniqueOptions): T | Unique<T>;
  unique(options: UniqueOptions = {}): T | Unique<T> {
    return this.grouped("unique", options, true);
  }
  /** As `unique`, of neighbours: the first of each run of equal values, in their order. It reads this tensor. */
  uniqueConsecutive(options?: UniqueOptions & { returnInverse?: false; returnCounts?: false }): T;
  uniqueConsecutive(options: UniqueOptions): T | Unique<T>;
  uniqueConsecutive(options: UniqueOptions = {}): T | Unique<T> {
    return this.grouped("uniqueConsecutive", options, false);
  }

  private grouped(op: string, options: UniqueOptions, sorted: boolean): T | Unique<T> {
    const { returnInverse = false, returnCounts = false, dim = null } = options;
    const { shape } = this.node;
    const axis = dim === null ? 0 : dimOf(op, dim, shape.length, shape);
    const along = dim === null || shape.length === 0 ? flatten(this.node) : this.node;
    const lines = groups(this.valuesFor(op, this.wrap(along)), along.shape, axis, sorted);
    const values = this.wrap(indexSelect(along, axis, vector(lines.firsts)));
    if (!(returnInverse || returnCounts)) return values;
    const inverse = hostNode(
      Int32Array.from(lines.inverse),
      "i32",
      dim === null ? shape : [lines.inverse.length],
    );
    return {
      values,
      ...(returnInverse && { inverse: this.wrap(inverse) }),
      ...(returnCounts && { counts: this.wrap(vector(lines.counts)) }),
    };
  }
  /**
   * Elements of the flattened tensor at storageOffset + Σ iₖ · strideₖ: windows that lie over each other, say. It is a value
   * of its own, and takes memory for each element.
   */
  asStrided(size: readonly number[], stride: readonly number[], storageOffset = 0): T {
    return this.wrap(asStrided(this.node, size, stride, storageOffset));
  }
  /** The indices of what is not 0, one a row. It reads this tensor. */
  argwhere(): T {
    return this.nonzero();
  }
}
