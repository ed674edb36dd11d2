import { Dropout } from "../../nn/dropout.ts";
import { Embedding } from "../../nn/embedding.ts";
import { LayerNorm } from "../../nn/layer-norm.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module.ts";
import { ModuleList } from "../../nn/module-list.ts";
import { arange } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { activationOf } from "../activation.ts";
import { checkInputs, keysOf } from "../attention-mask.ts";
import { type Config, ConfigReader, refuseUnknown } from "../config.ts";
import type { EncoderInputs, EncoderOutput } from "../encoder-inputs.ts";
import { drawWeights, PretrainedModel } from "../pretrained-model.ts";
import { attended } from "../self-attention.ts";
import { embeddingStage, type Stage, stagesUnder } from "../stages.ts";

/** The sizes of DistilBERT, as its config has them. */
export interface DistilBertSizes {
  readonly vocabulary: number;
  readonly dim: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly positions: number;
  readonly padding: number | null;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly classifierDropout: number;
  readonly std: number;
  readonly activation: (x: Tensor) => Tensor;
}

/** Reads a config of DistilBERT. */
export function distilBertSizes(given: Config): DistilBertSizes {
  const config = new ConfigReader(given);
  refuseUnknown(config);
  const dim = config.count("dim", 768);
  const heads = config.count("n_heads", 12);
  if (dim % heads !== 0) config.refuse("n_heads", `it must divide dim, ${dim}`);
  const vocabulary = config.count("vocab_size", 30522);
  const padding = given.pad_token_id === null ? null : config.count("pad_token_id", 0, 0);
  if (padding !== null && padding >= vocabulary)
    config.refuse("pad_token_id", `the vocabulary has ${vocabulary} tokens`);
  return {
    vocabulary,
    dim,
    layers: config.count("n_layers", 6),
    heads,
    intermediate: config.count("hidden_dim", 4 * 768),
    positions: config.count("max_position_embeddings", 512),
    padding,
    dropout: config.probability("dropout", 0.1),
    attentionDropout: config.probability("attention_dropout", 0.1),
    classifierDropout: config.probability("seq_classif_dropout", 0.2),
    std: config.number("initializer_range", 0.02, [0, 1e3]),
    activation: activationOf(config, "activation"),
  };
}

const eps = 1e-12;

class Embeddings extends Module {
  word_embeddings: Embedding;
  position_embeddings: Embedding;
  LayerNorm: LayerNorm;
  dropout: Dropout;

  constructor({ vocabulary, dim, positions, padding, dropout }: DistilBertSizes) {
    super();
    this.word_embeddings = new Embedding(vocabulary, dim, { paddingIdx: padding });
    this.position_embeddings = new Embedding(positions, dim);
    this.LayerNorm = new LayerNorm(dim, { eps });
    this.dropout = new Dropout(dropout);
  }

  forward(inputIds: Tensor): Tensor {
    const positions = this.position_embeddings.forward(arange(inputIds.shape[1]!, { dtype: "i32" }));
    const words = this.word_embeddings.forward(inputIds);
    return this.dropout.forward(this.LayerNorm.forward(words.add(positions)));
  }
}

class SelfAttention extends Module {
  private readonly heads: number;
  dropout: Dropout;
  q_lin: Linear;
  k_lin: Linear;
  v_lin: Linear;
  out_lin: Linear;

  constructor({ dim, heads, attentionDropout }: DistilBertSizes) {
    super();
    this.heads = heads;
    this.dropout = new Dropout(attentionDropout);
    this.q_lin = new Linear(dim, dim);
    this.k_lin = new Linear(dim, dim);
    this.v_lin = new Linear(dim, dim);
    this.out_lin = new Linear(dim, dim);
  }

  forward(x: Tensor, keys: Tensor | null): Tensor {
    const { q_lin: query, k_lin: key, v_lin: value, dropout } = this;
    return this.out_lin.forward(attended(x, keys, { query, key, value, dropout, heads: this.heads }));
  }
}

