import { flag, refuseOptions } from "../../base/options.ts";
import type { Config } from "../config.ts";
import { drawWeights } from "../pretrained-model.ts";
import { type BertSizes, bertDefaults, bertSizes } from "./bert-config.ts";
import { BertEmbeddings } from "./bert-embeddings.ts";
import { BertEncoder, BertPooler } from "./bert-layer.ts";
import { PooledEncoder } from "./pooled-encoder.ts";

/** Whether an encoder has what makes one vector of a text, for heads that take it. */
export interface PoolerOptions {
  /** Default true. */
  addPoolingLayer?: boolean;
}

/** Whether options ask for a pooler. Throws `ArgumentError` for others. */
export function hasPooler(name: string, options: PoolerOptions): boolean {
  refuseOptions(name, options, { addPoolingLayer: flag });
  return options.addPoolingLayer ?? true;
}

/**
 * BERT: embeddings, `num_hidden_layers` layers of attention and a perceptron, and a pooler of the first token.
 *
 * Takes a config, as `config.json` of a folder with `"model_type": "bert"` has it; MiniLM's are such. A forward pass takes
 * `EncoderInputs`, of [batch, length], and gives `EncoderOutput`: `lastHiddenState` of [batch, length, hidden_size], and
 * `poolerOutput` of [batch, hidden_size], null without a pooler. Parameters are named as in transformers, and drawn from a
 * normal distribution of `initializer_range`.
 * Throws `ConfigError` for a config that is broken or asks for what is not there, `ShapeError` and `DTypeError` for inputs
 * that do not fit.
 * Source: Devlin et al., "BERT", 2019; `transformers.BertModel`.
 * Example:
 * ```ts
 * const sizes = { vocab_size: 9, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 };
 * const bert = new BertModel(sizes).eval();
 * return bert.forward({ inputIds: tensor([[1, 2, 3]], { dtype: "i32" }) }).lastHiddenState;
 * ```
 */
export class BertModel extends PooledEncoder {
  readonly architecture: string = "BertModel";
  readonly baseName: string | null = null;
  embeddings: BertEmbeddings;
  encoder: BertEncoder;
  pooler: BertPooler | null;

  constructor(config: Config, options: PoolerOptions = {}, sizes = bertSizes(config, bertDefaults)) {
    super(config);
    this.embeddings = this.embeddingsOf(sizes);
    this.encoder = new BertEncoder(sizes);
    this.pooler = hasPooler(new.target.name, options) ? new BertPooler(sizes) : null;
    drawWeights(this, sizes.std);
  }

  protected embeddingsOf(sizes: BertSizes): BertEmbeddings {
    return new BertEmbeddings(sizes);
  }

  get maxLength(): number {
    return this.embeddings.position_embeddings.numEmbeddings;
  }
}
