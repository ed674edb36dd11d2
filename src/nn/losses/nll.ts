import { DTypeError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { shapeText } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { Buffer } from "../../tensor/buffer.ts";
import { mul, neg } from "../../tensor/operations/elementwise.ts";
import { reshape } from "../../tensor/operations/movement.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { classDim, classTargets } from "./class-targets.ts";
import { floatNode, type LossOptions, type Reduction, reduceLoss } from "./reduction.ts";
import { takesPair, weight } from "./signature.ts";

/** Options of losses whose targets are classes. */
export interface ClassLossOptions extends LossOptions {
  /** A weight for each class; the mean is then a weighted one. */
  weight?: Tensor | null;
  /** Rows with this target do not count; -100. */
  ignoreIndex?: number;
}

/**
 * −input[target] for log-probabilities of shape [classes], [N, classes] or [N, classes, …] and integer targets. The
 * mean is over the rows that are not ignored: NaN if there are none, as in an empty batch.
 */
export const nllLoss = checked("nllLoss", takesPair({ weight, ignoreIndex: kind.whole }), nllLossOf);

function nllLossOf(
  input: Tensor,
  target: Tensor,
  { weight = null, ignoreIndex = -100, reduction = "mean" }: ClassLossOptions = {},
): Tensor {
  const x = floatNode("nllLoss", input);
  const targets = classTargets("nllLoss", x, target.node, ignoreIndex);
  const picked = neg(targets.pick(x));
  if (weight === null) return new Tensor(reduceLoss("nllLoss", picked, reduction, targets.valid));
  requireDtype("nllLoss", weight, x);
  const weights = targets.pick(alongClasses("nllLoss", weight, x));
  return new Tensor(reduceLoss("nllLoss", mul(picked, weights), reduction, weights));
}

/** Throws for weights of classes that are not of the scores' dtype. */
export function requireDtype(op: string, weight: Tensor, scores: Node): void {
  if (weight.dtype !== scores.dtype)
    throw new DTypeError(
      `${op}: the input is ${scores.dtype}, the weight ${weight.dtype}; cast one to the other's dtype`,
    );
}

/** Weights of classes, shaped to broadcast against scores. */
export function alongClasses(op: string, weight: Tensor, scores: Node): Node {
  const dim = classDim(scores);
  if (weight.shape.length !== 1 || weight.shape[0] !== scores.shape[dim])
    throw new ShapeError(
      `${op}: weight has shape ${shapeText(weight.shape)}; it needs one for each of ${scores.shape[dim]} classes`,
    );
  return reshape(
    weight.node,
    scores.shape.map((_, i) => (i === dim ? -1 : 1)),
  );
}

/**
 * −input[target]: what log-probabilities say of the right class.
 *
 * Takes log-probabilities of [C], [N, C] or [N, C, d…], and integer classes of [], [N] or [N, d…]. `weight`, one for
 * each class, is null and `ignoreIndex` −100 unless given. `reduction` is "mean" unless given: over the rows that
 * are not ignored, weighted by their classes, and NaN if there are none; gives a scalar, or with "none" a loss for
 * each row.
 * Throws `ShapeError` for shapes that do not fit, `IndexError` for a target that is no class, `DTypeError` for
 * integers and for weights of another dtype.
 * Source: `torch.nn.NLLLoss`.
 * Example: `new nn.NLLLoss().forward(randn([2, 5]).logSoftmax(1), tensor([1, 4], { dtype: "i32" }))`.
 */
export class NLLLoss extends Module {
  weight: Buffer | null;
  readonly ignoreIndex: number;
  readonly reduction: Reduction;

  constructor(options: ClassLossOptions = {}) {
    refuseOptions("NLLLoss", options, { weight: null, ignoreIndex: null, reduction: null });
    const { weight = null, ignoreIndex = -100, reduction = "mean" } = options;
    super();
    this.weight = weight === null ? null : new Buffer(weight);
    this.ignoreIndex = ignoreIndex;
    this.reduction = reduction;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return nllLoss(input, target, this);
  }
}
