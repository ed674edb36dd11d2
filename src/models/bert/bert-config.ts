import type { Tensor } from "../../tensor/tensor.ts";
import { activationOf } from "../activation.ts";
import { type Config, ConfigReader, refuseUnknown } from "../config.ts";

/** The sizes of an encoder of BERT's kind, as its config has them. */
export interface BertSizes {
  readonly vocabulary: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  /** The most positions that there are embeddings for. */
  readonly positions: number;
  /** How many texts an input may be of. */
  readonly types: number;
  readonly padding: number | null;
  readonly eps: number;
  /** Probabilities of dropout: of what layers add, of attention's weights, before a classifier. */
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly classifierDropout: number;
  /** The standard deviation that weights are drawn with. */
  readonly std: number;
  readonly activation: (x: Tensor) => Tensor;
}

/** Sizes of a config of BERT or RoBERTa, which differ in what a config that says nothing means. */
export function bertSizes(
  given: Config,
  { vocabulary, positions, types, padding, eps }: BertDefaults,
): BertSizes {
  const config = new ConfigReader(given);
  refuseUnknown(config);
  const hidden = config.count("hidden_size", 768);
  const heads = config.count("num_attention_heads", 12);
  if (hidden % heads !== 0) config.refuse("num_attention_heads", `it must divide hidden_size, ${hidden}`);
  const dropout = config.probability("hidden_dropout_prob", 0.1);
  const pad = given.pad_token_id === null ? null : config.count("pad_token_id", padding, 0);
  const words = config.count("vocab_size", vocabulary);
  if (pad !== null && pad >= words) config.refuse("pad_token_id", `the vocabulary has ${words} tokens`);
  return {
    vocabulary: words,
    hidden,
    layers: config.count("num_hidden_layers", 12),
    heads,
    intermediate: config.count("intermediate_size", 3072),
    positions: config.count("max_position_embeddings", positions),
    types: config.count("type_vocab_size", types),
    padding: pad,
    eps: config.number("layer_norm_eps", eps, [0, 1]),
    dropout,
    attentionDropout: config.probability("attention_probs_dropout_prob", 0.1),
    classifierDropout: config.probability("classifier_dropout", dropout),
    std: config.number("initializer_range", 0.02, [0, 1e3]),
    activation: activationOf(config, "hidden_act"),
  };
}

/** What a config means that does not say. */
export interface BertDefaults {
  readonly vocabulary: number;
  readonly positions: number;
  readonly types: number;
  readonly padding: number;
  readonly eps: number;
}

/** What a config of BERT means that does not say. */
export const bertDefaults: BertDefaults = {
  vocabulary: 30522,
  positions: 512,
  types: 2,
  padding: 0,
  eps: 1e-12,
};
