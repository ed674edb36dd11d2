import { ArgumentError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { pythonTuple } from "./repr.ts";

/**
 * Makes one dimension of several: by default all but the first, the batch.
 *
 * Takes x of any shape, with dimensions `startDim` (1 unless given) to `endDim` (−1, the last); gives x's shape with
 * one dimension of the product of their sizes in their place.
 * Throws `IndexError` for a dimension that x does not have, `ArgumentError` for a start behind the end.
 * Source: `torch.nn.Flatten`.
 * Example: `new nn.Flatten().forward(randn([2, 3, 4]))`.
 */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  constructor(options: { startDim?: number; endDim?: number } = {}) {
    refuseOptions("Flatten", options, { startDim: null, endDim: null });
    const { startDim = 1, endDim = -1 } = options;
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }

  forward(x: Tensor): Tensor {
    return x.flatten(this.startDim, this.endDim);
  }

  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }
}

/**
 * Makes several dimensions of one: what `Flatten` does, undone.
 *
 * Takes x of any shape; gives it with dimension `dim`, negative ones counted from the end, as `unflattenedSize`, of which
 * one size may be -1. Neither has a default.
 * Throws `ArgumentError` for sizes that are no list of whole numbers; in `forward` `ShapeError` for sizes whose product
 * is not that of the dimension, `IndexError` for a dimension that x does not have.
 * Source: `torch.nn.Unflatten`. Example: `new nn.Unflatten(1, [2, -1]).forward(randn([3, 8]))`.
 */
export class Unflatten extends Module {
  readonly dim: number;
  readonly unflattenedSize: readonly number[];

  constructor(dim: number, unflattenedSize: readonly number[]) {
    super();
    if (!Number.isInteger(dim))
      throw new ArgumentError(`Unflatten: dim is ${String(dim)}; it is the index of a dimension`);
    if (!Array.isArray(unflattenedSize) || !unflattenedSize.every(Number.isInteger))
      throw new ArgumentError(
        `Unflatten: unflattenedSize is ${Array.isArray(unflattenedSize) ? shapeText(unflattenedSize) : String(unflattenedSize)}; it is a list of whole numbers, as [2, -1]`,
      );
    if (unflattenedSize.length === 0)
      throw new ArgumentError("Unflatten: unflattenedSize is empty; a dimension becomes one or more");
    this.dim = dim;
    this.unflattenedSize = [...unflattenedSize];
  }

  forward(x: Tensor): Tensor {
    return x.unflatten(this.dim, this.unflattenedSize);
  }

  override extraRepr(): string {
    return `dim=${this.dim}, unflattened_size=${pythonTuple(this.unflattenedSize)}`;
  }
}
