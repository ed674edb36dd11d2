import type { Tensor } from "../tensor/tensor.ts";

/** What a text encoder takes: whole numbers of [batch, length]. */
export interface EncoderInputs {
  /** Tokens by their numbers in the vocabulary. */
  readonly inputIds: Tensor;
  /** True, or 1, for tokens; false, or 0, for padding, which no token attends to. All are tokens unless given. */
  readonly attentionMask?: Tensor | null;
  /** Which of two texts a token is of, 0 or 1; 0 unless given. RoBERTa and DistilBERT have no use for it. */
  readonly tokenTypeIds?: Tensor | null;
  /** Where each token stands in its text; counted from the first unless given. DistilBERT always counts. */
  readonly positionIds?: Tensor | null;
}

/** What a text encoder gives. */
export interface EncoderOutput {
  /** Of [batch, length, size]; at padding, some numbers. */
  readonly lastHiddenState: Tensor;
  /** Of [batch, size], of the first token; null of a model without a pooler. */
  readonly poolerOutput: Tensor | null;
}
