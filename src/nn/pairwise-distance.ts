import { refuseOptions } from "../base/options.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { add, sub } from "../tensor/operations/elementwise.ts";
import { floating } from "../tensor/operations/promote.ts";
import { norm } from "../tensor/operations/reduction.ts";
import { checked, takes } from "../tensor/signature.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** Options of `PairwiseDistance`. */
export interface PairwiseDistanceOptions {
  /** Which norm; 2. */
  p?: number;
  /** What is added to every difference, so that none is 0, where a norm has no gradient; 1e-6. */
  eps?: number;
  /** Whether the last dimension stays, as 1. */
  keepdim?: boolean;
}

/**
 * The p-norm of x1 − x2 + eps along the last dimension.
 *
 * Takes two tensors of [N, D] or [D] that broadcast together, of any shape and dtype; gives their shape without the last
 * dimension, or with 1 for it. The distance is in the units of the inputs.
 * Throws `ShapeError` for shapes that do not broadcast.
 * Source: `torch.nn.PairwiseDistance`.
 * Example: `new nn.PairwiseDistance({ p: 1 }).forward(randn([2, 4]), randn([2, 4]))`.
 */
export class PairwiseDistance extends Module {
  readonly norm: number;
  readonly eps: number;
  readonly keepdim: boolean;

  constructor(options: PairwiseDistanceOptions = {}) {
    refuseOptions("PairwiseDistance", options, { p: null, eps: null, keepdim: null });
    const { p = 2, eps = 1e-6, keepdim = false } = options;
    super();
    this.norm = p;
    this.eps = eps;
    this.keepdim = keepdim;
  }
  forward(x1: Tensor, x2: Tensor): Tensor {
    return pairwiseDistance(x1, x2, { p: this.norm, eps: this.eps, keepdim: this.keepdim });
  }
}

/** What `PairwiseDistance` does. */
export const pairwiseDistance = checked(
  "pairwiseDistance",
  takes({ x1: kind.tensor, x2: kind.tensor }, { p: kind.number, eps: kind.number, keepdim: kind.boolean }),
  pairwiseDistanceOf,
);

function pairwiseDistanceOf(
  x1: Tensor,
  x2: Tensor,
  { p = 2, eps = 1e-6, keepdim = false }: PairwiseDistanceOptions = {},
): Tensor {
  // Integers are subtracted as integers, as in PyTorch.
  const difference = floating(sub(x1.node, x2.node));
  return new Tensor(norm(add(difference, eps), p, -1, keepdim));
}
