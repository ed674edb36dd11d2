import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { sameShape, shapeText } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { checkElements } from "../../tensor/operations/check-elements.ts";
import {
  add,
  div,
  exp,
  full,
  le,
  log,
  lt,
  maskedFill,
  mul,
  square,
  sub,
} from "../../tensor/operations/elementwise.ts";
import { unsqueeze } from "../../tensor/operations/movement.ts";
import { floating } from "../../tensor/operations/promote.ts";
import { checked, takes } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { raisedTo } from "../straight-through.ts";
import { type LossOptions, type Reduction, reduceLoss } from "./reduction.ts";
import { takesPair } from "./signature.ts";

/** Negative log-likelihoods of distributions. */

/** Options of `poissonNllLoss`. */
export interface PoissonOptions extends LossOptions {
  /** Whether the input is the logarithm of the rate (the default), or the rate itself. */
  logInput?: boolean;
  /** Whether log target! counts too, by Stirling's formula, for targets above 1. */
  full?: boolean;
  /** What is added to a rate before its logarithm is taken; 1e-8. */
  eps?: number;
}

/**
 * e^input − target · input, or input − target · log(input + eps) where `logInput` is false: counts that are Poisson's.
 *
 * Takes an input and targets (counts, not negative) that broadcast. `reduction` is "mean" unless given.
 * Throws `ShapeError` for shapes that do not broadcast.
 * Source: `torch.nn.functional.poisson_nll_loss`. Example: `poissonNllLoss(logRates, counts)`.
 */
export const poissonNllLoss = checked(
  "poissonNllLoss",
  takesPair({ logInput: kind.boolean, full: kind.boolean, eps: kind.number }),
  poissonNllLossOf,
);

function poissonNllLossOf(
  input: Tensor,
  target: Tensor,
  { logInput = true, full = false, eps = 1e-8, reduction = "mean" }: PoissonOptions = {},
): Tensor {
  const [x, t] = [floating(input.node), target.node];
  const loss = logInput ? sub(exp(x), mul(t, x)) : sub(x, mul(t, log(add(x, eps))));
  return new Tensor(reduceLoss("poissonNllLoss", full ? add(loss, stirling(t)) : loss, reduction));
}

/** log t! for t above 1, nearly; else 0. */
function stirling(t: Node): Node {
  const approximate = add(sub(mul(t, log(t)), t), mul(log(mul(floating(t), 2 * Math.PI)), 0.5));
  return maskedFill(approximate, le(t, 1), 0);
}

/**
 * e^input − target · input, or input − target · log(input + eps) where `logInput` is false: counts that are
 * Poisson's.
 *
 * Takes an input and targets, counts that are not negative, which broadcast. `logInput` is true, `full` false and
 * `eps` 1e-8 unless given. `reduction` is "mean" unless given: gives a scalar, or with "none" a loss for each
 * element.
 * Throws `ShapeError` for shapes that do not broadcast.
 * Source: `torch.nn.PoissonNLLLoss`.
 * Example: `new nn.PoissonNLLLoss().forward(randn([4]), tensor([0, 2, 1, 5]))`.
 */
export class PoissonNLLLoss extends Module {
  readonly logInput: boolean;
  readonly full: boolean;
  readonly eps: number;
  readonly reduction: Reduction;

  constructor(options: PoissonOptions = {}) {
    refuseOptions("PoissonNLLLoss", options, { logInput: null, full: null, eps: null, reduction: null });
    const { logInput = true, full = false, eps = 1e-8, reduction = "mean" } = options;
    super();
    this.logInput = logInput;
    this.full = full;
    this.eps = eps;
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return poissonNllLoss(input, target, this);
  }
}

/** Options of `gaussianNllLoss`. */
export interface GaussianOptions extends LossOptions {
  /** Whether the constant ½ log 2π counts too. */
  full?: boolean;
  /** The least that a variance counts as; 1e-6. */
  eps?: number;
}

