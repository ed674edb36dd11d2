import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText, sizeOf } from "../base/shape.ts";
import { noGrad } from "../tensor/autograd.ts";
import { Buffer } from "../tensor/buffer.ts";
import { ones, zeros } from "../tensor/create.ts";
import { refuseIntegers } from "../tensor/operations/promote.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ones_, zeros_ } from "./init/index.ts";
import { Module } from "./module.ts";
import { pythonFlag, pythonNumber } from "./repr.ts";

/** Options of `InstanceNorm1d`, `InstanceNorm2d` and `InstanceNorm3d`. */
export interface InstanceNormOptions {
  /** Added to the variance; 1e-5. */
  eps?: number;
  /** How much of a batch's statistics enters the running ones; 0.1. */
  momentum?: number;
  /** Whether it learns a weight and a bias; false. */
  affine?: boolean;
  /** Whether it learns a bias beside the weight. */
  bias?: boolean;
  /** Whether it keeps running statistics, by which it normalizes in eval mode; false. */
  trackRunningStats?: boolean;
}

/** What `InstanceNorm1d` and others have in common. */
abstract class InstanceNorm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number;
  weight: Parameter | null;
  bias: Parameter | null;
  readonly runningMean: Buffer | null;
  readonly runningVar: Buffer | null;
  /** 0 always, as in PyTorch. */
  readonly numBatchesTracked: Buffer | null;

  /** How many dimensions an input without a batch has. */
  protected abstract readonly single: number;

  constructor(
    numFeatures: number,
    {
      eps = 1e-5,
      momentum = 0.1,
      affine = false,
      bias = true,
      trackRunningStats = false,
    }: InstanceNormOptions = {},
  ) {
    super();
    const name = new.target.name;
    if (!Number.isInteger(numFeatures) || numFeatures < 1)
      throw new ArgumentError(
        `${name}: numFeatures is ${numFeatures}; it is how many channels there are, at least 1`,
      );
    if (!Number.isFinite(momentum))
      throw new ArgumentError(`${name}: momentum is ${momentum}; it must be a finite number`);
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? new Parameter(ones([numFeatures])) : null;
    this.bias = affine && bias ? new Parameter(zeros([numFeatures])) : null;
    this.runningMean = trackRunningStats ? new Buffer(zeros([numFeatures])) : null;
    this.runningVar = trackRunningStats ? new Buffer(ones([numFeatures])) : null;
    this.numBatchesTracked = trackRunningStats ? new Buffer(zeros([], { dtype: "i32" })) : null;
  }

  /** Running statistics of mean 0 and variance 1. */
  resetRunningStats(): void {
    if (this.runningMean !== null) zeros_(this.runningMean);
    if (this.runningVar !== null) ones_(this.runningVar);
  }
  /** Weights of 1, biases of 0, and running statistics as at the start. */
  resetParameters(): void {
    this.resetRunningStats();
    if (this.weight !== null) ones_(this.weight);
    if (this.bias !== null) zeros_(this.bias);
  }

  forward(x: Tensor): Tensor {
    const name = this.constructor.name;
    const { single, numFeatures, runningMean, runningVar, weight, bias, momentum } = this;
    const isSingle = x.ndim === single;
    if (!isSingle && x.ndim !== single + 1)
      throw new ShapeError(
        `${name}: takes an input of ${single} or ${single + 1} dimensions, this one is ${shapeText(x.shape)}`,
      );
    refuseIntegers(name, x);
    const batch = isSingle ? x.unsqueeze(0) : x;
    if (batch.shape[1] !== numFeatures)
      throw new ShapeError(
        `${name}: an input of shape ${shapeText(x.shape)} has ${batch.shape[1]} channels, this layer ${numFeatures}`,
      );
    const perChannel = batch.shape.map((_, i) => (i === 1 ? numFeatures : 1));
    let mean: Tensor;
    let variance: Tensor;
    if (this.training || runningMean === null || runningVar === null) {
      const others = batch.shape.flatMap((_, i) => (i < 2 ? [] : [i]));
      const count = sizeOf(batch.shape.slice(2));
      if (count === 1)
        throw new ShapeError(
          `${name}: a channel of a sample needs more than one value, and an input of shape ${shapeText(x.shape)} has one`,
        );
      mean = batch.mean(others, { keepdim: true });
      variance = batch.sub(mean).square().mean(others, { keepdim: true });
      if (this.training && runningMean !== null && runningVar !== null)
        noGrad(() => {
          for (const [running, found] of [
            [runningMean, mean],
            [runningVar, variance.mul(count / (count - 1))],
          ] as const) {
            const entering = found.mean(0).flatten().mul(momentum);
            running.update(
              running
                .mul(1 - momentum)
                .add(entering)
                .to(running.dtype),
            );
          }
        });
    } else {
      mean = runningMean.reshape(perChannel);
      variance = runningVar.reshape(perChannel);
    }
    const normal = batch.sub(mean).div(variance.add(this.eps).sqrt());
    const scaled = weight === null ? normal : normal.mul(weight.reshape(perChannel));
    const shifted = bias === null ? scaled : scaled.add(bias.reshape(perChannel));
    return isSingle ? shifted.squeeze(0) : shifted;
  }

  override extraRepr(): string {
    const { numFeatures, eps, momentum, weight, bias, runningMean } = this;
    return `${numFeatures}, eps=${pythonNumber(eps)}, momentum=${pythonNumber(momentum)}, affine=${pythonFlag(weight !== null)}, bias=${pythonFlag(bias !== null)}, track_running_stats=${pythonFlag(runningMean !== null)}`;
  }
}

