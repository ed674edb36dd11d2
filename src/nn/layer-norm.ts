import { ArgumentError } from "../base/errors.ts";
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

/** Normalizes over the last dimensions to mean 0 and variance 1, then scales by `weight` and shifts by `bias`. */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  constructor(
    normalizedShape: number | Shape,
    { eps = 1e-5, elementwiseAffine = true, bias = true }: LayerNormOptions = {},
  ) {
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
