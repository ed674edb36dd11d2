import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { shapeText, sizeOf } from "../../base/shape.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { Buffer } from "../../tensor/buffer.ts";
import { add, and, div, gt, mul, not, square, sub, where } from "../../tensor/operations/elementwise.ts";
import { reshape, unsqueeze } from "../../tensor/operations/movement.ts";
import { sum } from "../../tensor/operations/reduction.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { classTargets } from "./class-targets.ts";
import { requireDtype } from "./nll.ts";
import { floatNode, type LossOptions, type Reduction, reduceLoss } from "./reduction.ts";
import { takesPair, weight } from "./signature.ts";

/** Options of `multiMarginLoss`. */
export interface MultiMarginOptions extends LossOptions {
  /** The power that what is short of the margin is raised to: 1, or 2. */
  p?: 1 | 2;
  /** By how much the score of the right class should lead; 1. */
  margin?: number;
  /** A weight for each class. The mean is not a weighted one. */
  weight?: Tensor | null;
}

/**
 * Σ max(0, margin − input[target] + input[c])^p over the classes c beside the target, over how many classes there are:
 * the hinge loss of several classes.
 *
 * Takes scores of [N, C] with integer classes of [N], or of [C] with one class. `margin` is in the units of the scores;
 * `reduction` is "mean" unless given.
 * Throws `ArgumentError` for a p that is neither 1 nor 2, `ShapeError` for other shapes, `IndexError` for a target that
 * is no class, `DTypeError` for scores of integers, targets of floats, or weights of another dtype.
 * Source: `torch.nn.functional.multi_margin_loss`. Example: `multiMarginLoss(scores, tensor([2, 0], { dtype: "i32" }))`.
 */
export const multiMarginLoss = checked(
  "multiMarginLoss",
  takesPair({ p: kind.number, margin: kind.number, weight }),
  multiMarginLossOf,
);

function multiMarginLossOf(
  input: Tensor,
  target: Tensor,
  { p = 1, margin = 1, weight = null, reduction = "mean" }: MultiMarginOptions = {},
): Tensor {
  const op = "multiMarginLoss";
  requirePower(op, p);
  const given = floatNode(op, input);
  const [rows, classes] = input.ndim === 2 ? input.shape : [1, input.shape[0] ?? 1];
  if (input.ndim > 2 || classes === 0)
    throw new ShapeError(`${op}: takes scores of [N, C] or [C], this input is ${shapeText(input.shape)}`);
  if (target.ndim > 1 || sizeOf(target.shape) !== rows)
    throw new ShapeError(
      `${op}: an input of shape ${shapeText(input.shape)} takes class targets of shape [${rows}], not ${shapeText(target.shape)}`,
    );
  const x = reshape(given, [rows!, classes!]);
  const targets = classTargets(op, x, target.ndim === 1 ? target.node : reshape(target.node, [1]), null);
  const short = sub(add(x, margin), unsqueeze(targets.pick(x), 1));
  const counts = and(gt(short, 0), not(targets.mask));
  const linear = where(counts, short, 0);
  const rowLosses = div(sum(p === 2 ? square(linear) : linear, 1), classes!);
  const losses = weight === null ? rowLosses : mul(rowLosses, targets.pick(ofClasses(op, weight, x)));
  return new Tensor(reduceLoss(op, target.ndim === 0 ? reshape(losses, []) : losses, reduction));
}

function ofClasses(op: string, weight: Tensor, scores: Tensor["node"]): Tensor["node"] {
  const classes = scores.shape[1]!;
  if (weight.ndim !== 1 || weight.shape[0] !== classes)
    throw new ShapeError(
      `${op}: weight has shape ${shapeText(weight.shape)}; it needs one for each of ${classes} classes`,
    );
  requireDtype(op, weight, scores);
  return reshape(weight.node, [1, classes]);
}

function requirePower(op: string, p: number): void {
  if (p !== 1 && p !== 2) throw new ArgumentError(`${op}: p is ${p}; it is 1 or 2`);
}

/**
 * Σ max(0, margin − input[target] + input[c])^p over the classes c beside the target, over how many classes there
 * are: the hinge loss of several classes.
 *
 * Takes scores of [N, C] with integer classes of [N], or of [C] with one class. `p` is 1 unless given, `margin` 1 in
 * the units of the scores, `weight`, one for each class, null. `reduction` is "mean" unless given: gives a scalar,
 * or with "none" a loss for each row.
 * Throws `ArgumentError` for a p that is neither 1 nor 2, `ShapeError` for other shapes, `IndexError` for a target
 * that is no class, `DTypeError` for scores of integers, targets of floats, or weights of another dtype.
 * Source: `torch.nn.MultiMarginLoss`.
 * Example: `new nn.MultiMarginLoss({ p: 2 }).forward(randn([2, 5]), tensor([2, 0], { dtype: "i32" }))`.
 */
export class MultiMarginLoss extends Module {
  readonly p: 1 | 2;
  readonly margin: number;
  weight: Buffer | null;
  readonly reduction: Reduction;

  constructor(options: MultiMarginOptions = {}) {
    refuseOptions("MultiMarginLoss", options, { p: null, margin: null, weight: null, reduction: null });
    const { p = 1, margin = 1, weight = null, reduction = "mean" } = options;
    super();
    requirePower("MultiMarginLoss", p);
    if (weight !== null && weight.ndim !== 1)
      throw new ShapeError(
        `MultiMarginLoss: weight has shape ${shapeText(weight.shape)}; it is a vector, one for each class`,
      );
    this.p = p;
    this.margin = margin;
    this.weight = weight === null ? null : new Buffer(weight);
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return multiMarginLoss(input, target, this);
  }
}
