import { ArgumentError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import type { Shape } from "../base/shape.ts";
import { ones, zeros } from "../tensor/create.ts";
import { layerNorm } from "../tensor/functions.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ones_, zeros_ } from "./init/index.ts";
import { Module } from "./module.ts";
import { pythonFlag, pythonNumber, pythonTuple } from "./repr.ts";

/** Options of `LayerNorm`. */
export interface LayerNormOptions {
  /** Added to the variance; 1e-5. */
  eps?: number;
  /** Whether it learns a weight and a bias. */
  elementwiseAffine?: boolean;
  /** Whether it learns a bias beside the weight. */
  bias?: boolean;
}

/**
 * (x − mean) / √(variance + eps) · weight + bias, with mean and variance over the last dimensions, in training and
 * out of it.
 *
 * Takes x of [*, normalizedShape…] and a floating dtype; gives x's shape. `normalizedShape` is the sizes of the last
 * dimensions, or one size; `weight` and `bias` have that shape and start from ones and zeros. The variance divides
 * by the count. Options are those of `LayerNormOptions`.
 * Throws `ShapeError` for an input that does not end in `normalizedShape`, `ArgumentError` for a `normalizedShape`
 * of no dimension.
 * Source: Ba et al., "Layer Normalization", 2016; `torch.nn.LayerNorm`.
 * Example: `new nn.LayerNorm(8).forward(randn([2, 5, 8]))`.
 */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    refuseOptions("LayerNorm", options, { eps: null, elementwiseAffine: null, bias: null });
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options;
    super();
    const shape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    if (shape.length === 0)
      throw new ArgumentError("LayerNorm: normalizedShape [] names no dimension to normalize over");
    this.normalizedShape = shape;
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(ones(shape)) : null;
    this.bias = elementwiseAffine && bias ? new Parameter(zeros(shape)) : null;
  }

  /** Weights of 1 and biases of 0. */
  resetParameters(): void {
    if (this.weight !== null) ones_(this.weight);
    if (this.bias !== null) zeros_(this.bias);
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.normalizedShape, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    const { normalizedShape, weight, bias } = this;
    return `${pythonTuple(normalizedShape)}, eps=${pythonNumber(this.eps)}, elementwise_affine=${pythonFlag(weight !== null)}, bias=${pythonFlag(bias !== null)}`;
  }
}
