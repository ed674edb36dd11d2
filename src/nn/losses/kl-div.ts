import { refuseOptions } from "../../base/options.ts";
import * as kind from "../../tensor/argument-kinds.ts";
import { div, exp, mul, sub } from "../../tensor/operations/elementwise.ts";
import { xlogy } from "../../tensor/operations/logarithmic.ts";
import { sum } from "../../tensor/operations/reduction.ts";
import { checked } from "../../tensor/signature.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";
import { floatNode, pairOf, type Reduction, reduceLoss } from "./reduction.ts";
import { takesPair } from "./signature.ts";

/** Options of `klDiv`. */
export interface KLDivOptions {
  /** "batchmean" divides by the first dimension alone, which is the divergence's definition; "mean" by all. */
  reduction?: Reduction | "batchmean";
  /** Whether the target holds log-probabilities too. */
  logTarget?: boolean;
}

/**
 * target · (log target − input): the divergence of log-probabilities `input` from probabilities. Where the target is
 * 0, target · log target and its gradient are 0.
 */
export const klDiv = checked(
  "klDiv",
  takesPair({ reduction: kind.oneOf("none", "mean", "sum", "batchmean"), logTarget: kind.boolean }),
  klDivOf,
);

function klDivOf(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", logTarget = false }: KLDivOptions = {},
): Tensor {
  const [x, t] = pairOf("klDiv", input, target);
  floatNode("klDiv", input);
  floatNode("klDiv", target, "the target");
  const loss = logTarget ? mul(exp(t), sub(t, x)) : sub(xlogy(t, t), mul(t, x));
  if (reduction !== "batchmean") return new Tensor(reduceLoss("klDiv", loss, reduction));
  return new Tensor(div(sum(loss), loss.shape[0] ?? 1));
}

/**
 * target · (log target − input): the divergence of the distribution whose log-probabilities are the input from the
 * target's. Where the target is 0 it is 0.
 *
 * Takes log-probabilities and probabilities of one shape, with `logTarget` (false unless given) log-probabilities
 * twice. `reduction` is "mean" unless given, over all elements; "batchmean" divides by the first dimension alone,
 * which is the divergence's definition. Gives a scalar, or with "none" a loss for each element.
 * Throws `ShapeError` for shapes that differ, `DTypeError` for integers.
 * Source: Kullback and Leibler, "On Information and Sufficiency", 1951; `torch.nn.KLDivLoss`.
 * Example: `new nn.KLDivLoss({ reduction: "batchmean" }).forward(randn([2, 5]).logSoftmax(1), randn([2, 5]).softmax(1))`.
 */
export class KLDivLoss extends Module {
  readonly reduction: Reduction | "batchmean";
  readonly logTarget: boolean;

  constructor(options: KLDivOptions = {}) {
    refuseOptions("KLDivLoss", options, { reduction: null, logTarget: null });
    const { reduction = "mean", logTarget = false } = options;
    super();
    this.reduction = reduction;
    this.logTarget = logTarget;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return klDiv(input, target, this);
  }
}
