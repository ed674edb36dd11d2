import { Dropout } from "../../nn/dropout.ts";
import { Embedding } from "../../nn/embedding.ts";
import { LayerNorm } from "../../nn/layer-norm.ts";
import { Module } from "../../nn/module.ts";
import { arange, zerosLike } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { EncoderInputs } from "../encoder-inputs.ts";
import type { BertSizes } from "./bert-config.ts";

/** The sum of embeddings of a token, of its position and of which text it is of; normalized. */
export class BertEmbeddings extends Module {
  word_embeddings: Embedding;
  position_embeddings: Embedding;
  token_type_embeddings: Embedding;
  LayerNorm: LayerNorm;
  dropout: Dropout;

  constructor(sizes: BertSizes, { positionPadding = null }: { positionPadding?: number | null } = {}) {
    super();
    const { vocabulary, hidden, positions, types, padding, eps, dropout } = sizes;
    this.word_embeddings = new Embedding(vocabulary, hidden, { paddingIdx: padding });
    this.position_embeddings = new Embedding(positions, hidden, { paddingIdx: positionPadding });
    this.token_type_embeddings = new Embedding(types, hidden);
    this.LayerNorm = new LayerNorm(hidden, { eps });
    this.dropout = new Dropout(dropout);
  }

  /** Where tokens stand if the inputs do not say, of [length] or [batch, length]. */
  protected positionsOf(inputIds: Tensor): Tensor {
    return arange(inputIds.shape[1]!, { dtype: "i32" });
  }

  forward({ inputIds, tokenTypeIds, positionIds }: EncoderInputs): Tensor {
    const words = this.word_embeddings.forward(inputIds);
    const types = this.token_type_embeddings.forward(tokenTypeIds ?? zerosLike(inputIds));
    const positions = this.position_embeddings.forward(positionIds ?? this.positionsOf(inputIds));
    return this.dropout.forward(this.LayerNorm.forward(words.add(types).add(positions)));
  }
}