/**
 * ½ (log variance + (input − target)² / variance): targets that are normal around the input.
 *
 * Takes an input and targets of [N, *], and variances, not negative: of the input's shape, with 1 for one dimension of
 * it, without its last dimension, or one number for all. Variances are in the square of the input's units; `reduction`
 * is "mean" unless given.
 * Throws `ArgumentError` for a negative variance, `ShapeError` for variances of another shape.
 * Source: Nix and Weigend, "Estimating the mean and variance of the target probability distribution", 1994;
 * `torch.nn.functional.gaussian_nll_loss`. Example: `gaussianNllLoss(means, targets, variances)`.
 */
export const gaussianNllLoss = checked(
  "gaussianNllLoss",
  takes(
    { input: kind.tensor, target: kind.tensor, variance: kind.either(kind.tensor, kind.number) },
    { reduction: kind.oneOf("none", "mean", "sum"), full: kind.boolean, eps: kind.number },
  ),
  gaussianNllLossOf,
);

function gaussianNllLossOf(
  input: Tensor,
  target: Tensor,
  variance: Tensor | number,
  { full: whole = false, eps = 1e-6, reduction = "mean" }: GaussianOptions = {},
): Tensor {
  const op = "gaussianNllLoss";
  const x = floating(input.node);
  const given = typeof variance === "number" ? full(x.shape, variance, x.dtype) : variance.node;
  const size = raisedTo(fitted(op, floating(given), input), eps);
  const terms = mul(add(log(size), div(square(sub(x, target.node)), size)), 0.5);
  const loss = whole ? add(terms, 0.5 * Math.log(2 * Math.PI)) : terms;
  const negative = (v: number | undefined): ArgumentError =>
    new ArgumentError(`${op}: ${v === undefined ? "a variance" : `the variance ${v}`} is negative`);
  if (typeof variance === "number") {
    if (variance < 0) throw negative(variance);
  } else
    checkElements(given, { meets: (v) => !(v < 0), fails: () => lt(given, 0), error: negative }, () => loss);
  return new Tensor(reduceLoss(op, loss, reduction));
}

/** Variances in a shape that broadcasts with the input. */
function fitted(op: string, variance: Node, { shape }: Tensor): Node {
  if (sameShape(variance.shape, shape)) return variance;
  if (sameShape(variance.shape, shape.slice(0, -1)) && shape.length > 0) return unsqueeze(variance, -1);
  const others = variance.shape.filter((size, i) => size !== shape[i]);
  if (variance.shape.length !== shape.length || others.reduce((a, b) => a + b, 0) !== 1)
    throw new ShapeError(
      `${op}: variances of shape ${shapeText(variance.shape)} for an input of shape ${shapeText(shape)}; they have its ` +
        "shape, 1 for one of its dimensions, or all but its last",
    );
  return variance;
}

/**
 * ½ (log variance + (input − target)² / variance): targets that are normal around the input.
 *
 * Takes an input and targets of [N, *], and variances, not negative: of the input's shape, with 1 for one dimension
 * of it, without its last dimension, or one number for all. `full` is false and `eps`, the least that a variance
 * counts as, 1e-6 unless given. `reduction` is "mean" unless given: gives a scalar, or with "none" a loss for each
 * element.
 * Throws `ArgumentError` for a negative variance, `ShapeError` for variances of another shape.
 * Source: Nix and Weigend, "Estimating the mean and variance of the target probability distribution", 1994;
 * `torch.nn.GaussianNLLLoss`.
 * Example: `new nn.GaussianNLLLoss().forward(randn([4, 2]), randn([4, 2]), ones([4, 2]))`.
 */
export class GaussianNLLLoss extends Module {
  readonly full: boolean;
  readonly eps: number;
  readonly reduction: Reduction;

  constructor(options: GaussianOptions = {}) {
    refuseOptions("GaussianNLLLoss", options, { full: null, eps: null, reduction: null });
    const { full = false, eps = 1e-6, reduction = "mean" } = options;
    super();
    this.full = full;
    this.eps = eps;
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor, variance: Tensor | number): Tensor {
    return gaussianNllLoss(input, target, variance, this);
  }
}
