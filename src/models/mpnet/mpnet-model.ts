import { Dropout } from "../../nn/dropout.ts";
import { Embedding } from "../../nn/embedding.ts";
import { LayerNorm } from "../../nn/layer-norm.ts";
import { Module } from "../../nn/module.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type BertDefaults, type BertSizes, bertSizes } from "../bert/bert-config.ts";
import { BertPooler } from "../bert/bert-layer.ts";
import { hasPooler, type PoolerOptions } from "../bert/bert-model.ts";
import { PooledEncoder } from "../bert/pooled-encoder.ts";
import { type Config, ConfigReader } from "../config.ts";
import type { EncoderInputs } from "../encoder-inputs.ts";
import { drawWeights } from "../pretrained-model.ts";
import { positionsBehind } from "../roberta/roberta-model.ts";
import { distanceBuckets, MPNetEncoder } from "./mpnet-layer.ts";

/** What a config of MPNet means that does not say. */
const mpnetDefaults: BertDefaults = {
  vocabulary: 30527,
  positions: 512,
  types: 1,
  padding: 1,
  eps: 1e-12,
};

/** Reads a config of MPNet, which has the names of BERT's. */
export function mpnetSizes(given: Config): BertSizes {
  const reason = `distances are of ${distanceBuckets} kinds, whatever the config says, in transformers`;
  new ConfigReader(given).only("relative_attention_num_buckets", [distanceBuckets], reason);
  return bertSizes(given, mpnetDefaults);
}

/** The number of the token that pads rows, which positions are counted from; a config that has another is not heard. */
const padding = 1;

class MPNetEmbeddings extends Module {
  word_embeddings: Embedding;
  position_embeddings: Embedding;
  LayerNorm: LayerNorm;
  dropout: Dropout;

  constructor({ vocabulary, hidden, positions, eps, dropout }: BertSizes) {
    super();
    this.word_embeddings = new Embedding(vocabulary, hidden, { paddingIdx: padding });
    this.position_embeddings = new Embedding(positions, hidden, { paddingIdx: padding });
    this.LayerNorm = new LayerNorm(hidden, { eps });
    this.dropout = new Dropout(dropout);
  }

  forward({ inputIds, positionIds }: EncoderInputs): Tensor {
    const positions = this.position_embeddings.forward(positionIds ?? positionsBehind(padding, inputIds));
    const words = this.word_embeddings.forward(inputIds);
    return this.dropout.forward(this.LayerNorm.forward(words.add(positions)));
  }
}

/**
 * MPNet: an encoder as BERT, whose attention also depends on how far a key is from a query.
 *
 * Takes a config, as `config.json` of a folder with `"model_type": "mpnet"` has it, and gives what `BertModel` gives. Which
 * text a token is of is not asked for. Without `positionIds`, tokens with the number 1 count as padding.
 * Throws as `BertModel`.
 * Source: Song et al., "MPNet", 2020; `transformers.MPNetModel`.
 */
export class MPNetModel extends PooledEncoder {
  readonly architecture = "MPNetModel";
  readonly baseName = null;
  embeddings: MPNetEmbeddings;
  encoder: MPNetEncoder;
  pooler: BertPooler | null;

  constructor(config: Config, options: PoolerOptions = {}, sizes = mpnetSizes(config)) {
    super(config);
    this.embeddings = new MPNetEmbeddings(sizes);
    this.encoder = new MPNetEncoder(sizes);
    this.pooler = hasPooler("MPNetModel", options) ? new BertPooler(sizes) : null;
    drawWeights(this, sizes.std);
  }

  get maxLength(): number {
    return this.embeddings.position_embeddings.numEmbeddings - padding - 1;
  }
}
