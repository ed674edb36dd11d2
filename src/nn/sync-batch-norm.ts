import { ShapeError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { addCheck } from "../engine/trace.ts";
import { noGrad } from "../tensor/autograd.ts";
import { full } from "../tensor/create.ts";
import { ranksOfStep, sumOverRanks } from "../tensor/ranks-of-step.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { BatchNorm, type BatchStatistics } from "./batch-norm.ts";
import type { Module } from "./module.ts";

/**
 * As `BatchNorm1d` and its like, with mean and variance over the batches of all ranks: those of the group whose
 * `trainStep` computes the loss. Each value counts the same, however many a rank has, and gradients are those of all
 * ranks' losses. The running statistics then have the same bits on all ranks. In eval mode, in a group of one, and
 * outside of a step of a group it does as `BatchNorm1d`.
 *
 * Takes x of [N, C] up to [N, C, D, H, W] and a floating dtype, with C = `numFeatures`; gives x's shape. `weight` and
 * `bias`, of [C], start from ones and zeros; buffers are `runningMean`, `runningVar` and `numBatchesTracked`. Options are
 * those of `BatchNormOptions`.
 * Throws `ShapeError` for another shape, and in training for a single value a channel over all ranks; `GroupError` on all
 * ranks where they run different ones; `ArgumentError` in steps that accumulate, or weigh losses.
 * Source: Ioffe and Szegedy, "Batch Normalization", 2015; `torch.nn.SyncBatchNorm`.
 * Example: `nn.SyncBatchNorm.convertSyncBatchNorm(new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3)))`.
 */
export class SyncBatchNorm extends BatchNorm {
  protected readonly ranks = [2, 3, 4, 5];

  protected override get fewestValues(): number {
    return this.training && ranksOfStep() !== null ? 0 : super.fewestValues;
  }

  protected override statisticsOf(x: Tensor, others: readonly number[]): BatchStatistics {
    const ranks = ranksOfStep();
    if (ranks === null || !this.training) return super.statisticsOf(x, others);
    ranks.note(this, "SyncBatchNorm");
    const wide = x.dtype === "f64" ? "f64" : "f32";
    const own = full([], sizeOf(x.shape) / this.numFeatures, { dtype: wide });
    const kept = { keepdim: true };
    const [total, count] = sumOverRanks(ranks, [x.sum(others, kept).to(wide), own]) as [Tensor, Tensor];
    noGrad(() =>
      addCheck(
        count.le(1).to("i32").node,
        () =>
          new ShapeError(
            "SyncBatchNorm: in training a channel needs more than one value, and over all ranks it has one at most. Use larger batches.",
          ),
      ),
    );
    const mean = total.div(count).to(x.dtype);
    const centred = x.sub(mean);
    const [squares] = sumOverRanks(ranks, [centred.square().sum(others, kept).to(wide)]) as [Tensor];
    return { mean, centred, variance: squares.div(count).to(x.dtype), count };
  }

  /**
   * Puts a `SyncBatchNorm` in the place of each `BatchNorm` of a module, with its parameters, buffers and mode; gives the
   * module, or what has come in its place. Make optimizers afterwards, or before: parameters are the same objects.
   */
  static convertSyncBatchNorm<M extends Module>(module: M): M | SyncBatchNorm {
    if (module instanceof BatchNorm) return converted(module);
    const made = new Map<BatchNorm, SyncBatchNorm>();
    for (const [path, norm] of module.namedModules({ removeDuplicate: false })) {
      if (!(norm instanceof BatchNorm)) continue;
      if (!made.has(norm)) made.set(norm, converted(norm));
      (module as Module).setSubmodule(path as string, made.get(norm)! as never);
    }
    return module;
  }
}

function converted(norm: BatchNorm): SyncBatchNorm {
  if (norm instanceof SyncBatchNorm) return norm;
  const { numFeatures, eps, momentum, runningMean, weight, bias } = norm;
  const made = new SyncBatchNorm(numFeatures, {
    ...{ eps, momentum, affine: weight !== null, bias: bias !== null },
    trackRunningStats: runningMean !== null,
  });
  Object.assign(made, {
    ...{ weight, bias, runningMean },
    ...{ runningVar: norm.runningVar, numBatchesTracked: norm.numBatchesTracked },
  });
  return made.train(norm.training);
}
