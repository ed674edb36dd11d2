import { refuseOptions } from "../../../base/options.ts";
import { cosineSimilarity } from "../../../nn/cosine-similarity.ts";
import { zeros } from "../../../tensor/create.ts";
import { cat } from "../../../tensor/functions.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { checkColumns, checkScores } from "./check-columns.ts";
import { requireScale, type ScaleOptions } from "./multiple-negatives-ranking.ts";

/**
 * How badly cosines of pairs are in the order of their scores: log(1 + the sum of exp(cosine i − cosine j), scaled, of all
 * pairs of which i has the lower score).
 *
 * Takes two columns of embeddings, of [batch, size], and a score for each row, of [batch]; only their order counts. Gives a
 * scalar, 0 where all scores are equal.
 * Throws `ArgumentError` for a scale that is not above 0, `ShapeError` for columns and scores that do not fit.
 * Source: Huang et al., "CoSENT", 2024; `CoSENTLoss` of sentence-transformers.
 * Example: `cosentLoss([randn([3, 8]), randn([3, 8])], tensor([0.1, 0.5, 0.9]))`.
 */
export function cosentLoss(
  columns: readonly [Tensor, Tensor],
  scores: Tensor,
  options: ScaleOptions = {},
): Tensor {
  refuseOptions("cosentLoss", options, { scale: null });
  const { scale = 20 } = options;
  checkColumns("cosentLoss", columns, [2, 2]);
  checkScores("cosentLoss", columns, scores);
  requireScale("cosentLoss", scale);
  const cosines = cosineSimilarity(...columns, { eps: 1e-12 }).mul(scale);
  const differences = cosines.unsqueeze(1).sub(cosines.unsqueeze(0));
  const isWrong = scores.unsqueeze(1).lt(scores.unsqueeze(0));
  const wrong = differences.maskedFill(isWrong.logicalNot(), Number.NEGATIVE_INFINITY).flatten();
  return cat([zeros([1], { dtype: cosines.dtype }), wrong], 0).logsumexp(0);
}
