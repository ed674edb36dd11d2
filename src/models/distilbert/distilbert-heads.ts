import { Dropout } from "../../nn/dropout.ts";
import { LayerNorm } from "../../nn/layer-norm.ts";
import { Linear } from "../../nn/linear.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Config, ConfigReader, labelsOf } from "../config.ts";
import type { EncoderInputs } from "../encoder-inputs.ts";
import { drawWeights, PretrainedModel } from "../pretrained-model.ts";
import { firstTokenStage, type Stage, stagesUnder } from "../stages.ts";
import { tokensAt } from "../tokens-at.ts";
import { DistilBertModel, type DistilBertSizes, distilBertSizes } from "./distilbert-model.ts";

abstract class DistilBertHead extends PretrainedModel<Tensor> {
  readonly baseName = "distilbert";
  readonly labels: readonly string[];
  distilbert: DistilBertModel;
  protected readonly sizes: DistilBertSizes;

  constructor(config: Config) {
    super(config);
    this.sizes = distilBertSizes(config);
    this.labels = labelsOf(new ConfigReader(config));
    this.distilbert = new DistilBertModel(config, this.sizes);
  }

  get maxLength(): number {
    return this.distilbert.maxLength;
  }

  stages(): Stage[] {
    return stagesUnder("distilbert", this.distilbert.stages());
  }
}

/**
 * DistilBERT with a classifier of the first token: of a text or of a pair, by one label, by several, or by a number.
 *
 * Takes a config as `DistilBertModel` does; it has as many classes as `id2label` names, or `num_labels`, or 2. A forward
 * pass takes `EncoderInputs` and gives logits of [batch, classes].
 * Throws as `DistilBertModel`.
 * Source: `transformers.DistilBertForSequenceClassification`.
 */
export class DistilBertForSequenceClassification extends DistilBertHead {
  readonly architecture = "DistilBertForSequenceClassification";
  pre_classifier: Linear;
  classifier: Linear;
  dropout: Dropout;

  constructor(config: Config) {
    super(config);
    const { dim, classifierDropout, std } = this.sizes;
    this.pre_classifier = new Linear(dim, dim);
    this.classifier = new Linear(dim, this.labels.length);
    this.dropout = new Dropout(classifierDropout);
    for (const layer of [this.pre_classifier, this.classifier]) drawWeights(layer, std);
  }

  forward(inputs: EncoderInputs): Tensor {
    const first = this.distilbert.forward(inputs).lastHiddenState.select(1, 0);
    return this.outputOf(this.pooled(first));
  }

  private pooled(first: Tensor): Tensor {
    return this.pre_classifier.forward(first).relu();
  }

  override stages(): Stage[] {
    const pooler = { paths: ["pre_classifier"], forward: (first: Tensor) => this.pooled(first) };
    return [...super.stages(), firstTokenStage, pooler];
  }

  outputOf(pooled: Tensor): Tensor {
    return this.classifier.forward(this.dropout.forward(pooled));
  }
}

/**
 * DistilBERT with a classifier of each token.
 *
 * Takes a config as `DistilBertForSequenceClassification`. A forward pass takes `EncoderInputs` and gives logits of
 * [batch, length, classes].
 * Throws as `DistilBertModel`.
 * Source: `transformers.DistilBertForTokenClassification`.
 */
export class DistilBertForTokenClassification extends DistilBertHead {
  readonly architecture = "DistilBertForTokenClassification";
  dropout: Dropout;
  classifier: Linear;

  constructor(config: Config) {
    super(config);
    this.dropout = new Dropout(this.sizes.dropout);
    this.classifier = new Linear(this.sizes.dim, this.labels.length);
    drawWeights(this.classifier, this.sizes.std);
  }

  forward(inputs: EncoderInputs): Tensor {
    return this.outputOf(this.distilbert.forward(inputs).lastHiddenState);
  }

  outputOf(x: Tensor): Tensor {
    return this.classifier.forward(this.dropout.forward(x));
  }
}

/**
 * DistilBERT with a head that says for each position which token stands there. Its table is that of the embeddings,
 * unless the config has `tie_word_embeddings: false`.
 *
 * Takes a config as `DistilBertModel` does. A forward pass takes `EncoderInputs` and gives logits of
 * [batch, length, vocab_size], or, of `places` alone
 * (numbers of tokens, counted through the rows of the batch), of [places, vocab_size].
 * Throws as `DistilBertModel`.
 * Source: `transformers.DistilBertForMaskedLM`.
 */
export class DistilBertForMaskedLM extends DistilBertHead {
  readonly architecture = "DistilBertForMaskedLM";
  override readonly outputEmbeddings = "vocab_projector";
  vocab_transform: Linear;
  vocab_layer_norm: LayerNorm;
  vocab_projector: Linear;

  constructor(config: Config) {
    super(config);
    const { dim, vocabulary, std } = this.sizes;
    this.vocab_transform = new Linear(dim, dim);
    this.vocab_layer_norm = new LayerNorm(dim, { eps: 1e-12 });
    this.vocab_projector = new Linear(dim, vocabulary);
    for (const layer of [this.vocab_transform, this.vocab_projector]) drawWeights(layer, std);
    if (new ConfigReader(config).flag("tie_word_embeddings", true))
      this.vocab_projector.weight = this.distilbert.embeddings.word_embeddings.weight;
  }

  forward(inputs: EncoderInputs, places: Tensor | null = null): Tensor {
    return this.outputOf(tokensAt(this.distilbert.forward(inputs).lastHiddenState, places));
  }

  outputOf(x: Tensor): Tensor {
    const transformed = this.sizes.activation(this.vocab_transform.forward(x));
    return this.vocab_projector.forward(this.vocab_layer_norm.forward(transformed));
  }
}
