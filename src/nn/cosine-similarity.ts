import { isFloat } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { div, mul } from "../tensor/operations/elementwise.ts";
import { meetFloating, resultDtype } from "../tensor/operations/promote.ts";
import { norm, sum } from "../tensor/operations/reduction.ts";
import { checked, takes } from "../tensor/signature.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { raisedTo } from "./straight-through.ts";

/** Options of `CosineSimilarity`. */
export interface CosineSimilarityOptions {
  /** The dimension along which vectors lie; 1. */
  dim?: number;
  /** The least that a length counts as; 1e-8. */
  eps?: number;
}

/**
 * The cosine of the angle between vectors: x1 · x2 / (|x1| |x2|), each length counted as at least `eps`.
 *
 * Takes two tensors that broadcast together, one of them of a floating dtype; gives their shape without `dim`.
 * Throws `ShapeError` for shapes that do not broadcast, `IndexError` for a dimension that is not there, `DTypeError` for
 * integers alone.
 * Source: `torch.nn.CosineSimilarity`.
 * Example: `new nn.CosineSimilarity({ dim: -1 }).forward(randn([2, 4]), randn([2, 4]))`.
 */
export class CosineSimilarity extends Module {
  readonly dim: number;
  readonly eps: number;

  constructor(options: CosineSimilarityOptions = {}) {
    refuseOptions("CosineSimilarity", options, { dim: null, eps: null });
    const { dim = 1, eps = 1e-8 } = options;
    super();
    this.dim = dim;
    this.eps = eps;
  }
  forward(x1: Tensor, x2: Tensor): Tensor {
    return cosineSimilarity(x1, x2, this);
  }
}

/** What `CosineSimilarity` does. */
export const cosineSimilarity = checked(
  "cosineSimilarity",
  takes({ x1: kind.tensor, x2: kind.tensor }, { dim: kind.dim, eps: kind.number }),
  cosineSimilarityOf,
);

function cosineSimilarityOf(
  x1: Tensor,
  x2: Tensor,
  { dim = 1, eps = 1e-8 }: CosineSimilarityOptions = {},
): Tensor {
  if (!isFloat(resultDtype([x1.node, x2.node])))
    throw new DTypeError(
      `cosineSimilarity: takes floating-point tensors, these are ${x1.dtype} and ${x2.dtype}; cast one with to("f32")`,
    );
  // Each is divided by its own length, so that squares of small or large numbers are not multiplied with each other.
  const [a, b] = meetFloating("cosineSimilarity", [x1.node, x2.node]).map((x) =>
    div(x, raisedTo(norm(x, 2, dim, true), eps)),
  );
  return new Tensor(sum(mul(a!, b!), dim));
}
