import { ArgumentError, ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText, sizeOf } from "../base/shape.ts";
import { Cell } from "../engine/cell.ts";
import { hostScalar } from "../engine/trace.ts";
import { noGrad } from "../tensor/autograd.ts";
import { refuseIntegers } from "../tensor/operations/promote.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ChannelNorm } from "./channel-norm.ts";

/** Options of `BatchNorm1d`, `BatchNorm2d` and `BatchNorm3d`. */
export interface BatchNormOptions {
  /** Added to the variance; 1e-5. */
  eps?: number;
  /** How much of a batch's statistics enters the running ones, 0.1; null: each batch counts the same. */
  momentum?: number | null;
  /** Whether it learns a weight and a bias. */
  affine?: boolean;
  /** Whether it keeps running statistics; without, it normalizes by those of the batch in eval mode too. */
  trackRunningStats?: boolean;
  /** Whether it learns a bias beside the weight. */
  bias?: boolean;
}

/** What a batch is normalized by; of `count` values a channel. */
export interface BatchStatistics {
  readonly mean: Tensor;
  readonly centred: Tensor;
  readonly variance: Tensor;
  readonly count: number | Tensor;
}

/** In no private fields, so that `clone` finds them. */
const momentum = Symbol("momentum");
const cumulative = Symbol("cumulative");

/**
 * (x − mean) / √(variance + eps) · weight + bias for every channel, with mean and variance over the batch and all
 * dimensions but the channels. In training by the statistics of the batch, which enter the running ones (the
 * variance there is the unbiased one) even where the output is not read; else by the running ones. In a module that
 * is frozen as a whole, those hold still.
 *
 * It is the class of `BatchNorm1d`, `BatchNorm2d` and `BatchNorm3d`, and has no instances of its own: `module
 * instanceof nn.BatchNorm` tells them from others. Takes x of [N, C, …] with C = `numFeatures`; gives x's shape.
 * Throws `ShapeError` for another shape, and in training for a single value a channel.
 * Source: Ioffe and Szegedy, "Batch Normalization", 2015; `torch.nn.modules.batchnorm._BatchNorm`.
 * Example: `new nn.Sequential(new nn.BatchNorm1d(3)).modules().filter((m) => m instanceof nn.BatchNorm)`.
 */
export abstract class BatchNorm extends ChannelNorm {
  /** A number that recordings do not compare: it is an input of what they run. */
  private readonly [momentum] = Float64Array.of(0);
  private readonly [cumulative] = new Cell(false);

  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    refuseOptions(new.target.name, options, {
      eps: null,
      momentum: null,
      affine: null,
      trackRunningStats: null,
      bias: null,
    });
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, bias = true } = options;
    super(numFeatures, { eps, affine, bias, trackRunningStats });
    this.momentum = momentum;
  }

  /** How much of a batch's statistics enters the running ones; null: each batch counts the same. It may be set. */
  get momentum(): number | null {
    return this[cumulative].value ? null : this[momentum][0]!;
  }
  set momentum(value: number | null) {
    if (value !== null && !Number.isFinite(value))
      throw new ArgumentError(
        `${this.constructor.name}: momentum is ${value}; it must be a finite number or null`,
      );
    this[cumulative].value = value === null;
    this[momentum][0] = value ?? 0;
  }

  /** x: [N, C, …] of a floating dtype; in training with more than one value a channel. */
  forward(x: Tensor): Tensor {
    this.refuse(x);
    const { runningMean, runningVar, weight, bias } = this;
    const perChannel = x.shape.map((_, i) => (i === 1 ? this.numFeatures : 1));
    let variance: Tensor;
    let centred: Tensor;
    if (this.byBatch || runningMean === null || runningVar === null) {
      const others = x.shape.flatMap((_, i) => (i === 1 ? [] : [i]));
      const statistics = this.statisticsOf(x, others);
      ({ centred, variance } = statistics);
      if (this.training) this.follow(statistics);
    } else {
      centred = x.sub(runningMean.reshape(perChannel));
      variance = runningVar.reshape(perChannel);
    }
    const deviation = variance.add(this.eps).sqrt();
    if (weight === null) return centred.div(deviation);
    const scaled = centred.mul(weight.reshape(perChannel).div(deviation));
    return bias === null ? scaled : scaled.add(bias.reshape(perChannel));
  }

  /** What a batch is normalized by, over all dimensions but the channels; those have a size of 1 in it. */
  protected statisticsOf(x: Tensor, others: readonly number[]): BatchStatistics {
    const mean = x.mean(others, { keepdim: true });
    const centred = x.sub(mean);
    const variance = centred.square().mean(others, { keepdim: true });
    return { mean, centred, variance, count: sizeOf(x.shape) / this.numFeatures };
  }

  /** How many values a channel needs, to normalize by the batch. */
  protected get fewestValues(): number {
    return 2;
  }

  /** Lets a batch's statistics enter the running ones. */
  private follow({ mean, variance, count }: BatchStatistics): void {
    const { runningMean, runningVar, numBatchesTracked } = this;
    if (runningMean === null || runningVar === null || numBatchesTracked === null) return;
    noGrad(() => {
      const batches = numBatchesTracked.add(1);
      numBatchesTracked.update(batches);
      // PyTorch counts an empty batch, and leaves it at that.
      if (count === 0) return;
      const entering =
        this.momentum === null
          ? batches.to("f32").reciprocal()
          : new Tensor(hostScalar(() => this[momentum][0]!, runningMean.dtype === "f64" ? "f64" : "f32"));
      const rest = entering.neg().add(1);
      const correction = count instanceof Tensor ? count.div(count.sub(1)) : count / (count - 1);
      const unbiased = variance.mul(correction);
      for (const [running, batch] of [
        [runningMean, mean],
        [runningVar, unbiased],
      ] as const)
        running.update(batch.flatten().mul(entering).add(running.mul(rest)).to(running.dtype));
    });
  }

  /** Whether it normalizes by the statistics of the batch, not by running ones. */
  private get byBatch(): boolean {
    return this.training || this.runningMean === null || this.runningVar === null;
  }

  private refuse(x: Tensor): void {
    const name = this.constructor.name;
    const { shape } = x;
    this.refuseRank(x);
    this.refuseChannels(x, 1);
    refuseIntegers(name, x);
    const byBatch = this.byBatch;
    if (byBatch && sizeOf(shape) === this.numFeatures && this.fewestValues > 1)
      throw new ShapeError(
        `${name}: to normalize by the batch, as in training, a channel needs more than one value, and an input of shape ` +
          `${shapeText(shape)} has one. Use a larger batch, or eval() with running statistics.`,
      );
    if (!(this.eps > 0 || (this.eps === 0 && !byBatch)))
      throw new ArgumentError(
        `${name}: eps is ${this.eps}; it must be above 0 in training, and not negative ever`,
      );
  }
}

