import { isFloat } from "../../base/dtype.ts";
import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { sameShape, shapeText, sizeOf } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { Buffer } from "../../tensor/buffer.ts";
import { add, div, mul, neg, where } from "../../tensor/operations/elementwise.ts";
import { logSoftmax, sum } from "../../tensor/operations/reduction.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { classDim, classTargets } from "./class-targets.ts";
import { alongClasses, type ClassLossOptions, requireDtype } from "./nll.ts";
import { floatNode, type Reduction, reduceLoss } from "./reduction.ts";
import { takesPair, weight } from "./signature.ts";

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions extends ClassLossOptions {
  /** How much of the target is spread evenly over all classes; 0. */
  labelSmoothing?: number;
}

/**
 * Cross entropy of logits of shape [classes], [N, classes] or [N, classes, …] with integer classes, or with
 * probabilities (a floating-point target of the logits' shape), which take no `ignoreIndex`. The mean is over the rows
 * that are not ignored: NaN if there are none, as in an empty batch.
 */
export const crossEntropy = checked(
  "crossEntropy",
  takesPair({ weight, ignoreIndex: kind.whole, labelSmoothing: kind.number }),
  crossEntropyOf,
);

function crossEntropyOf(input: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight = null, ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ArgumentError(`crossEntropy: labelSmoothing is ${labelSmoothing}; it must be from 0 to 1`);
  const logits = floatNode("crossEntropy", input);
  if (logits.shape.length === 0)
    throw new ShapeError("crossEntropy: the input is a scalar; it needs a dimension of classes");
  const weights = weight === null ? null : alongClasses("crossEntropy", weight, logits);
  const soft = isFloat(target.dtype);
  if (soft && ignoreIndex >= 0)
    throw new ArgumentError(
      `crossEntropy: ignoreIndex is ${ignoreIndex}, and the target is ${target.dtype}, probabilities, of which none can be ignored; ` +
        'cast class indices with to("i32"), or leave ignoreIndex out',
    );
  if (!soft && weight !== null) requireDtype("crossEntropy", weight, logits);
  const loss = soft
    ? ofProbabilities(logits, target.node, weights, labelSmoothing, reduction)
    : ofClasses(logits, target.node, weights, labelSmoothing, reduction, ignoreIndex);
  return new Tensor(loss);
}

function ofClasses(
  logits: Node,
  target: Node,
  weights: Node | null,
  smoothing: number,
  reduction: Reduction,
  ignoreIndex: number,
): Node {
  const dim = classDim(logits);
  const targets = classTargets("crossEntropy", logits, target, ignoreIndex);
  const logp = logSoftmax(logits, dim);
  const rowWeights = weights === null ? targets.valid : targets.pick(weights);
  const picked = neg(targets.pick(logp));
  let loss = weights === null ? picked : mul(picked, rowWeights);
  if (smoothing > 0) {
    const even = neg(sum(weights === null ? logp : mul(logp, weights), dim));
    const share = smoothing / logits.shape[dim]!;
    loss = add(mul(loss, 1 - smoothing), mul(where(targets.valid, even, 0), share));
  }
  return reduceLoss("crossEntropy", loss, reduction, rowWeights);
}

function ofProbabilities(
  logits: Node,
  target: Node,
  weights: Node | null,
  smoothing: number,
  reduction: Reduction,
): Node {
  if (!sameShape(logits.shape, target.shape))
    throw new ShapeError(
      `crossEntropy: a floating-point target is read as probabilities, of the input's shape ${shapeText(logits.shape)}, ` +
        `not ${shapeText(target.shape)}; cast class indices with to("i32")`,
    );
  const dim = classDim(logits);
  const logp = logSoftmax(logits, dim);
  const p = smoothing > 0 ? add(mul(target, 1 - smoothing), smoothing / logits.shape[dim]!) : target;
  const terms = mul(logp, p);
  const loss = neg(sum(weights === null ? terms : mul(terms, weights), dim));
  if (reduction !== "mean") return reduceLoss("crossEntropy", loss, reduction);
  // PyTorch's mean is over the rows here, weighted or not.
  return div(sum(loss), sizeOf(loss.shape));
}

/**
 * −log softmax(input)[target]: cross entropy of logits, with classes or with probabilities.
 *
 * Takes logits of [C], [N, C] or [N, C, d…], and integer classes of [], [N] or [N, d…], or probabilities of the
 * logits' shape. `reduction` is "mean" unless given: over the rows that are not ignored, weighted by their classes'
 * `weight`, and NaN if there are none; gives a scalar, or with "none" a loss for each row. `ignoreIndex` is −100,
 * `labelSmoothing` 0.
 * Throws `ShapeError` for shapes that do not fit, `IndexError` for a target that is no class, `ArgumentError` for a
 * smoothing that is not from 0 to 1, `DTypeError` for logits of integers.
 * Source: `torch.nn.CrossEntropyLoss`.
 * Example: `new nn.CrossEntropyLoss({ labelSmoothing: 0.1 }).forward(randn([2, 5]), tensor([1, 4], { dtype: "i32" }))`.
 */
export class CrossEntropyLoss extends Module {
  weight: Buffer | null;
  readonly ignoreIndex: number;
  readonly labelSmoothing: number;
  readonly reduction: Reduction;

  constructor(options: CrossEntropyOptions = {}) {
    refuseOptions("CrossEntropyLoss", options, {
      weight: null,
      ignoreIndex: null,
      labelSmoothing: null,
      reduction: null,
    });
    const { weight = null, ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" } = options;
    super();
    this.weight = weight === null ? null : new Buffer(weight);
    this.ignoreIndex = ignoreIndex;
    this.labelSmoothing = labelSmoothing;
    this.reduction = reduction;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return crossEntropy(input, target, this);
  }
}
