import { ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** Options of `Softmax`, `LogSoftmax` and `Softmin`. */
export interface SoftmaxOptions {
  /** The dimension along which results sum to 1; null: the first of 0, 1 or 3 dimensions, else the second. */
  dim?: number | null;
}

/** What no dimension stands for, as in PyTorch: the first where there are 0, 1 or 3, else the second. */
const dimOr = (dim: number | null, { ndim }: Tensor): number =>
  dim ?? (ndim === 0 || ndim === 1 || ndim === 3 ? 0 : 1);

/** What is normalized along one dimension. */
abstract class AlongDimension extends Module {
  readonly dim: number | null;

  constructor(options: SoftmaxOptions = {}) {
    refuseOptions(new.target.name, options, { dim: null });
    const { dim = null } = options;
    super();
    this.dim = dim;
  }
  override extraRepr(): string {
    return `dim=${this.dim ?? "None"}`;
  }
}

/**
 * eˣ over its sum along a dimension, without overflow.
 *
 * Takes x of any shape and a floating dtype; gives x's shape, summing to 1 along `dim`. Without one, or with null,
 * that is the first dimension where x has 0, 1 or 3, else the second.
 * Throws `IndexError` for a dimension that x does not have, `DTypeError` for integers.
 * Source: `torch.nn.Softmax`.
 * Example: `new nn.Softmax({ dim: 1 }).forward(randn([2, 3]))`.
 */
export class Softmax extends AlongDimension {
  forward(x: Tensor): Tensor {
    return x.softmax(dimOr(this.dim, x));
  }
}

/**
 * The logarithm of softmax along a dimension: x − log Σ eˣ.
 *
 * Takes x of any shape and a floating dtype; gives x's shape. `dim` is as for `Softmax`.
 * Throws `IndexError` for a dimension that x does not have, `DTypeError` for integers.
 * Source: `torch.nn.LogSoftmax`.
 * Example: `new nn.LogSoftmax({ dim: 1 }).forward(randn([2, 3]))`.
 */
export class LogSoftmax extends AlongDimension {
  forward(x: Tensor): Tensor {
    return x.logSoftmax(dimOr(this.dim, x));
  }
}

/**
 * Softmax of −x: the smallest along a dimension gets the most.
 *
 * Takes x of any shape and floating dtype; gives its shape, summing to 1 along `dim`.
 * Throws `IndexError` for a dimension that x does not have.
 * Source: `torch.nn.Softmin`. Example: `new nn.Softmin({ dim: 1 }).forward(randn([2, 3]))`.
 */
export class Softmin extends AlongDimension {
  forward(x: Tensor): Tensor {
    return x.softmin(dimOr(this.dim, x));
  }
}

/**
 * Softmax over the channels of images, at every place.
 *
 * Takes x of [N, C, H, W] or [C, H, W]; gives its shape, summing to 1 over C.
 * Throws `ShapeError` for another number of dimensions.
 * Source: `torch.nn.Softmax2d`. Example: `new nn.Softmax2d().forward(randn([2, 3, 2, 2]))`.
 */
export class Softmax2d extends Module {
  forward(x: Tensor): Tensor {
    if (x.ndim !== 3 && x.ndim !== 4)
      throw new ShapeError(
        `Softmax2d: takes [N, C, H, W] or [C, H, W], this input is ${shapeText(x.shape)}; use Softmax with a dim for others`,
      );
    return x.softmax(-3);
  }
}
