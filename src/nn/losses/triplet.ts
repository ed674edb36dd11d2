import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { shapeText } from "../../base/shape.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { add, clamp, minimum, sub } from "../../tensor/operations/elementwise.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { PairwiseDistance, pairwiseDistance } from "../pairwise-distance.ts";
import { type LossOptions, type Reduction, reduceLoss } from "./reduction.ts";
import { takesLoss } from "./signature.ts";

/** Losses of an anchor, something like it (positive), and something unlike it (negative). */

/** Options that both have. */
interface AnyTripletOptions extends LossOptions {
  /** By how much the negative should be further away than the positive; 1, and above 0. */
  margin?: number;
  /** Whether the distance of positive and negative counts, where it is the smaller, for that of anchor and negative. */
  swap?: boolean;
}

/** Options of `tripletMarginLoss`. */
export interface TripletOptions extends AnyTripletOptions {
  /** Which norm; 2. */
  p?: number;
  /** What is added to every difference; 1e-6. */
  eps?: number;
}

/** A distance of two tensors: a function, or a module such as `PairwiseDistance`. */
export type Distance =
  | ((a: Tensor, b: Tensor) => Tensor)
  | (Module & { forward(a: Tensor, b: Tensor): Tensor });

/** Options of `tripletMarginWithDistanceLoss`. */
export interface TripletDistanceOptions extends AnyTripletOptions {
  /** The distance of two tensors of [N, D]; the Euclidean one. */
  distanceFunction?: Distance | null;
}

/** A function of two tensors, or a module with two inputs. */
const distance: kind.Kind = {
  what: "a function of two tensors, or a module",
  ok: (x) => typeof x === "function" || typeof (x as { forward?: unknown } | null)?.forward === "function",
};

/**
 * max(0, margin + |anchor − positive| − |anchor − negative|), with distances of p-norm.
 *
 * Takes three tensors of [N, D] or [D], of as many dimensions. `margin` is in the units of the inputs; `reduction` is
 * "mean" unless given.
 * Throws `ArgumentError` for a margin that is not above 0, `ShapeError` for tensors that differ in how many dimensions
 * they have, or do not broadcast.
 * Source: Balntas et al., "Learning Shallow Convolutional Feature Descriptors with Triplet Losses", 2016;
 * `torch.nn.functional.triplet_margin_loss`. Example: `tripletMarginLoss(anchor, positive, negative)`.
 */
export const tripletMarginLoss = checked(
  "tripletMarginLoss",
  takesLoss(["anchor", "positive", "negative"], {
    margin: kind.number,
    p: kind.number,
    eps: kind.number,
    swap: kind.boolean,
  }),
  tripletMarginLossOf,
);

function tripletMarginLossOf(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { margin = 1, p = 2, eps = 1e-6, swap = false, reduction = "mean" }: TripletOptions = {},
): Tensor {
  const distance = (a: Tensor, b: Tensor): Tensor => pairwiseDistance(a, b, { p, eps });
  return triplet("tripletMarginLoss", [anchor, positive, negative], distance, margin, swap, reduction);
}

/**
 * `tripletMarginLoss` with a distance of one's own: max(0, margin + d(anchor, positive) − d(anchor, negative)).
 *
 * Takes three tensors of as many dimensions; the loss has the shape that the distance gives. `margin` is in the units of
 * the distance; `reduction` is "mean" unless given.
 * Throws `ArgumentError` for a margin that is not above 0, `ShapeError` for tensors that differ in how many dimensions
 * they have.
 * Source: `torch.nn.functional.triplet_margin_with_distance_loss`.
 * Example: `tripletMarginWithDistanceLoss(a, p, n, { distanceFunction: (x, y) => x.sub(y).abs().amax(1) })`.
 */
export const tripletMarginWithDistanceLoss = checked(
  "tripletMarginWithDistanceLoss",
  takesLoss(["anchor", "positive", "negative"], {
    distanceFunction: kind.nullable(distance),
    margin: kind.number,
    swap: kind.boolean,
  }),
  tripletMarginWithDistanceLossOf,
);

function tripletMarginWithDistanceLossOf(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { distanceFunction = null, margin = 1, swap = false, reduction = "mean" }: TripletDistanceOptions = {},
): Tensor {
  const distance = functionOf(distanceFunction ?? pairwiseDistance);
  const triple = [anchor, positive, negative] as const;
  return triplet("tripletMarginWithDistanceLoss", triple, distance, margin, swap, reduction);
}

