import { ArgumentError, ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { ones, zeros } from "../tensor/create.ts";
import { groupNorm } from "../tensor/functions.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ones_, zeros_ } from "./init/index.ts";
import { Module } from "./module.ts";
import { pythonFlag, pythonNumber } from "./repr.ts";

/** Options of `GroupNorm`. */
export interface GroupNormOptions {
  /** Added to the variance; 1e-5. */
  eps?: number;
  /** Whether each channel learns a weight and a bias. */
  affine?: boolean;
  /** Whether it learns a bias beside the weight. */
  bias?: boolean;
}

/**
 * (x − mean) / √(variance + eps) · weight + bias, with mean and variance of each sample's groups of channels, in training
 * and out of it: it does not depend on the batch.
 *
 * Takes x of [N, numChannels, …] and a floating dtype; gives its shape. The channels, dimension 1, are `numGroups` groups
 * in order: 1 group is LayerNorm over a sample, as many as there are channels are instance norm. `weight` and `bias`, of
 * [numChannels], start from ones and zeros; `affine: false` leaves out both, `bias: false` the bias. The variance divides
 * by the count; eps is in its units.
 * Throws `ArgumentError` for channels that do not divide into groups, `ShapeError` for another number of channels and for
 * groups of a single value, `DTypeError` for integers.
 * Source: Wu and He, "Group Normalization", 2018; `torch.nn.GroupNorm`.
 * Example: `new nn.GroupNorm(2, 6).forward(randn([4, 6, 5]))`.
 */
export class GroupNorm extends Module {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  constructor(numGroups: number, numChannels: number, options: GroupNormOptions = {}) {
    refuseOptions("GroupNorm", options, { eps: null, affine: null, bias: null });
    const { eps = 1e-5, affine = true, bias = true } = options;
    super();
    for (const [name, value] of Object.entries({ numGroups, numChannels }))
      if (!Number.isInteger(value) || value < 1)
        throw new ArgumentError(`GroupNorm: ${name} is ${value}; it is a whole number from 1 on`);
    if (numChannels % numGroups !== 0)
      throw new ArgumentError(
        `GroupNorm: ${numChannels} channels do not divide into ${numGroups} groups; numGroups must divide numChannels`,
      );
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numChannels])) : null;
    this.bias = affine && bias ? new Parameter(zeros([numChannels])) : null;
  }

  /** Weights of 1 and biases of 0. */
  resetParameters(): void {
    if (this.weight !== null) ones_(this.weight);
    if (this.bias !== null) zeros_(this.bias);
  }

  forward(x: Tensor): Tensor {
    if (x.ndim > 1 && x.shape[1] !== this.numChannels)
      throw new ShapeError(
        `GroupNorm: an input of shape ${shapeText(x.shape)} has ${x.shape[1]} channels, this layer ${this.numChannels}`,
      );
    return groupNorm(x, this.numGroups, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    const { numGroups, numChannels, eps, weight, bias } = this;
    return (
      `${numGroups}, ${numChannels}, eps=${pythonNumber(eps)}, affine=${pythonFlag(weight !== null)}, ` +
      `bias=${pythonFlag(bias !== null)}`
    );
  }
}
