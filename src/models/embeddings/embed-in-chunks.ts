import { ArgumentError } from "../../base/errors.ts";
import { checkpoint } from "../../tensor/checkpoint.ts";
import { cat } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { EncoderInputs } from "../encoder-inputs.ts";
import type { TextModel } from "../text-model.ts";

/**
 * The embeddings of many rows, in the memory that a few of them take: of each chunk only the embeddings are kept, and the
 * backward pass computes the chunks once more, one at a time, with what dropout drew before. A loss that compares all rows
 * of a large batch with one another has the same gradients as without chunks, up to rounding.
 *
 * Takes a model whose forward pass gives a row for each row of its inputs, inputs of [batch, length], and how many rows a
 * chunk has; the last has what is left. Gives embeddings of [batch, size].
 * Throws `ArgumentError` for a chunk that is no whole number from 1 on; as the model.
 * Source: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", 2021 (GradCache);
 * `CachedMultipleNegativesRankingLoss` of sentence-transformers.
 * Example: `multipleNegativesRankingLoss(columns.map((inputs) => embedInChunks(model, inputs, 32)))`.
 */
export function embedInChunks(
  model: TextModel<Tensor>,
  { inputIds, attentionMask, tokenTypeIds, positionIds }: EncoderInputs,
  chunk: number,
): Tensor {
  if (!Number.isInteger(chunk) || chunk < 1)
    throw new ArgumentError(`embedInChunks: chunk is ${chunk}; it must be a whole number of at least 1`);
  const rows = inputIds.shape[0]!;
  const embeddings: Tensor[] = [];
  for (let at = 0; at < rows; at += chunk) {
    const some = (x: Tensor | null | undefined): Tensor | null =>
      x?.narrow(0, at, Math.min(chunk, rows - at)) ?? null;
    embeddings.push(
      checkpoint(model, {
        inputIds: some(inputIds)!,
        attentionMask: some(attentionMask),
        tokenTypeIds: some(tokenTypeIds),
        positionIds: some(positionIds),
      }),
    );
  }
  return cat(embeddings, 0);
}
