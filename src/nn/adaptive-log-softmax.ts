import { ArgumentError, ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { cat } from "../tensor/functions.ts";
import { checkedIndices } from "../tensor/operations/indexing.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { ModuleList } from "./module-list.ts";
import { Sequential } from "./sequential.ts";

/** Options of `AdaptiveLogSoftmaxWithLoss`. */
export interface AdaptiveSoftmaxOptions {
  /** By how much each further cluster's features are fewer; 4. */
  divValue?: number;
  /** Whether the head learns a bias; false. */
  headBias?: boolean;
}

/** What `AdaptiveLogSoftmaxWithLoss` gives. */
export interface AdaptiveLoss {
  /** The log-probability of each target. */
  output: Tensor;
  /** The mean of what is lost. */
  loss: Tensor;
}

/**
 * A softmax over very many classes, in clusters by how frequent they are: the head has the most frequent ones and one place
 * for each cluster, and each cluster has its classes, on fewer features.
 *
 * Takes an input of [N, `inFeatures`] or [inFeatures], and integer targets of [N] or []; gives `{ output, loss }`: the
 * log-probability of each target, and the mean of their negatives. Classes are sorted by how frequent they are, and `cutoffs`
 * says where clusters begin, ascending, between 1 and `nClasses` − 1. `logProb(input)` gives [N, nClasses], `predict(input)`
 * the likeliest classes. All classes of all rows are computed, so that no value is read. Options are those of
 * `AdaptiveSoftmaxOptions`.
 * Throws `ArgumentError` for cutoffs that are none, `ShapeError` for shapes that do not fit, `IndexError` for a target that is
 * no class.
 * Source: Grave et al., "Efficient softmax approximation for GPUs", 2017; `torch.nn.AdaptiveLogSoftmaxWithLoss`.
 * Example: `new nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10]).forward(randn([2, 8]), tensor([3, 17], { dtype: "i32" })).loss`.
 */
export class AdaptiveLogSoftmaxWithLoss extends Module {
  readonly inFeatures: number;
  readonly nClasses: number;
  /** Where clusters begin, and the end of the last. */
  readonly cutoffs: readonly number[];
  readonly head: Linear;
  readonly tail: ModuleList<Sequential>;

  constructor(
    inFeatures: number,
    nClasses: number,
    cutoffs: readonly number[],
    options: AdaptiveSoftmaxOptions = {},
  ) {
    refuseOptions("AdaptiveLogSoftmaxWithLoss", options, { divValue: null, headBias: null });
    const { divValue = 4, headBias = false } = options;
    super();
    const ascend = cutoffs.every((c, i) => Number.isInteger(c) && c > (cutoffs[i - 1] ?? 0));
    if (cutoffs.length === 0 || !ascend || cutoffs.at(-1)! > nClasses - 1)
      throw new ArgumentError(
        `AdaptiveLogSoftmaxWithLoss: cutoffs are ${shapeText(cutoffs)}; they are whole numbers that ascend, from 1 to ${nClasses - 1}`,
      );
    this.inFeatures = inFeatures;
    this.nClasses = nClasses;
    this.cutoffs = [...cutoffs, nClasses];
    this.head = new Linear(inFeatures, cutoffs[0]! + cutoffs.length, { bias: headBias });
    this.tail = new ModuleList(
      cutoffs.map((cutoff, i) => {
        const features = Math.floor(inFeatures / divValue ** (i + 1));
        return new Sequential(
          new Linear(inFeatures, features, { bias: false }),
          new Linear(features, this.cutoffs[i + 1]! - cutoff, { bias: false }),
        );
      }),
    );
  }

  /** Draws all weights anew. */
  resetParameters(): void {
    this.head.resetParameters();
    for (const cluster of this.tail) for (const layer of cluster) (layer as Linear).resetParameters();
  }

  forward(input: Tensor, target: Tensor): AdaptiveLoss {
    const isBatch = input.ndim === 2;
    if ((!isBatch && input.ndim !== 1) || target.ndim !== input.ndim - 1)
      throw new ShapeError(
        `AdaptiveLogSoftmaxWithLoss: an input of shape ${shapeText(input.shape)} with targets of ${shapeText(target.shape)}; they are [N, ${this.inFeatures}] and [N], or [${this.inFeatures}] and []`,
      );
    if (isBatch && target.shape[0] !== input.shape[0])
      throw new ShapeError(
        `AdaptiveLogSoftmaxWithLoss: ${target.shape[0]} targets for the ${input.shape[0]} rows of shape ${shapeText(input.shape)}`,
      );
    const classes = new Tensor(checkedIndices("AdaptiveLogSoftmaxWithLoss", target.node, 0, this.nClasses));
    const rows = isBatch ? input : input.unsqueeze(0);
    const picked = this.logProb(rows)
      .gather(1, classes.reshape([-1, 1]))
      .squeeze(1);
    const output = isBatch ? picked : picked.squeeze(0);
    return { output, loss: output.neg().mean() };
  }

  /** The log-probabilities of all classes, [N, nClasses], of an input of [N, inFeatures]. */
  logProb(input: Tensor): Tensor {
    const frequent = this.cutoffs[0]!;
    const head = this.head.forward(input).logSoftmax(1);
    const clusters = [...this.tail].map((cluster, i) =>
      cluster
        .forward(input)
        .logSoftmax(1)
        .add(head.narrow(1, frequent + i, 1)),
    );
    return cat([head.narrow(1, 0, frequent), ...clusters], 1);
  }

  /** The likeliest class of each row, [N], of an input of [N, inFeatures]. */
  predict(input: Tensor): Tensor {
    return this.logProb(input).argmax(1);
  }
}
