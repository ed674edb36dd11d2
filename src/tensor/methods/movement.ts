import { ShapeError } from "../../base/errors.ts";
import type { Shape } from "../../base/shape.ts";
import * as ops from "../operations/movement.ts";
import { type PadMode, padBy } from "../operations/padding.ts";
import type { HasNode } from "./base.ts";
import { ReductionMethods } from "./reduction.ts";

type Dims = number | readonly number[];

/** Methods that move elements, named and behaving as PyTorch's. None aliases: a view is a value of its own. */
export abstract class MovementMethods<T extends HasNode> extends ReductionMethods<T> {
  /** The same elements in another shape; one size may be -1. */
  reshape(shape: readonly number[]): T {
    return this.wrap(ops.reshape(this.node, shape));
  }
  /** As `reshape`. */
  view(shape: readonly number[]): T {
    return this.wrap(ops.reshape(this.node, shape));
  }
  /** Dimensions in another order. */
  permute(dims: readonly number[]): T {
    return this.wrap(ops.permute(this.node, dims));
  }
  /** Two dimensions swapped. */
  transpose(dim0: number, dim1: number): T {
    return this.wrap(ops.transpose(this.node, dim0, dim1));
  }
  /** A matrix transposed. */
  t(): T {
    return this.wrap(ops.t(this.node));
  }
  /** The last two dimensions swapped. */
  get mT(): T {
    return this.wrap(ops.transpose(this.node, -2, -1));
  }
  /** Dimensions moved to other places. */
  movedim(source: Dims, destination: Dims): T {
    return this.wrap(ops.movedim(this.node, source, destination));
  }
  /** Neighbouring dimensions as one. */
  flatten(startDim = 0, endDim = -1): T {
    return this.wrap(ops.flatten(this.node, startDim, endDim));
  }
  /** One dimension as several. */
  unflatten(dim: number, sizes: readonly number[]): T {
    return this.wrap(ops.unflatten(this.node, dim, sizes));
  }
  /** Without dimensions of size 1. */
  squeeze(dim?: Dims): T {
    return this.wrap(ops.squeeze(this.node, dim));
  }
  /** With a dimension of size 1 more. */
  unsqueeze(dim: number): T {
    return this.wrap(ops.unsqueeze(this.node, dim));
  }
  /** Repeated along dimensions of size 1; -1 keeps a size. */
  expand(shape: readonly number[]): T {
    return this.wrap(ops.expand(this.node, shape));
  }
  /** As `expand`. */
  broadcastTo(shape: readonly number[]): T {
    return this.wrap(ops.expand(this.node, shape));
  }
  /** Repeated up to another tensor's shape. */
  expandAs(other: { readonly shape: Shape }): T {
    return this.wrap(ops.expand(this.node, other.shape));
  }
  /** The whole repeated along each dimension. */
  repeat(times: readonly number[]): T {
    return this.wrap(ops.repeat(this.node, times));
  }
  /**
   * Each element repeated; where a tensor says how often, it is read, and one count stands for all. `outputSize` is how
   * many there must be.
   */
  repeatInterleave(
    times: number | T,
    dim?: number | null,
    { outputSize }: { outputSize?: number | null } = {},
  ): T {
    const result =
      typeof times === "number"
        ? ops.repeatInterleave(this.node, times, dim)
        : ops.repeatEach(this.node, times.node, this.valuesFor("repeatInterleave", times), dim);
    const count = result.shape.at(dim ?? 0);
    if (typeof outputSize === "number" && outputSize !== count)
      throw new ShapeError(
        `repeatInterleave: outputSize is ${outputSize}, and the counts add up to ${count}`,
      );
    return this.wrap(result);
  }
  /** Dimensions run backwards. */
  flip(dims: Dims): T {
    return this.wrap(ops.flip(this.node, dims));
  }
  /** Elements moved round. */
  roll(shifts: Dims, dims?: Dims | null): T {
    return this.wrap(ops.roll(this.node, shifts, dims));
  }
  /** `length` elements along a dimension from `start` on; where that is a tensor, it is read. */
  narrow(dim: number, start: number | T, length: number): T {
    const from = typeof start === "number" ? start : this.wholeFor("narrow", start);
    return this.wrap(ops.narrow(this.node, dim, from, length));
  }
  /** One index of a dimension, which goes. */
  select(dim: number, index: number): T {
    return this.wrap(ops.select(this.node, dim, index));
  }
  /** A range of a dimension, as Python's start:end:step. */
  slice(dim: number, start?: number | null, end?: number | null, step = 1): T {
    return this.wrap(ops.slice(this.node, dim, start, end, step));
  }
  /**
   * With elements around it: pairs (before, after) from the last dimension on, negative ones crop. They are `value` (0), or
   * by `mode` the mirror image ("reflect"), the outermost element ("replicate"), or what comes round again ("circular").
   */
  pad(padding: readonly number[], { mode = "constant", value }: { mode?: PadMode; value?: number } = {}): T {
    return this.wrap(padBy(this.node, padding, mode, value));
  }
  /** The lower triangle. */
  tril(diagonal = 0): T {
    return this.wrap(ops.tril(this.node, diagonal));
  }
  /** The upper triangle. */
  triu(diagonal = 0): T {
    return this.wrap(ops.triu(this.node, diagonal));
  }
  /** A diagonal, as a last dimension. */
  diagonal({ offset = 0, dim1 = 0, dim2 = 1 }: { offset?: number; dim1?: number; dim2?: number } = {}): T {
    return this.wrap(ops.diagonal(this.node, offset, dim1, dim2));
  }
  /** A vector as a diagonal matrix; of a matrix, its diagonal. */
  diag(offset = 0): T {
    return this.wrap(ops.diag(this.node, offset));
  }
  /** Pieces of a size, or of the sizes given. */
  split(sizes: Dims, dim = 0): T[] {
    return ops.split(this.node, sizes, dim).map((n) => this.wrap(n));
  }
  /** At most so many pieces of equal size. */
  chunk(chunks: number, dim = 0): T[] {
    return ops.chunk(this.node, chunks, dim).map((n) => this.wrap(n));
  }
  /** Every index of a dimension. */
  unbind(dim = 0): T[] {
    return ops.unbind(this.node, dim).map((n) => this.wrap(n));
  }
}
