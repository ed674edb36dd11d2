import { cosineSimilarity } from "../../../nn/cosine-similarity.ts";
import { mseLoss } from "../../../nn/losses/distance.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { checkColumns, checkScores } from "./check-columns.ts";

/**
 * The mean square of what cosines of pairs are apart from their scores.
 *
 * Takes two columns of embeddings, of [batch, size], and a score for each row, of [batch], from −1 to 1. Gives a scalar.
 * Throws `ShapeError` for columns and scores that do not fit.
 * Source: `CosineSimilarityLoss` of sentence-transformers.
 * Example: `cosineSimilarityLoss([randn([3, 8]), randn([3, 8])], tensor([0.1, 0.5, 0.9]))`.
 */
export function cosineSimilarityLoss(columns: readonly [Tensor, Tensor], scores: Tensor): Tensor {
  checkColumns("cosineSimilarityLoss", columns, [2, 2]);
  checkScores("cosineSimilarityLoss", columns, scores);
  return mseLoss(cosineSimilarity(...columns), scores.to(columns[0].dtype));
}
