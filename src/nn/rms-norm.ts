import { ArgumentError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import type { Shape } from "../base/shape.ts";
import { ones } from "../tensor/create.ts";
import { rmsNorm } from "../tensor/functions.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ones_ } from "./init/index.ts";
import { Module } from "./module.ts";
import { pythonFlag, pythonNumber, pythonTuple } from "./repr.ts";

/** Options of `RMSNorm`. */
export interface RMSNormOptions {
  /** Added to the mean square; null, the default, is the smallest step from 1 in the dtype of x. */
  eps?: number | null;
  /** Whether it learns a weight. */
  elementwiseAffine?: boolean;
}

/**
 * x / √(mean x² + eps) · weight, over the last dimensions: LayerNorm without the mean and the shift.
 *
 * Takes x of a floating dtype and a shape that ends in `normalizedShape` (a number: the size of the last dimension);
 * gives x's shape. `weight`, of `normalizedShape`, starts from ones; with `elementwiseAffine: false` there is none. Eps is
 * 2⁻²³ of f32 and smaller floats and 2⁻⁵² of f64 unless given; it is in the units of x².
 * Throws `ArgumentError` for a `normalizedShape` of no dimension, `ShapeError` for an input that does not end in it,
 * `DTypeError` for integers.
 * Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019; `torch.nn.RMSNorm`.
 * Example: `new nn.RMSNorm(8).forward(randn([2, 5, 8]))`.
 */
export class RMSNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number | null;
  weight: Parameter | null;

  constructor(normalizedShape: number | Shape, options: RMSNormOptions = {}) {
    refuseOptions("RMSNorm", options, { eps: null, elementwiseAffine: null });
    const { eps = null, elementwiseAffine = true } = options;
    super();
    const shape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    if (shape.length === 0)
      throw new ArgumentError("RMSNorm: normalizedShape [] names no dimension to normalize over");
    this.normalizedShape = shape;
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(ones(shape)) : null;
  }

  /** Weights of 1. */
  resetParameters(): void {
    if (this.weight !== null) ones_(this.weight);
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.normalizedShape, this.weight, this.eps);
  }

  override extraRepr(): string {
    const { normalizedShape, eps, weight } = this;
    return `${pythonTuple(normalizedShape)}, eps=${pythonNumber(eps)}, elementwise_affine=${pythonFlag(weight !== null)}`;
  }
}
