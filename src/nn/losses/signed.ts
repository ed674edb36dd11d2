import { refuseOptions } from "../../base/options.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { add, clamp, exp, log1p, mul, ne, neg, sub, where } from "../../tensor/operations/elementwise.ts";
import { floating } from "../../tensor/operations/promote.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { floatNode, type LossOptions, type Reduction, reduceLoss } from "./reduction.ts";
import { takesPair } from "./signature.ts";

/** Losses whose targets are 1 or −1. */

/**
 * log(1 + e^(−target · input)): logistic loss.
 *
 * Takes an input of any shape and a floating dtype, and targets of 1 and −1 that broadcast with it. `reduction` is
 * "mean" unless given. Large wrong answers overflow to infinity, as they do in PyTorch.
 * Throws `ShapeError` for shapes that do not broadcast, `DTypeError` for an input of integers.
 * Source: `torch.nn.functional.soft_margin_loss`. Example: `softMarginLoss(scores, tensor([1, -1]))`.
 */
export const softMarginLoss = checked("softMarginLoss", takesPair(), softMarginLossOf);

function softMarginLossOf(input: Tensor, target: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  const x = floatNode("softMarginLoss", input);
  return new Tensor(reduceLoss("softMarginLoss", log1p(exp(mul(neg(target.node), x))), reduction));
}

/**
 * log(1 + e^(−target · input)): logistic loss. Large wrong answers overflow to infinity, as they do in PyTorch.
 *
 * Takes an input of any shape and a floating dtype, and targets of 1 and −1 that broadcast with it. `reduction` is
 * "mean" unless given: gives a scalar, or with "none" a loss for each element.
 * Throws `ShapeError` for shapes that do not broadcast, `DTypeError` for an input of integers.
 * Source: `torch.nn.SoftMarginLoss`.
 * Example: `new nn.SoftMarginLoss().forward(randn([2]), tensor([1, -1]))`.
 */
export class SoftMarginLoss extends Module {
  readonly reduction: Reduction;

  constructor(options: LossOptions = {}) {
    refuseOptions("SoftMarginLoss", options, { reduction: null });
    const { reduction = "mean" } = options;
    super();
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return softMarginLoss(input, target, this);
  }
}

/** Options of `hingeEmbeddingLoss`. */
export interface HingeOptions extends LossOptions {
  /** From which distance on what is dissimilar counts no more; 1. */
  margin?: number;
}

/**
 * input where the target is 1, max(0, margin − input) where it is −1: the input is a distance, small between what is
 * alike and at least the margin between what is not. Any other target counts as both.
 *
 * Takes an input of any shape, and targets that broadcast with it. `margin` is in the units of the input; `reduction` is
 * "mean" unless given.
 * Throws `ShapeError` for shapes that do not broadcast.
 * Source: `torch.nn.functional.hinge_embedding_loss`. Example: `hingeEmbeddingLoss(distances, tensor([1, -1]))`.
 */
export const hingeEmbeddingLoss = checked(
  "hingeEmbeddingLoss",
  takesPair({ margin: kind.number }),
  hingeEmbeddingLossOf,
);

function hingeEmbeddingLossOf(
  input: Tensor,
  target: Tensor,
  { margin = 1, reduction = "mean" }: HingeOptions = {},
): Tensor {
  const [x, t] = [floating(input.node), target.node];
  const apart = where(ne(t, 1), clamp(sub(margin, x), 0), 0);
  const alike = where(ne(t, -1), x, 0);
  return new Tensor(reduceLoss("hingeEmbeddingLoss", add(apart, alike), reduction));
}

/**
 * input where the target is 1, max(0, margin − input) where it is −1: the input is a distance, small between what is
 * alike and at least the margin between what is not. Any other target counts as both.
 *
 * Takes an input of any shape, and targets that broadcast with it. `margin` is 1 unless given, in the units of the
 * input. `reduction` is "mean" unless given: gives a scalar, or with "none" a loss for each element.
 * Throws `ShapeError` for shapes that do not broadcast.
 * Source: `torch.nn.HingeEmbeddingLoss`.
 * Example: `new nn.HingeEmbeddingLoss().forward(tensor([0.3, 0.4]), tensor([1, -1]))`.
 */
export class HingeEmbeddingLoss extends Module {
  readonly margin: number;
  readonly reduction: Reduction;

  constructor(options: HingeOptions = {}) {
    refuseOptions("HingeEmbeddingLoss", options, { margin: null, reduction: null });
    const { margin = 1, reduction = "mean" } = options;
    super();
    this.margin = margin;
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return hingeEmbeddingLoss(input, target, this);
  }
}
