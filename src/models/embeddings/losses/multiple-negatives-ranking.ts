import { ArgumentError } from "../../../base/errors.ts";
import { crossEntropy } from "../../../nn/losses/cross-entropy.ts";
import { normalize } from "../../../nn/normalize.ts";
import { arange } from "../../../tensor/create.ts";
import { cat } from "../../../tensor/functions.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { checkColumns } from "./check-columns.ts";

/** Options of losses that scale cosines before they compare their exponentials. */
export interface ScaleOptions {
  /** What cosines are multiplied by; 20. */
  readonly scale?: number;
}

/** Throws for a scale that is not above 0. */
export function requireScale(op: string, scale: number): void {
  if (!(scale > 0)) throw new ArgumentError(`${op}: scale is ${scale}; it must be above 0`);
}

/**
 * How badly anchors find what belongs to them among all that is in the batch: the cross entropy of scaled cosines, where
 * the right one of each anchor is in its own row, and all other positives, and all negatives, are wrong.
 *
 * Takes columns of embeddings, each of [batch, size]: of anchors, of positives, and as many of negatives as there are. Gives
 * a scalar. What is there twice in a batch counts as wrong once: batches should have no duplicates.
 * Throws `ArgumentError` for fewer than two columns and a scale that is not above 0, `ShapeError` for columns that differ.
 * Source: Henderson et al., "Efficient Natural Language Response Suggestion for Smart Reply", 2017;
 * `MultipleNegativesRankingLoss` of sentence-transformers.
 * Example: `multipleNegativesRankingLoss([randn([4, 8]), randn([4, 8])])`.
 */
export function multipleNegativesRankingLoss(
  columns: readonly Tensor[],
  { scale = 20 }: ScaleOptions = {},
): Tensor {
  const op = "multipleNegativesRankingLoss";
  checkColumns(op, columns, [2, Number.POSITIVE_INFINITY]);
  requireScale(op, scale);
  const [anchors, ...candidates] = columns.map((column) => normalize(column));
  const cosines = anchors!.matmul(cat(candidates, 0).transpose(0, 1));
  return crossEntropy(cosines.mul(scale), arange(anchors!.shape[0]!, { dtype: "i32" }));
}
