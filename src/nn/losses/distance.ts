import { ArgumentError } from "../../base/errors.ts";
import type { Node } from "../../ir/node.ts";
import { abs, ge, gt, mul, square, sub, where } from "../../tensor/operations/elementwise.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { type LossOptions, pairOf, type Reduction, reduceLoss } from "./reduction.ts";

/** Losses that are a function of input − target, which must have one shape. */

function distance(
  op: string,
  input: Tensor,
  target: Tensor,
  reduction: Reduction,
  of: (difference: Node) => Node,
): Tensor {
  const [x, y] = pairOf(op, input, target);
  return new Tensor(reduceLoss(op, of(sub(x, y)), reduction));
}

/** (input − target)². */
export const mseLoss = (input: Tensor, target: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor =>
  distance("mseLoss", input, target, reduction, square);

/** |input − target|. */
export const l1Loss = (input: Tensor, target: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor =>
  distance("l1Loss", input, target, reduction, abs);

/** d² where |d| is at most a bound; beyond, where it would overflow, 0, so that its gradient is 0 and not NaN. */
const squareWithin = (d: Node, bound: number): Node => square(where(gt(abs(d), bound), 0, d));

/** Squares below beta, distances beyond: ½d² / beta, or |d| − ½beta. With beta 0 it is `l1Loss`. */
export function smoothL1Loss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", beta = 1 }: LossOptions & { beta?: number } = {},
): Tensor {
  if (!(beta >= 0)) throw new ArgumentError(`smoothL1Loss: beta is ${beta}; it must not be negative`);
  return distance("smoothL1Loss", input, target, reduction, (d) => {
    const size = abs(d);
    return beta === 0
      ? size
      : where(ge(size, beta), sub(size, 0.5 * beta), mul(squareWithin(d, beta), 0.5 / beta));
  });
}

/** Squares up to delta, distances beyond: ½d², or delta · (|d| − ½delta). */
export function huberLoss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", delta = 1 }: LossOptions & { delta?: number } = {},
): Tensor {
  if (!(delta > 0)) throw new ArgumentError(`huberLoss: delta is ${delta}; it must be positive`);
  return distance("huberLoss", input, target, reduction, (d) => {
    const size = abs(d);
    return where(gt(size, delta), mul(sub(size, 0.5 * delta), delta), mul(squareWithin(d, delta), 0.5));
  });
}

/** `mseLoss` as a module. */
export class MSELoss extends Module {
  readonly reduction: Reduction;

  constructor({ reduction = "mean" }: LossOptions = {}) {
    super();
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return mseLoss(input, target, this);
  }
}

/** `l1Loss` as a module. */
export class L1Loss extends Module {
  readonly reduction: Reduction;

  constructor({ reduction = "mean" }: LossOptions = {}) {
    super();
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return l1Loss(input, target, this);
  }
}

/** `smoothL1Loss` as a module. */
export class SmoothL1Loss extends Module {
  readonly reduction: Reduction;
  readonly beta: number;

  constructor({ reduction = "mean", beta = 1 }: LossOptions & { beta?: number } = {}) {
    super();
    this.reduction = reduction;
    this.beta = beta;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return smoothL1Loss(input, target, this);
  }
}

/** `huberLoss` as a module. */
export class HuberLoss extends Module {
  readonly reduction: Reduction;
  readonly delta: number;

  constructor({ reduction = "mean", delta = 1 }: LossOptions & { delta?: number } = {}) {
    super();
    this.reduction = reduction;
    this.delta = delta;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return huberLoss(input, target, this);
  }
}
