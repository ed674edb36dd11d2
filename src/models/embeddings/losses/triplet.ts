import { refuseOptions } from "../../../base/options.ts";
import { tripletMarginWithDistanceLoss } from "../../../nn/losses/triplet.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { checkColumns } from "./check-columns.ts";

/**
 * The mean of max(0, margin + |anchor − positive| − |anchor − negative|), with Euclidean distances.
 *
 * Takes three columns of embeddings, of [batch, size]; gives a scalar. The margin is 5 unless given; embeddings of length 1
 * are at most 2 apart, and need one below that.
 * Throws `ArgumentError` for a margin that is not above 0, `ShapeError` for columns that differ.
 * Source: `TripletLoss` of sentence-transformers.
 * Example: `tripletLoss([randn([3, 8]), randn([3, 8]), randn([3, 8])])`.
 */
export function tripletLoss(
  columns: readonly [Tensor, Tensor, Tensor],
  options: { readonly margin?: number } = {},
): Tensor {
  refuseOptions("tripletLoss", options, { margin: null });
  const { margin = 5 } = options;
  checkColumns("tripletLoss", columns, [3, 3]);
  // Where two are the same, their distance has the gradient 0.
  const distanceFunction = (a: Tensor, b: Tensor): Tensor => a.sub(b).norm(2, 1);
  return tripletMarginWithDistanceLoss(...columns, { distanceFunction, margin });
}