/**
 * (x − mean) / √(variance + eps) · weight + bias for every channel, with mean and variance over the batch and all
 * dimensions but the channels. In training they are those of the batch, which enter the running ones; else the
 * running ones, or those of the batch where there are none.
 *
 * Takes x of [N, C] or [N, C, L] and a floating dtype, with C = `numFeatures`; gives x's shape. `weight` and `bias`,
 * of [C], start from ones and zeros; buffers are `runningMean`, `runningVar` and `numBatchesTracked`. Options are
 * those of `BatchNormOptions`.
 * Throws `ShapeError` for another shape, and in training for a single value a channel; `ArgumentError` for an eps or
 * momentum that cannot be; `DTypeError` for integers.
 * Source: Ioffe and Szegedy, "Batch Normalization", 2015; `torch.nn.BatchNorm1d`.
 * Example: `new nn.BatchNorm1d(3).forward(randn([4, 3]))`.
 */
export class BatchNorm1d extends BatchNorm {
  protected readonly ranks = [2, 3];
}

/**
 * (x − mean) / √(variance + eps) · weight + bias for every channel, with mean and variance over the batch and all
 * dimensions but the channels. In training they are those of the batch, which enter the running ones; else the
 * running ones, or those of the batch where there are none.
 *
 * Takes x of [N, C, H, W] and a floating dtype, with C = `numFeatures`; gives x's shape. `weight` and `bias`, of
 * [C], start from ones and zeros; buffers are `runningMean`, `runningVar` and `numBatchesTracked`. Options are those
 * of `BatchNormOptions`.
 * Throws `ShapeError` for another shape, and in training for a single value a channel; `ArgumentError` for an eps or
 * momentum that cannot be; `DTypeError` for integers.
 * Source: Ioffe and Szegedy, "Batch Normalization", 2015; `torch.nn.BatchNorm2d`.
 * Example: `new nn.BatchNorm2d(3).forward(randn([2, 3, 4, 4]))`.
 */
export class BatchNorm2d extends BatchNorm {
  protected readonly ranks = [4];
}

/**
 * (x − mean) / √(variance + eps) · weight + bias for every channel, with mean and variance over the batch and all
 * dimensions but the channels. In training they are those of the batch, which enter the running ones; else the
 * running ones, or those of the batch where there are none.
 *
 * Takes x of [N, C, D, H, W] and a floating dtype, with C = `numFeatures`; gives x's shape. `weight` and `bias`, of
 * [C], start from ones and zeros; buffers are `runningMean`, `runningVar` and `numBatchesTracked`. Options are those
 * of `BatchNormOptions`.
 * Throws `ShapeError` for another shape, and in training for a single value a channel; `ArgumentError` for an eps or
 * momentum that cannot be; `DTypeError` for integers.
 * Source: Ioffe and Szegedy, "Batch Normalization", 2015; `torch.nn.BatchNorm3d`.
 * Example: `new nn.BatchNorm3d(3).forward(randn([2, 3, 2, 2, 2]))`.
 */
export class BatchNorm3d extends BatchNorm {
  protected readonly ranks = [5];
}
