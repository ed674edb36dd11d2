import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { sameShape, shapeText, sizeOf } from "../../base/shape.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { Buffer } from "../../tensor/buffer.ts";
import { linear } from "../../tensor/functions.ts";
import { checked } from "../../tensor/signature.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Linear } from "../linear.ts";
import { Module } from "../module.ts";
import { pythonFlag, pythonFloat, pythonTuple } from "../repr.ts";
import { crossEntropy } from "./cross-entropy.ts";
import type { LossOptions, Reduction } from "./reduction.ts";
import { takesLoss, weight } from "./signature.ts";

/** Options of `linearCrossEntropy`. */
export interface LinearCrossEntropyOptions extends LossOptions {
  /** A bias of the logits, of the weight's shape without its last dimension. */
  linearBias?: Tensor | null;
  /** A weight for each class. */
  weight?: Tensor | null;
  /** Rows with this target do not count; -100. It takes no probabilities, and null leaves it out. */
  ignoreIndex?: number | null;
  /** How much of the target is spread evenly over all classes; 0. */
  labelSmoothing?: number;
}

/**
 * `crossEntropy` of the logits input · linearWeightᵀ + linearBias.
 *
 * Takes an input of [N, features] or [features], a weight of [classes, …, features], and targets as `crossEntropy` does
 * for logits of [N, classes, …]. `reduction` is "mean" unless given.
 * Throws `ShapeError` for shapes that do not fit, `ArgumentError` for `ignoreIndex` with probabilities.
 * Source: `torch.nn.functional.linear_cross_entropy`. Example: `linearCrossEntropy(hidden, head.weight, tokens)`.
 */
export const linearCrossEntropy = checked(
  "linearCrossEntropy",
  takesLoss(["input", "linearWeight", "target"], {
    linearBias: weight,
    weight,
    ignoreIndex: kind.nullable(kind.whole),
    labelSmoothing: kind.number,
  }),
  linearCrossEntropyOf,
);

function linearCrossEntropyOf(
  input: Tensor,
  linearWeight: Tensor,
  target: Tensor,
  { linearBias = null, ignoreIndex = null, ...options }: LinearCrossEntropyOptions = {},
): Tensor {
  const op = "linearCrossEntropy";
  const [features, outputs] = [linearWeight.shape.at(-1), linearWeight.shape.slice(0, -1)];
  const batched = input.ndim === 2;
  if (linearWeight.ndim < 2 || (input.ndim !== 1 && !batched) || input.shape.at(-1) !== features)
    throw new ShapeError(
      `${op}: an input of shape ${shapeText(input.shape)} for a weight of ${shapeText(linearWeight.shape)}; they are ` +
        "[N, features] or [features], and [classes, …, features]",
    );
  if (outputs.length > 1 && !batched)
    throw new ShapeError(
      `${op}: a weight of ${shapeText(linearWeight.shape)} takes an input of [N, ${features}], not ${shapeText(input.shape)}`,
    );
  if (linearBias !== null && !sameShape(linearBias.shape, outputs))
    throw new ShapeError(
      `${op}: the bias has shape ${shapeText(linearBias.shape)}, for a weight of ${shapeText(linearWeight.shape)} it is ${shapeText(outputs)}`,
    );
  const logitsShape = [...input.shape.slice(0, -1), ...outputs];
  if (ignoreIndex !== null && sameShape(target.shape, logitsShape))
    throw new ArgumentError(
      `${op}: ignoreIndex is ${ignoreIndex}, and the target is probabilities, of which none can be ignored`,
    );
  const flat = [sizeOf(outputs)];
  const logits = linear(input, linearWeight.reshape([...flat, features!]), linearBias?.reshape(flat));
  return crossEntropy(logits.reshape(logitsShape), target, {
    ...options,
    ignoreIndex: ignoreIndex ?? undefined,
  });
}

/** Options of `LinearCrossEntropyLoss`. */
export interface LinearCrossEntropyLossOptions extends Omit<LinearCrossEntropyOptions, "linearBias"> {
  /** Sizes of further dimensions, each place of which is a classification of its own; none. */
  outFeatures?: readonly number[];
  /** Whether it learns a bias; not unless asked. */
  bias?: boolean;
}

/**
 * A linear layer and the `crossEntropy` of its logits, as one loss.
 *
 * Takes an input of [N, `inFeatures`] or [inFeatures], and targets as `CrossEntropyLoss` does for logits of [N, `numClasses`,
 * outFeatures…]; gives a scalar, or with a reduction of "none" a loss for each row. Its `linear.weight` is [numClasses ·
 * outFeatures…, inFeatures]. Options are those of `LinearCrossEntropyLossOptions`.
 * Throws `ArgumentError` for a smoothing that cannot be, `ShapeError` for a weight that is not [numClasses].
 * Source: `torch.nn.LinearCrossEntropyLoss`, without its options of chunks, which change memory alone.
 * Example: `new nn.LinearCrossEntropyLoss(4, 9).forward(randn([2, 4]), tensor([7, 0], { dtype: "i32" }))`.
 */
export class LinearCrossEntropyLoss extends Module {
  readonly numClasses: number;
  readonly outFeatures: readonly number[];
  weight: Buffer | null;
  readonly reduction: Reduction;
  readonly ignoreIndex: number | null;
  readonly labelSmoothing: number;
  linear: Linear;

  constructor(inFeatures: number, numClasses: number, options: LinearCrossEntropyLossOptions = {}) {
    refuseOptions("LinearCrossEntropyLoss", options, {
      outFeatures: null,
      bias: null,
      reduction: null,
      weight: null,
      ignoreIndex: null,
      labelSmoothing: null,
    });
    const {
      outFeatures = [],
      bias = false,
      reduction = "mean",
      weight = null,
      ignoreIndex = null,
      labelSmoothing = 0,
    } = options;
    super();
    if (weight !== null && !sameShape(weight.shape, [numClasses]))
      throw new ShapeError(
        `LinearCrossEntropyLoss: weight has shape ${shapeText(weight.shape)}; it needs one for each of ${numClasses} classes`,
      );
    if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
      throw new ArgumentError(
        `LinearCrossEntropyLoss: labelSmoothing is ${labelSmoothing}; it must be from 0 to 1`,
      );
    this.numClasses = numClasses;
    this.outFeatures = [...outFeatures];
    this.weight = weight === null ? null : new Buffer(weight);
    this.reduction = reduction;
    this.ignoreIndex = ignoreIndex;
    this.labelSmoothing = labelSmoothing;
    this.linear = new Linear(inFeatures, numClasses * sizeOf(outFeatures), { bias });
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { weight, bias, inFeatures } = this.linear;
    const outputs = [this.numClasses, ...this.outFeatures];
    return linearCrossEntropy(input, weight.reshape([...outputs, inFeatures]), target, {
      linearBias: bias?.reshape(outputs) ?? null,
      weight: this.weight,
      reduction: this.reduction,
      ignoreIndex: this.ignoreIndex,
      labelSmoothing: this.labelSmoothing,
    });
  }

  override extraRepr(): string {
    const { linear, numClasses, outFeatures, reduction, ignoreIndex, labelSmoothing } = this;
    return (
      `in_features=${linear.inFeatures}, num_classes=${numClasses}, out_features=${pythonTuple(outFeatures)}, ` +
      `bias=${pythonFlag(linear.bias !== null)}, reduction=${reduction}, ignore_index=${ignoreIndex ?? "None"}, ` +
      `label_smoothing=${pythonFloat(labelSmoothing)}, options=None`
    );
  }
}
