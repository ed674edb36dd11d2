import { ArgumentError, DTypeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { type Node, node } from "../../ir/node.ts";
import { Buffer } from "../../tensor/buffer.ts";
import { logSigmoid } from "../../tensor/operations/activation.ts";
import { checkElements } from "../../tensor/operations/check-elements.ts";
import {
  add,
  and,
  div,
  ge,
  le,
  log,
  log1p,
  maximum,
  mul,
  neg,
  not,
  sub,
  where,
} from "../../tensor/operations/elementwise.ts";
import { broadcastTo, widen } from "../../tensor/operations/promote.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { floatNode, type LossOptions, pairOf, type Reduction, reduceLoss } from "./reduction.ts";
import { takesPair, weight } from "./signature.ts";

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

/** The losses of elements, weighted and reduced; a weight broadcasts to them, they do not to it. */
function weighted(op: string, loss: Node, weight: Tensor | null, reduction: Reduction): Tensor {
  const each = weight === null ? loss : mul(loss, broadcastTo(weight.node, loss.shape, op));
  return new Tensor(reduceLoss(op, each, reduction));
}

/** What PyTorch divides a gradient by at least. */
const least = 1e-12;

/**
 * −(target · log input + (1 − target) · log(1 − input)) for probabilities, with logarithms of at least -100. The
 * gradient is (input − target) / (input · (1 − input)), with a divisor of at least 1e-12, so that an answer that is as
 * wrong as can be still has one. On logits use `binaryCrossEntropyWithLogits`, which loses no precision near 0 and 1.
 *
 * Takes input and target of one shape and one floating dtype, all in [0, 1]; throws `ArgumentError` for others.
 */
export const binaryCrossEntropy = checked("binaryCrossEntropy", takesPair({ weight }), binaryCrossEntropyOf);

function binaryCrossEntropyOf(
  input: Tensor,
  target: Tensor,
  { weight = null, reduction = "mean" }: BinaryLossOptions = {},
): Tensor {
  const op = "binaryCrossEntropy";
  const [x, t] = pairOf(op, input, target).map(widen) as [Node, Node];
  floatNode(op, input);
  if (input.dtype !== target.dtype)
    throw new DTypeError(`${op}: the input is ${input.dtype}, the target ${target.dtype}; cast the target`);
  const inside = ge(mul(x, sub(1, x)), least);
  const safe = where(inside, x, 0.5);
  const ordinary = neg(add(mul(t, log(safe)), mul(sub(1, t), log1p(neg(safe)))));
  // Beyond, the logarithms are numbers, and a straight line through them has the gradient.
  const still = node("detach", [x], {});
  const logs = [log(still), log1p(neg(still))].map((l) => maximum(l, -100)) as [Node, Node];
  const value = neg(add(mul(t, logs[0]), mul(sub(1, t), logs[1])));
  const slope = div(sub(still, node("detach", [t], {})), least);
  const loss = where(inside, ordinary, add(value, mul(sub(x, still), slope)));
  for (const [what, given] of [
    ["input", x],
    ["target", t],
  ] as const)
    checkElements(
      given,
      {
        meets: (v) => v >= 0 && v <= 1,
        fails: () => not(and(ge(given, 0), le(given, 1))),
        error: (v, place) =>
          new ArgumentError(
            `${op}: ${v === undefined ? `an element of the ${what}` : `${v}, element ${place} of the ${what},`} is not from 0 to 1; ` +
              "probabilities are: for logits use binaryCrossEntropyWithLogits",
          ),
      },
      () => loss,
    );
  return weighted(op, loss, weight, reduction);
}

/** `binaryCrossEntropy` of sigmoid(input), without overflow. */
export const binaryCrossEntropyWithLogits = checked(
  "binaryCrossEntropyWithLogits",
  takesPair({ weight, posWeight: weight }),
  binaryCrossEntropyWithLogitsOf,
);

function binaryCrossEntropyWithLogitsOf(
  input: Tensor,
  target: Tensor,
  { weight = null, posWeight = null, reduction = "mean" }: LogitLossOptions = {},
): Tensor {
  const op = "binaryCrossEntropyWithLogits";
  const [x, t] = pairOf(op, input, target);
  floatNode(op, target, "the target");
  const positive = logSigmoid(x);
  const scaled =
    posWeight === null
      ? positive
      : mul(positive, add(mul(t, sub(broadcastTo(posWeight.node, x.shape, op), 1)), 1));
  return weighted(op, sub(mul(sub(1, t), x), scaled), weight, reduction);
}

const buffered = (weight: Tensor | null): Buffer | null => (weight === null ? null : new Buffer(weight));

/**
 * −(target · log input + (1 − target) · log(1 − input)) of probabilities; logarithms count as −100 at least.
 * `BCEWithLogitsLoss` takes logits, and loses no digits near 0 and 1.
 *
 * Takes input and target of one shape and one floating dtype, all from 0 to 1. `reduction` is "mean" unless given:
 * gives a scalar, or with "none" a loss for each element. `weight`, which is null unless given, is a factor of each,
 * broadcast, and a buffer.
 * Throws `ShapeError` for shapes that differ, `ArgumentError` for what is no probability, `DTypeError` for integers.
 * Source: `torch.nn.BCELoss`.
 * Example: `new nn.BCELoss().forward(tensor([0.2, 0.9]), tensor([0, 1]))`.
 */
export class BCELoss extends Module {
  weight: Buffer | null;
  readonly reduction: Reduction;

  constructor(options: BinaryLossOptions = {}) {
    refuseOptions("BCELoss", options, { weight: null, reduction: null });
    const { weight = null, reduction = "mean" } = options;
    super();
    this.weight = buffered(weight);
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropy(input, target, this);
  }
}

/**
 * `BCELoss` of sigmoid(input), computed from the logits without overflow.
 *
 * Takes logits and targets from 0 to 1, of one shape and floating dtypes. `reduction` is "mean" unless given: gives
 * a scalar, or with "none" a loss for each element. `weight`, a factor of each, and `posWeight`, one of the positive
 * part, broadcast, and are buffers; both are null unless given.
 * Throws `ShapeError` for shapes that do not fit, `DTypeError` for integers.
 * Source: `torch.nn.BCEWithLogitsLoss`.
 * Example: `new nn.BCEWithLogitsLoss({ posWeight: tensor([3, 1]) }).forward(randn([4, 2]), ones([4, 2]))`.
 */
export class BCEWithLogitsLoss extends Module {
  weight: Buffer | null;
  posWeight: Buffer | null;
  readonly reduction: Reduction;

  constructor(options: LogitLossOptions = {}) {
    refuseOptions("BCEWithLogitsLoss", options, { weight: null, posWeight: null, reduction: null });
    const { weight = null, posWeight = null, reduction = "mean" } = options;
    super();
    this.weight = buffered(weight);
    this.posWeight = buffered(posWeight);
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropyWithLogits(input, target, this);
  }
}
