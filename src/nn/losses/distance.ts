import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { sameShape, shapeText } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { abs, div, ge, gt, mul, square, sub, where } from "../../tensor/operations/elementwise.ts";
import { sum } from "../../tensor/operations/reduction.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { type LossOptions, pairOf, type Reduction, reduceLoss } from "./reduction.ts";
import { takesPair, weight } from "./signature.ts";

/** Losses that are a function of input − target, which must have one shape. */

/** Options of the functions `mseLoss`, `l1Loss` and `huberLoss`. */
export interface DistanceOptions extends LossOptions {
  /** A weight of each element, of the input's shape. The mean of `mseLoss` and `l1Loss` is then a weighted one. */
  weight?: Tensor | null;
}

function distance(
  op: string,
  [input, target]: readonly [Tensor, Tensor],
  { reduction = "mean", weight = null }: DistanceOptions,
  of: (difference: Node) => Node,
): Tensor {
  const [x, y] = pairOf(op, input, target);
  const each = of(sub(x, y));
  if (weight === null) return new Tensor(reduceLoss(op, each, reduction));
  if (!sameShape(weight.shape, input.shape))
    throw new ShapeError(
      `${op}: the input has shape ${shapeText(input.shape)}, the weight ${shapeText(weight.shape)}; they must be equal`,
    );
  const weighted = mul(each, weight.node);
  // PyTorch's mean is over all elements in huberLoss, and over the weights in the others.
  if (reduction !== "mean" || op === "huberLoss") return new Tensor(reduceLoss(op, weighted, reduction));
  return new Tensor(div(sum(weighted), sum(weight.node)));
}

/** (input − target)². */
export const mseLoss = checked(
  "mseLoss",
  takesPair({ weight }),
  (input: Tensor, target: Tensor, options: DistanceOptions = {}): Tensor =>
    distance("mseLoss", [input, target], options, square),
);

/** |input − target|. */
export const l1Loss = checked(
  "l1Loss",
  takesPair({ weight }),
  (input: Tensor, target: Tensor, options: DistanceOptions = {}): Tensor =>
    distance("l1Loss", [input, target], options, abs),
);

/** d² where |d| is at most a bound; beyond, where it would overflow, 0, so that its gradient is 0 and not NaN. */
const squareWithin = (d: Node, bound: number): Node => square(where(gt(abs(d), bound), 0, d));

/** Squares below beta, distances beyond: ½d² / beta, or |d| − ½beta. With beta 0 it is `l1Loss`. */
export const smoothL1Loss = checked("smoothL1Loss", takesPair({ beta: kind.number }), smoothL1LossOf);

function smoothL1LossOf(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", beta = 1 }: LossOptions & { beta?: number } = {},
): Tensor {
  if (!(beta >= 0)) throw new ArgumentError(`smoothL1Loss: beta is ${beta}; it must not be negative`);
  return distance("smoothL1Loss", [input, target], { reduction }, (d) => {
    const size = abs(d);
    return beta === 0
      ? size
      : where(ge(size, beta), sub(size, 0.5 * beta), mul(squareWithin(d, beta), 0.5 / beta));
  });
}

/** Squares up to delta, distances beyond: ½d², or delta · (|d| − ½delta). */
export const huberLoss = checked("huberLoss", takesPair({ weight, delta: kind.number }), huberLossOf);

function huberLossOf(
  input: Tensor,
  target: Tensor,
  { delta = 1, ...options }: DistanceOptions & { delta?: number } = {},
): Tensor {
  if (!(delta > 0)) throw new ArgumentError(`huberLoss: delta is ${delta}; it must be positive`);
  return distance("huberLoss", [input, target], options, (d) => {
    const size = abs(d);
    return where(gt(size, delta), mul(sub(size, 0.5 * delta), delta), mul(squareWithin(d, delta), 0.5));
  });
}

/**
 * (input − target)².
 *
 * Takes input and target of one shape, one of them of a floating dtype. `reduction` is "mean" unless given: gives a
 * scalar, or with "none" a loss for each element.
 * Throws `ShapeError` for shapes that differ: nothing is broadcast; `DTypeError` for two of integers.
 * Source: `torch.nn.MSELoss`.
 * Example: `new nn.MSELoss().forward(randn([2, 3]), zeros([2, 3]))`.
 */
export class MSELoss extends Module {
  readonly reduction: Reduction;

  constructor(options: LossOptions = {}) {
    refuseOptions("MSELoss", options, { reduction: null });
    const { reduction = "mean" } = options;
    super();
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return mseLoss(input, target, { reduction: this.reduction });
  }
}

/**
 * |input − target|. Its gradient is 0 where they are equal.
 *
 * Takes input and target of one shape, one of them of a floating dtype. `reduction` is "mean" unless given: gives a
 * scalar, or with "none" a loss for each element.
 * Throws `ShapeError` for shapes that differ, `DTypeError` for two of integers.
 * Source: `torch.nn.L1Loss`.
 * Example: `new nn.L1Loss({ reduction: "sum" }).forward(randn([2, 3]), zeros([2, 3]))`.
 */
export class L1Loss extends Module {
  readonly reduction: Reduction;

  constructor(options: LossOptions = {}) {
    refuseOptions("L1Loss", options, { reduction: null });
    const { reduction = "mean" } = options;
    super();
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return l1Loss(input, target, { reduction: this.reduction });
  }
}

/**
 * ½d² / beta where |d| is below beta, |d| − ½beta beyond, d being input − target. With a beta of 0 it is `L1Loss`.
 *
 * Takes input and target of one shape, one of them of a floating dtype. `beta` is 1 unless given, in their units.
 * `reduction` is "mean" unless given: gives a scalar, or with "none" a loss for each element.
 * Throws `ShapeError` for shapes that differ, `ArgumentError` in `forward` for a negative beta.
 * Source: Girshick, "Fast R-CNN", 2015; `torch.nn.SmoothL1Loss`.
 * Example: `new nn.SmoothL1Loss({ beta: 0.5 }).forward(randn([2, 3]), zeros([2, 3]))`.
 */
export class SmoothL1Loss extends Module {
  readonly reduction: Reduction;
  readonly beta: number;

  constructor(options: LossOptions & { beta?: number } = {}) {
    refuseOptions("SmoothL1Loss", options, { reduction: null, beta: null });
    const { reduction = "mean", beta = 1 } = options;
    super();
    this.reduction = reduction;
    this.beta = beta;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return smoothL1Loss(input, target, this);
  }
}

/**
 * ½d² where |d| is at most delta, delta · (|d| − ½delta) beyond, d being input − target.
 *
 * Takes input and target of one shape, one of them of a floating dtype. `delta` is 1 unless given, in their units.
 * `reduction` is "mean" unless given: gives a scalar, or with "none" a loss for each element.
 * Throws `ShapeError` for shapes that differ, `ArgumentError` in `forward` for a delta that is not above 0.
 * Source: Huber, "Robust Estimation of a Location Parameter", 1964; `torch.nn.HuberLoss`.
 * Example: `new nn.HuberLoss({ delta: 2 }).forward(randn([2, 3]), zeros([2, 3]))`.
 */
export class HuberLoss extends Module {
  readonly reduction: Reduction;
  readonly delta: number;

  constructor(options: LossOptions & { delta?: number } = {}) {
    refuseOptions("HuberLoss", options, { reduction: null, delta: null });
    const { reduction = "mean", delta = 1 } = options;
    super();
    this.reduction = reduction;
    this.delta = delta;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return huberLoss(input, target, { reduction: this.reduction, delta: this.delta });
  }
}