class FeedForward extends Module {
  dropout: Dropout;
  lin1: Linear;
  lin2: Linear;
  private readonly activation: (x: Tensor) => Tensor;

  constructor({ dim, intermediate, dropout, activation }: DistilBertSizes) {
    super();
    this.dropout = new Dropout(dropout);
    this.lin1 = new Linear(dim, intermediate);
    this.lin2 = new Linear(intermediate, dim);
    this.activation = activation;
  }

  forward(x: Tensor): Tensor {
    return this.dropout.forward(this.lin2.forward(this.activation(this.lin1.forward(x))));
  }
}

class TransformerBlock extends Module {
  attention: SelfAttention;
  sa_layer_norm: LayerNorm;
  ffn: FeedForward;
  output_layer_norm: LayerNorm;

  constructor(sizes: DistilBertSizes) {
    super();
    this.attention = new SelfAttention(sizes);
    this.sa_layer_norm = new LayerNorm(sizes.dim, { eps });
    this.ffn = new FeedForward(sizes);
    this.output_layer_norm = new LayerNorm(sizes.dim, { eps });
  }

  forward(x: Tensor, keys: Tensor | null): Tensor {
    const attended = this.sa_layer_norm.forward(this.attention.forward(x, keys).add(x));
    return this.output_layer_norm.forward(this.ffn.forward(attended).add(attended));
  }
}

class Transformer extends Module {
  layer: ModuleList<TransformerBlock>;

  constructor(sizes: DistilBertSizes) {
    super();
    this.layer = new ModuleList(Array.from({ length: sizes.layers }, () => new TransformerBlock(sizes)));
  }

  forward(x: Tensor, keys: Tensor | null): Tensor {
    return [...this.layer].reduce((y, layer) => layer.forward(y, keys), x);
  }

  stages(): Stage[] {
    return [...this.layer].map((layer, i) => ({
      paths: [`layer.${i}`],
      forward: (x, { keys }) => layer.forward(x, keys),
    }));
  }
}

/**
 * DistilBERT: BERT with half as many layers, and without token types and a pooler.
 *
 * Takes a config, as `config.json` of a folder with `"model_type": "distilbert"` has it. A forward pass takes
 * `EncoderInputs`, of [batch, length], and gives `EncoderOutput`, without a `poolerOutput`. Parameters are named as in
 * transformers, and drawn from a normal distribution of `initializer_range`.
 * Throws `ConfigError` for a config that is broken or asks for what is not there, `ShapeError` and `DTypeError` for inputs
 * that do not fit.
 * Source: Sanh et al., "DistilBERT", 2019; `transformers.DistilBertModel`.
 */
export class DistilBertModel extends PretrainedModel<EncoderOutput> {
  readonly architecture = "DistilBertModel";
  readonly baseName = null;
  embeddings: Embeddings;
  transformer: Transformer;

  constructor(config: Config, sizes = distilBertSizes(config)) {
    super(config);
    this.embeddings = new Embeddings(sizes);
    this.transformer = new Transformer(sizes);
    drawWeights(this, sizes.std);
  }

  get maxLength(): number {
    return this.embeddings.position_embeddings.numEmbeddings;
  }

  forward(inputs: EncoderInputs): EncoderOutput {
    checkInputs(this.architecture, inputs, this.maxLength);
    const x = this.embeddings.forward(inputs.inputIds);
    return this.outputOf(this.transformer.forward(x, keysOf(inputs)));
  }

  stages(): Stage[] {
    const embeddings = embeddingStage("embeddings", ({ inputIds }) => this.embeddings.forward(inputIds));
    return [embeddings, ...stagesUnder("transformer", this.transformer.stages())];
  }

  outputOf(lastHiddenState: Tensor): EncoderOutput {
    return { lastHiddenState, poolerOutput: null };
  }
}