/**
 * (x − mean) / √(variance + eps) · weight + bias for every channel of every sample, with mean and variance over the
 * dimensions behind the channels. In eval mode with running statistics it goes by these.
 *
 * Takes x of [N, C, L] or [C, L] and a floating dtype, with C = `numFeatures`; gives x's shape. `weight` and `bias`,
 * of [C], start from ones and zeros, and are null unless `affine` is true. Options are those of
 * `InstanceNormOptions`.
 * Throws `ShapeError` for another shape, and for channels of one value; `ArgumentError` for options that cannot be;
 * `DTypeError` for integers.
 * Source: Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016;
 * `torch.nn.InstanceNorm1d`.
 * Example: `new nn.InstanceNorm1d(3, { affine: true }).forward(randn([2, 3, 5]))`.
 */
export class InstanceNorm1d extends InstanceNorm {
  protected readonly single = 2;
}

/**
 * (x − mean) / √(variance + eps) · weight + bias for every channel of every sample, with mean and variance over the
 * dimensions behind the channels. In eval mode with running statistics it goes by these.
 *
 * Takes x of [N, C, H, W] or [C, H, W] and a floating dtype, with C = `numFeatures`; gives x's shape. `weight` and
 * `bias`, of [C], start from ones and zeros, and are null unless `affine` is true. Options are those of
 * `InstanceNormOptions`.
 * Throws `ShapeError` for another shape, and for channels of one value; `ArgumentError` for options that cannot be;
 * `DTypeError` for integers.
 * Source: Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016;
 * `torch.nn.InstanceNorm2d`.
 * Example: `new nn.InstanceNorm2d(3, { affine: true }).forward(randn([2, 3, 4, 4]))`.
 */
export class InstanceNorm2d extends InstanceNorm {
  protected readonly single = 3;
}

/**
 * (x − mean) / √(variance + eps) · weight + bias for every channel of every sample, with mean and variance over the
 * dimensions behind the channels. In eval mode with running statistics it goes by these.
 *
 * Takes x of [N, C, D, H, W] or [C, D, H, W] and a floating dtype, with C = `numFeatures`; gives x's shape. `weight`
 * and `bias`, of [C], start from ones and zeros, and are null unless `affine` is true. Options are those of
 * `InstanceNormOptions`.
 * Throws `ShapeError` for another shape, and for channels of one value; `ArgumentError` for options that cannot be;
 * `DTypeError` for integers.
 * Source: Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016;
 * `torch.nn.InstanceNorm3d`.
 * Example: `new nn.InstanceNorm3d(3, { affine: true }).forward(randn([2, 3, 2, 2, 2]))`.
 */
export class InstanceNorm3d extends InstanceNorm {
  protected readonly single = 4;
}
