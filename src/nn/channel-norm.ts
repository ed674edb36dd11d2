import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { Buffer } from "../tensor/buffer.ts";
import { ones, zeros } from "../tensor/create.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ones_, zeros_ } from "./init/index.ts";
import { Module } from "./module.ts";
import { pythonFlag, pythonNumber } from "./repr.ts";

/** What a layer that normalizes channels consists of. */
interface ChannelNormParts {
  readonly eps: number;
  readonly affine: boolean;
  readonly bias: boolean;
  readonly trackRunningStats: boolean;
}

/** What layers that normalize channels have in common: a weight and a bias a channel, and running statistics. */
export abstract class ChannelNorm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;
  readonly runningMean: Buffer | null;
  readonly runningVar: Buffer | null;
  /** Batches that entered the running statistics; i32, where PyTorch has int64. An instance norm counts none, as there. */
  readonly numBatchesTracked: Buffer | null;

  /** How many dimensions an input may have. */
  protected abstract readonly ranks: readonly number[];
  abstract get momentum(): number | null;

  constructor(numFeatures: number, { eps, affine, bias, trackRunningStats }: ChannelNormParts) {
    super();
    if (!Number.isInteger(numFeatures) || numFeatures < 1)
      throw new ArgumentError(
        `${this.constructor.name}: numFeatures is ${numFeatures}; it is how many channels there are, at least 1`,
      );
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numFeatures])) : null;
    this.bias = affine && bias ? new Parameter(zeros([numFeatures])) : null;
    this.runningMean = trackRunningStats ? new Buffer(zeros([numFeatures])) : null;
    this.runningVar = trackRunningStats ? new Buffer(ones([numFeatures])) : null;
    this.numBatchesTracked = trackRunningStats ? new Buffer(zeros([], { dtype: "i32" })) : null;
  }

  /** Running statistics of mean 0 and variance 1, and no batches. */
  resetRunningStats(): void {
    if (this.runningMean !== null) zeros_(this.runningMean);
    if (this.runningVar !== null) ones_(this.runningVar);
    if (this.numBatchesTracked !== null) zeros_(this.numBatchesTracked);
  }
  /** Weights of 1, biases of 0, and running statistics as at the start. */
  resetParameters(): void {
    this.resetRunningStats();
    if (this.weight !== null) ones_(this.weight);
    if (this.bias !== null) zeros_(this.bias);
  }

  protected refuseRank({ shape }: Tensor): void {
    if (!this.ranks.includes(shape.length))
      throw new ShapeError(
        `${this.constructor.name}: takes an input of ${this.ranks.join(" or ")} dimensions, this one is ${shapeText(shape)}`,
      );
  }

  /** Refuses an input that has not so many channels along a dimension as the layer. */
  protected refuseChannels({ shape }: Tensor, dim: number): void {
    if (shape[dim] !== this.numFeatures)
      throw new ShapeError(
        `${this.constructor.name}: an input of shape ${shapeText(shape)} has ${shape[dim]} channels, this layer ${this.numFeatures}`,
      );
  }

  override extraRepr(): string {
    const { numFeatures, eps, momentum, weight, bias, runningMean } = this;
    return (
      `${numFeatures}, eps=${pythonNumber(eps)}, momentum=${pythonNumber(momentum)}, affine=${pythonFlag(weight !== null)}, ` +
      `bias=${pythonFlag(bias !== null)}, track_running_stats=${pythonFlag(runningMean !== null)}`
    );
  }
}
