import { ArgumentError, ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText, sizeOf } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { refuseIntegers } from "../tensor/operations/promote.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { pythonFloat } from "./repr.ts";

/** Options of `LocalResponseNorm`. */
export interface LocalResponseNormOptions {
  /** How much the mean of squares counts; 1e-4. */
  alpha?: number;
  /** The power that the divisor is raised to; 0.75. */
  beta?: number;
  /** What is added to the mean of squares; 1. */
  k?: number;
}

/**
 * x / (k + alpha · m)^beta, where m is the mean of squares over `size` neighbouring channels, zeros beyond the edge.
 *
 * Takes x of [N, C, …], three dimensions or more; gives its shape. `size` has no default.
 * Throws `ShapeError` for fewer dimensions, `ArgumentError` for a size that is no whole number above 0.
 * Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012;
 * `torch.nn.LocalResponseNorm`. Example: `new nn.LocalResponseNorm(3).forward(randn([1, 4, 2, 2]))`.
 */
export class LocalResponseNorm extends Module {
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;

  constructor(size: number, options: LocalResponseNormOptions = {}) {
    refuseOptions("LocalResponseNorm", options, { alpha: null, beta: null, k: null });
    const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
    super();
    this.size = size;
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }
  forward(x: Tensor): Tensor {
    return localResponseNorm(x, this.size, this);
  }
  override extraRepr(): string {
    return `${this.size}, alpha=${pythonFloat(this.alpha)}, beta=${pythonFloat(this.beta)}, k=${pythonFloat(this.k)}`;
  }
}

/** What `LocalResponseNorm` does. */
export const localResponseNorm = checked(
  "localResponseNorm",
  takes({ x: kind.tensor, size: kind.number }, { alpha: kind.number, beta: kind.number, k: kind.number }),
  localResponseNormOf,
);

function localResponseNormOf(
  x: Tensor,
  size: number,
  { alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseNormOptions = {},
): Tensor {
  if (!Number.isInteger(size) || size < 1)
    throw new ArgumentError(`localResponseNorm: size is ${size}; it is a number of channels, at least 1`);
  if (x.ndim < 3)
    throw new ShapeError(
      `localResponseNorm: takes [N, C, …] of three dimensions or more, this input is ${shapeText(x.shape)}`,
    );
  refuseIntegers("localResponseNorm", x);
  if (sizeOf(x.shape) === 0) return x;
  const around = [Math.floor(size / 2), Math.floor((size - 1) / 2)];
  const beyond = x.shape.slice(2).flatMap(() => [0, 0]);
  const squares = x.square().pad([...beyond, ...around]);
  const shifted = Array.from({ length: size }, (_, i) => squares.narrow(1, i, x.shape[1]!));
  const mean = shifted.reduce((sum, part) => sum.add(part)).div(size);
  return x.div(mean.mul(alpha).add(k).pow(beta));
}
