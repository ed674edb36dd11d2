import { ArgumentError, ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText, sizeOf } from "../base/shape.ts";
import { noGrad } from "../tensor/autograd.ts";
import { refuseIntegers } from "../tensor/operations/promote.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ChannelNorm } from "./channel-norm.ts";

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
abstract class InstanceNorm extends ChannelNorm {
  readonly momentum: number;

  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    refuseOptions(new.target.name, options, {
      eps: null,
      momentum: null,
      affine: null,
      bias: null,
      trackRunningStats: null,
    });
    const { eps = 1e-5, momentum = 0.1, affine = false, bias = true, trackRunningStats = false } = options;
    super(numFeatures, { eps, affine, bias, trackRunningStats });
    if (!Number.isFinite(momentum))
      throw new ArgumentError(
        `${this.constructor.name}: momentum is ${momentum}; it must be a finite number`,
      );
    this.momentum = momentum;
  }

  forward(x: Tensor): Tensor {
    const name = this.constructor.name;
    const { numFeatures, runningMean, runningVar, weight, bias, momentum } = this;
    this.refuseRank(x);
    refuseIntegers(name, x);
    const isSingle = x.ndim === this.ranks[0];
    this.refuseChannels(x, isSingle ? 0 : 1);
    const batch = isSingle ? x.unsqueeze(0) : x;
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
  protected readonly ranks = [2, 3];
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
  protected readonly ranks = [3, 4];
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
  protected readonly ranks = [4, 5];
}
