import { ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { shapeText } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { add, clamp, div, eq, mul, neg, sqrt, sub, where } from "../../tensor/operations/elementwise.ts";
import { floating } from "../../tensor/operations/promote.ts";
import { sum } from "../../tensor/operations/reduction.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { type LossOptions, type Reduction, reduceLoss } from "./reduction.ts";
import { takesLoss } from "./signature.ts";

/** Losses of two inputs, whose targets are 1 or −1. */

/** Options of `marginRankingLoss` and `cosineEmbeddingLoss`. */
export interface PairOptions extends LossOptions {
  /** By how much two inputs must differ, or what is dissimilar may be similar; 0. */
  margin?: number;
}

/**
 * max(0, −target · (input1 − input2) + margin): with a target of 1 input1 should be the larger by the margin, with −1
 * the smaller.
 *
 * Takes three tensors of as many dimensions, which broadcast. `margin` is in the units of the inputs; `reduction` is
 * "mean" unless given.
 * Throws `ShapeError` for tensors that differ in how many dimensions they have, or do not broadcast.
 * Source: `torch.nn.functional.margin_ranking_loss`. Example: `marginRankingLoss(a, b, tensor([1, -1]))`.
 */
export const marginRankingLoss = checked(
  "marginRankingLoss",
  takesLoss(["input1", "input2", "target"], { margin: kind.number }),
  marginRankingLossOf,
);

function marginRankingLossOf(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  { margin = 0, reduction = "mean" }: PairOptions = {},
): Tensor {
  if (input1.ndim !== input2.ndim || input1.ndim !== target.ndim)
    throw new ShapeError(
      `marginRankingLoss: input1 has shape ${shapeText(input1.shape)}, input2 ${shapeText(input2.shape)}, the target ` +
        `${shapeText(target.shape)}; all need as many dimensions`,
    );
  const ranked = mul(neg(target.node), sub(input1.node, input2.node));
  return new Tensor(reduceLoss("marginRankingLoss", clamp(add(floating(ranked), margin), 0), reduction));
}

/**
 * max(0, −target · (input1 − input2) + margin): the first should be the larger where the target is 1, the second
 * where it is −1.
 *
 * Takes two inputs and targets of as many dimensions, which broadcast. `margin` is 0 unless given, in the units of
 * the inputs. `reduction` is "mean" unless given: gives a scalar, or with "none" a loss for each element.
 * Throws `ShapeError` for tensors that differ in how many dimensions they have, or do not broadcast.
 * Source: `torch.nn.MarginRankingLoss`.
 * Example: `new nn.MarginRankingLoss({ margin: 0.1 }).forward(randn([2]), randn([2]), tensor([1, -1]))`.
 */
export class MarginRankingLoss extends Module {
  readonly margin: number;
  readonly reduction: Reduction;

  constructor(options: PairOptions = {}) {
    refuseOptions("MarginRankingLoss", options, { margin: null, reduction: null });
    const { margin = 0, reduction = "mean" } = options;
    super();
    this.margin = margin;
    this.reduction = reduction;
  }
  forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return marginRankingLoss(input1, input2, target, this);
  }
}

/**
 * 1 − cos(input1, input2) where the target is 1, max(0, cos(input1, input2) − margin) where it is −1, else 0.
 *
 * Takes inputs of [N, D] with targets of [N], or of [D] with one target, a scalar. `margin`, from −1 to 1, is a cosine;
 * `reduction` is "mean" unless given.
 * Throws `ShapeError` for other shapes.
 * Source: `torch.nn.functional.cosine_embedding_loss`. Example: `cosineEmbeddingLoss(a, b, tensor([1, -1]))`.
 */
export const cosineEmbeddingLoss = checked(
  "cosineEmbeddingLoss",
  takesLoss(["input1", "input2", "target"], { margin: kind.number }),
  cosineEmbeddingLossOf,
);

function cosineEmbeddingLossOf(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  { margin = 0, reduction = "mean" }: PairOptions = {},
): Tensor {
  if (target.ndim > 1 || input1.ndim !== target.ndim + 1 || input2.ndim !== target.ndim + 1)
    throw new ShapeError(
      `cosineEmbeddingLoss: inputs of shapes ${shapeText(input1.shape)} and ${shapeText(input2.shape)} with a target of ` +
        `${shapeText(target.shape)}; they are [N, D] with [N], or [D] with []`,
    );
  const [a, b] = [floating(input1.node), floating(input2.node)];
  const dot = (x: Node, y: Node): Node => sum(mul(x, y), -1);
  const squares = mul(add(dot(a, a), tiny), add(dot(b, b), tiny));
  const cosine = div(dot(a, b), sqrt(squares));
  const alike = where(eq(target.node, 1), sub(1, cosine), 0);
  const apart = where(eq(target.node, -1), clamp(sub(cosine, margin), 0), 0);
  return new Tensor(reduceLoss("cosineEmbeddingLoss", add(alike, apart), reduction));
}

/** What PyTorch adds to the squares of both lengths. */
const tiny = 1e-12;

/**
 * 1 − cos(input1, input2) where the target is 1, max(0, cos(input1, input2) − margin) where it is −1, else 0.
 *
 * Takes inputs of [N, D] with targets of [N], or of [D] with one target, a scalar. `margin`, a cosine from −1 to 1,
 * is 0 unless given. `reduction` is "mean" unless given: gives a scalar, or with "none" a loss for each row.
 * Throws `ShapeError` for other shapes.
 * Source: `torch.nn.CosineEmbeddingLoss`.
 * Example: `new nn.CosineEmbeddingLoss().forward(randn([2, 4]), randn([2, 4]), tensor([1, -1]))`.
 */
export class CosineEmbeddingLoss extends Module {
  readonly margin: number;
  readonly reduction: Reduction;

  constructor(options: PairOptions = {}) {
    refuseOptions("CosineEmbeddingLoss", options, { margin: null, reduction: null });
    const { margin = 0, reduction = "mean" } = options;
    super();
    this.margin = margin;
    this.reduction = reduction;
  }
  forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return cosineEmbeddingLoss(input1, input2, target, this);
  }
}