const functionOf = (distance: Distance): ((a: Tensor, b: Tensor) => Tensor) =>
  typeof distance === "function" ? distance : (a, b) => distance.forward(a, b);

function triplet(
  op: string,
  [anchor, positive, negative]: readonly [Tensor, Tensor, Tensor],
  distance: (a: Tensor, b: Tensor) => Tensor,
  margin: number,
  swap: boolean,
  reduction: Reduction,
): Tensor {
  requireMargin(op, margin);
  if (anchor.ndim !== positive.ndim || anchor.ndim !== negative.ndim)
    throw new ShapeError(
      `${op}: the anchor has shape ${shapeText(anchor.shape)}, the positive ${shapeText(positive.shape)}, the negative ` +
        `${shapeText(negative.shape)}; all need as many dimensions`,
    );
  const near = distance(anchor, positive).node;
  const far = distance(anchor, negative).node;
  const apart = swap ? minimum(far, distance(positive, negative).node) : far;
  return new Tensor(reduceLoss(op, clamp(sub(add(near, margin), apart), 0), reduction));
}

function requireMargin(op: string, margin: number): void {
  if (!(margin > 0)) throw new ArgumentError(`${op}: margin is ${margin}; it must be above 0`);
}

/**
 * max(0, margin + ‖anchor − positive‖ − ‖anchor − negative‖), with distances of p-norm.
 *
 * Takes three tensors of [N, D] or [D], of as many dimensions. `margin` is 1 unless given, in the units of the
 * inputs, `p` 2, `eps`, which is added to every difference, 1e-6, and `swap` false. `reduction` is "mean" unless
 * given: gives a scalar, or with "none" a loss for each row.
 * Throws `ArgumentError` for a margin that is not above 0, `ShapeError` for tensors that differ in how many
 * dimensions they have, or do not broadcast.
 * Source: Balntas et al., "Learning Shallow Convolutional Feature Descriptors with Triplet Losses", 2016;
 * `torch.nn.TripletMarginLoss`.
 * Example: `new nn.TripletMarginLoss().forward(randn([2, 4]), randn([2, 4]), randn([2, 4]))`.
 */
export class TripletMarginLoss extends Module {
  readonly margin: number;
  readonly p: number;
  readonly eps: number;
  readonly swap: boolean;
  readonly reduction: Reduction;

  constructor(options: TripletOptions = {}) {
    refuseOptions("TripletMarginLoss", options, {
      margin: null,
      p: null,
      eps: null,
      swap: null,
      reduction: null,
    });
    const { margin = 1, p = 2, eps = 1e-6, swap = false, reduction = "mean" } = options;
    super();
    requireMargin("TripletMarginLoss", margin);
    this.margin = margin;
    this.p = p;
    this.eps = eps;
    this.swap = swap;
    this.reduction = reduction;
  }
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return tripletMarginLoss(anchor, positive, negative, this);
  }
}

/**
 * `TripletMarginLoss` with a distance of one's own: max(0, margin + d(anchor, positive) − d(anchor, negative)).
 *
 * Takes three tensors of as many dimensions. `distanceFunction` is a function of two tensors or a module, which is
 * then a part of this one; `PairwiseDistance` unless given. `margin` is 1 unless given, in the units of the
 * distance, `swap` false. `reduction` is "mean" unless given: gives a scalar, or with "none" what the distance has
 * the shape of.
 * Throws `ArgumentError` for a margin that is not above 0, `ShapeError` for tensors that differ in how many
 * dimensions they have.
 * Source: `torch.nn.TripletMarginWithDistanceLoss`.
 * Example: `new nn.TripletMarginWithDistanceLoss({ distanceFunction: (x, y) => x.sub(y).abs().amax(1) }).forward(randn([2, 4]), randn([2, 4]), randn([2, 4]))`.
 */
export class TripletMarginWithDistanceLoss extends Module {
  readonly distanceFunction: Distance;
  readonly margin: number;
  readonly swap: boolean;
  readonly reduction: Reduction;

  constructor(options: TripletDistanceOptions = {}) {
    refuseOptions("TripletMarginWithDistanceLoss", options, {
      distanceFunction: null,
      margin: null,
      swap: null,
      reduction: null,
    });
    const { distanceFunction = null, margin = 1, swap = false, reduction = "mean" } = options;
    super();
    requireMargin("TripletMarginWithDistanceLoss", margin);
    this.distanceFunction = distanceFunction ?? new PairwiseDistance();
    this.margin = margin;
    this.swap = swap;
    this.reduction = reduction;
  }
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return tripletMarginWithDistanceLoss(anchor, positive, negative, this);
  }
}
