import type { Node } from "../../ir/node.ts";
import { Buffer } from "../../tensor/buffer.ts";
import { logSigmoid } from "../../tensor/operations/activation.ts";
import { add, gt, log, mul, neg, sub, where } from "../../tensor/operations/elementwise.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { type LossOptions, pairOf, type Reduction, reduceLoss } from "./reduction.ts";

/** Options of binary losses. */
export interface BinaryLossOptions extends LossOptions {
  /** A weight of each element, broadcast. */
  weight?: Tensor | null;
}

/** Options of `binaryCrossEntropyWithLogits`. */
export interface LogitLossOptions extends BinaryLossOptions {
  /** A weight of the positive side, broadcast: above 1 it favours recall, below 1 precision. */
  posWeight?: Tensor | null;
}

/** log x, at least -100; where it is cut off, the gradient is 0. */
function cutLog(x: Node): Node {
  const inside = gt(x, Math.exp(-100));
  return where(inside, log(where(inside, x, 1)), -100);
}

function weighted(op: string, loss: Node, weight: Tensor | null, reduction: Reduction): Tensor {
  return new Tensor(reduceLoss(op, weight === null ? loss : mul(loss, weight.node), reduction));
}

/**
 * −(target · log input + (1 − target) · log(1 − input)) for probabilities, with logarithms of at least -100. On
 * logits use `binaryCrossEntropyWithLogits`, which loses no precision near 0 and 1.
 */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  { weight = null, reduction = "mean" }: BinaryLossOptions = {},
): Tensor {
  const [x, t] = pairOf("binaryCrossEntropy", input, target);
  const loss = neg(add(mul(t, cutLog(x)), mul(sub(1, t), cutLog(sub(1, x)))));
  return weighted("binaryCrossEntropy", loss, weight, reduction);
}

/** `binaryCrossEntropy` of sigmoid(input), without overflow. */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  { weight = null, posWeight = null, reduction = "mean" }: LogitLossOptions = {},
): Tensor {
  const [x, t] = pairOf("binaryCrossEntropyWithLogits", input, target);
  const positive = logSigmoid(x);
  const scaled = posWeight === null ? positive : mul(positive, add(mul(t, sub(posWeight.node, 1)), 1));
  return weighted("binaryCrossEntropyWithLogits", sub(mul(sub(1, t), x), scaled), weight, reduction);
}

const buffered = (weight: Tensor | null): Buffer | null => (weight === null ? null : new Buffer(weight));

/** `binaryCrossEntropy` as a module. */
export class BCELoss extends Module {
  weight: Buffer | null;
  readonly reduction: Reduction;

  constructor({ weight = null, reduction = "mean" }: BinaryLossOptions = {}) {
    super();
    this.weight = buffered(weight);
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropy(input, target, this);
  }
}

/** `binaryCrossEntropyWithLogits` as a module. */
export class BCEWithLogitsLoss extends Module {
  weight: Buffer | null;
  posWeight: Buffer | null;
  readonly reduction: Reduction;

  constructor({ weight = null, posWeight = null, reduction = "mean" }: LogitLossOptions = {}) {
    super();
    this.weight = buffered(weight);
    this.posWeight = buffered(posWeight);
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropyWithLogits(input, target, this);
  }
}
