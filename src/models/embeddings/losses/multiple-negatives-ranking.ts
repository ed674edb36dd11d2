import { ArgumentError } from "../../../base/errors.ts";
import { flag, refuseOptions } from "../../../base/options.ts";
import { crossEntropy } from "../../../nn/losses/cross-entropy.ts";
import { normalize } from "../../../nn/normalize.ts";
import { arange } from "../../../tensor/create.ts";
import { cat } from "../../../tensor/functions.ts";
import { gatherOverRanks, ranksOfStep } from "../../../tensor/ranks-of-step.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { checkColumns } from "./check-columns.ts";

/** Options of losses that scale cosines before they compare their exponentials. */
export interface ScaleOptions {
  /** What cosines are multiplied by; 20. */
  readonly scale?: number;
}

/** Options of `multipleNegativesRankingLoss`. */
export interface RankingLossOptions extends ScaleOptions {
  /** Whether an anchor is also to be told from what the other ranks of a step's group have in their batches; false. */
  readonly gather?: boolean;
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
 * a scalar. What is there twice in a batch counts as wrong once: batches should have no duplicates. With `gather`, in the
 * loss of a `trainStep` that has a group, the candidates are those of all ranks, which must have as many rows, and gradients
 * are those of all ranks' losses: the ranks' mean is that of one batch of all their rows.
 * Throws `ArgumentError` for fewer than two columns, a scale that is not above 0, and `gather` in a step that accumulates or
 * weighs losses; `ShapeError` for columns that differ, `GroupError` where ranks have other numbers of rows.
 * Source: Henderson et al., "Efficient Natural Language Response Suggestion for Smart Reply", 2017;
 * `MultipleNegativesRankingLoss` of sentence-transformers.
 * Example: `multipleNegativesRankingLoss([randn([4, 8]), randn([4, 8])])`.
 */
export function multipleNegativesRankingLoss(
  columns: readonly Tensor[],
  options: RankingLossOptions = {},
): Tensor {
  const op = "multipleNegativesRankingLoss";
  refuseOptions(op, options, { scale: null, gather: flag });
  const { scale = 20, gather = false } = options;
  checkColumns(op, columns, [2, Number.POSITIVE_INFINITY]);
  requireScale(op, scale);
  const [anchors, ...own] = columns.map((column) => normalize(column)) as [Tensor, ...Tensor[]];
  const rows = anchors.shape[0]!;
  const ranks = gather ? ranksOfStep() : null;
  ranks?.note(null, `${op} of ${rows} rows`);
  const candidates = ranks === null ? own : gatherOverRanks(ranks, own);
  const cosines = anchors.matmul(cat(candidates, 0).transpose(0, 1));
  // What belongs to this rank's anchors stands behind what the ranks before it have.
  const first = rows * (ranks?.by.rank ?? 0);
  return crossEntropy(cosines.mul(scale), arange(first, first + rows, 1, { dtype: "i32" }));
}
