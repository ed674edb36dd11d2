import type { DType } from "../../base/dtype.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import { dataNode, type TensorData } from "../data-node.ts";
import * as ops from "../operations/arrangement.ts";
import { full } from "../operations/elementwise.ts";
import { diagonal, movedim, reshape, select, slice, transpose } from "../operations/movement.ts";
import { ArithmeticMethods } from "./arithmetic.ts";
import type { HasNode } from "./base.ts";

type Dims = number | readonly number[];
/** Where a diagonal lies. */
interface DiagonalOptions {
  offset?: number;
  dim1?: number;
  dim2?: number;
}
/** What is made like a tensor, but for these. */
interface NewOptions {
  dtype?: DType;
  requiresGrad?: boolean;
}

/** Methods that arrange elements, and make new tensors like one. */
export abstract class ArrangementMethods<T extends HasNode> extends ArithmeticMethods<T> {
  /** All dimensions in reverse order. */
  get T(): T {
    return this.wrap(ops.reversed(this.node));
  }
  /** As `reshape`, to another tensor's shape. */
  reshapeAs(other: T): T {
    return this.wrap(reshape(this.node, other.node.shape));
  }
  /** As `reshapeAs`. */
  viewAs(other: T): T {
    return this.wrap(reshape(this.node, other.node.shape));
  }
  /** In one row. */
  ravel(): T {
    return this.wrap(reshape(this.node, [sizeOf(this.node.shape)]));
  }
  /** This: every tensor is. */
  contiguous(): T {
    return this.wrap(this.node);
  }
  /** As `transpose`. */
  swapaxes(axis0: number, axis1: number): T {
    return this.wrap(transpose(this.node, axis0, axis1));
  }
  /** As `transpose`. */
  swapdims(dim0: number, dim1: number): T {
    return this.wrap(transpose(this.node, dim0, dim1));
  }
  /** As `movedim`. */
  moveaxis(source: Dims, destination: Dims): T {
    return this.wrap(movedim(this.node, source, destination));
  }
  /** As `repeat`; dimensions that are not named are not repeated. */
  tile(times: readonly number[]): T {
    const missing = this.node.shape.length - times.length;
    return this.repeat([...new Array<number>(Math.max(0, missing)).fill(1), ...times]);
  }
  /** Columns in reverse order. */
  fliplr(): T {
    return this.wrap(ops.flipAlong("fliplr", this.node));
  }
  /** Rows in reverse order. */
  flipud(): T {
    return this.wrap(ops.flipAlong("flipud", this.node));
  }
  /** Turned by k quarters from the first of two dimensions to the second. */
  rot90(k = 1, dims: readonly number[] = [0, 1]): T {
    return this.wrap(ops.rot90(this.node, k, dims));
  }
  /** So many pieces of nearly equal size, or pieces cut at indices; where a tensor says which, it is read. */
  tensorSplit(indices: Dims | T, dim = 0): T[] {
    const given =
      typeof indices === "object" && "node" in indices
        ? ops.splitPlaces(indices.node, this.valuesFor("tensorSplit", indices))
        : indices;
    return ops.tensorSplit(this.node, given, dim).map((n) => this.wrap(n));
  }
  /** Cut along columns. */
  hsplit(indices: Dims): T[] {
    return ops.splitAlong("hsplit", this.node, indices).map((n) => this.wrap(n));
  }
  /** Cut along rows. */
  vsplit(indices: Dims): T[] {
    return ops.splitAlong("vsplit", this.node, indices).map((n) => this.wrap(n));
  }
  /** Cut along the third dimension. */
  dsplit(indices: Dims): T[] {
    return ops.splitAlong("dsplit", this.node, indices).map((n) => this.wrap(n));
  }
  /** Windows of a size along a dimension, one every `step`, each as a last dimension. */
  unfold(dim: number, size: number, step: number): T {
    return this.wrap(ops.unfold(this.node, dim, size, step));
  }
  /** The last dimension as a diagonal of two new ones. */
  diagEmbed({ offset = 0, dim1 = -2, dim2 = -1 }: DiagonalOptions = {}): T {
    return this.wrap(ops.diagEmbed(this.node, offset, dim1, dim2));
  }
  /** This with a diagonal replaced. */
  diagonalScatter(source: T, { offset = 0, dim1 = 0, dim2 = 1 }: DiagonalOptions = {}): T {
    const place = (x: Node) => diagonal(x, offset, dim1, dim2);
    return this.wrap(ops.replaced("diagonalScatter", this.node, place, source.node));
  }
  /** This with one index of a dimension replaced. */
  selectScatter(source: T, dim: number, index: number): T {
    const place = (x: Node) => select(x, dim, index);
    return this.wrap(ops.replaced("selectScatter", this.node, place, source.node));
  }
  /** This with a range of a dimension replaced. */
  sliceScatter(source: T, dim = 0, start?: number | null, end?: number | null, step = 1): T {
    const place = (x: Node) => slice(x, dim, start, end, step);
    return this.wrap(ops.replaced("sliceScatter", this.node, place, source.node));
  }
  /** As another tensor's dtype. */
  typeAs(other: T): T {
    return this.to(other.node.dtype);
  }
  /** A copy of data, in this tensor's dtype. */
  newTensor(data: TensorData, options: NewOptions = {}): T {
    const { dtype = this.node.dtype, requiresGrad = false } = options;
    return this.leaf(dataNode("newTensor", data, dtype), requiresGrad);
  }
  /** One value everywhere, in a shape and this tensor's dtype. */
  newFull(shape: readonly number[], value: number | boolean, options: NewOptions = {}): T {
    const { dtype = this.node.dtype, requiresGrad = false } = options;
    return this.leaf(full([...shape], value, dtype), requiresGrad);
  }
  /** Zeros in a shape and this tensor's dtype. */
  newZeros(shape: readonly number[], options: NewOptions = {}): T {
    return this.newFull(shape, 0, options);
  }
  /** Ones in a shape and this tensor's dtype. */
  newOnes(shape: readonly number[], options: NewOptions = {}): T {
    return this.newFull(shape, 1, options);
  }
  /** A tensor whose values do not matter, in a shape and this tensor's dtype: zeros. */
  newEmpty(shape: readonly number[], options: NewOptions = {}): T {
    return this.newFull(shape, 0, options);
  }
}
