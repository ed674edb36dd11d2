import { Dropout } from "../../nn/dropout.ts";
import { LayerNorm } from "../../nn/layer-norm.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module.ts";
import { zeros } from "../../tensor/create.ts";
import { Parameter } from "../../tensor/parameter.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Config, ConfigReader, labelsOf } from "../config.ts";
import type { EncoderInputs } from "../encoder-inputs.ts";
import { drawWeights, PretrainedModel } from "../pretrained-model.ts";
import { firstTokenStage, type Stage, stagesUnder } from "../stages.ts";
import { tokensAt } from "../tokens-at.ts";
import { type BertSizes, bertDefaults, bertSizes } from "./bert-config.ts";
import { BertModel } from "./bert-model.ts";

abstract class BertHead extends PretrainedModel<Tensor> {
  readonly baseName = "bert";
  readonly labels: readonly string[];
  bert: BertModel;
  protected readonly sizes: BertSizes;

  constructor(config: Config, { addPoolingLayer }: { addPoolingLayer: boolean }) {
    super(config);
    this.sizes = bertSizes(config, bertDefaults);
    this.labels = labelsOf(new ConfigReader(config));
    this.bert = new BertModel(config, { addPoolingLayer }, this.sizes);
  }

  get maxLength(): number {
    return this.bert.maxLength;
  }

  stages(): Stage[] {
    return stagesUnder("bert", this.bert.stages());
  }
}

/**
 * BERT with a classifier of what its pooler gives: of a text or of a pair, by one label, by several, or by a number.
 *
 * Takes a config as `BertModel` does; it has as many classes as `id2label` names, or `num_labels`, or 2. A forward pass
 * takes `EncoderInputs` and gives logits of [batch, classes].
 * Throws as `BertModel`.
 * Source: `transformers.BertForSequenceClassification`.
 */
export class BertForSequenceClassification extends BertHead {
  readonly architecture = "BertForSequenceClassification";
  dropout: Dropout;
  classifier: Linear;

  constructor(config: Config) {
    super(config, { addPoolingLayer: true });
    this.dropout = new Dropout(this.sizes.classifierDropout);
    this.classifier = new Linear(this.sizes.hidden, this.labels.length);
    drawWeights(this.classifier, this.sizes.std);
  }

  forward(inputs: EncoderInputs): Tensor {
    return this.outputOf(this.bert.forward(inputs).poolerOutput!);
  }

  override stages(): Stage[] {
    const pooler = { paths: ["bert.pooler"], forward: (first: Tensor) => this.bert.pooler!.ofFirst(first) };
    return [...super.stages(), firstTokenStage, pooler];
  }

  outputOf(pooled: Tensor): Tensor {
    return this.classifier.forward(this.dropout.forward(pooled));
  }
}

/**
 * BERT with a classifier of each token.
 *
 * Takes a config as `BertForSequenceClassification`. A forward pass takes `EncoderInputs` and gives logits of
 * [batch, length, classes].
 * Throws as `BertModel`.
 * Source: `transformers.BertForTokenClassification`.
 */
export class BertForTokenClassification extends BertHead {
  readonly architecture = "BertForTokenClassification";
  dropout: Dropout;
  classifier: Linear;

  constructor(config: Config) {
    super(config, { addPoolingLayer: false });
    this.dropout = new Dropout(this.sizes.classifierDropout);
    this.classifier = new Linear(this.sizes.hidden, this.labels.length);
    drawWeights(this.classifier, this.sizes.std);
  }

  forward(inputs: EncoderInputs): Tensor {
    return this.outputOf(this.bert.forward(inputs).lastHiddenState);
  }

  outputOf(x: Tensor): Tensor {
    return this.classifier.forward(this.dropout.forward(x));
  }
}

class BertTransform extends Module {
  dense: Linear;
  LayerNorm: LayerNorm;
  private readonly activation: (x: Tensor) => Tensor;

  constructor({ hidden, eps, activation }: BertSizes) {
    super();
    this.dense = new Linear(hidden, hidden);
    this.LayerNorm = new LayerNorm(hidden, { eps });
    this.activation = activation;
  }

  forward(x: Tensor): Tensor {
    return this.LayerNorm.forward(this.activation(this.dense.forward(x)));
  }
}

class BertPredictions extends Module {
  transform: BertTransform;
  decoder: Linear;
  /** The decoder's, which files have under either name; of a decoder with a table of its own, one that is not used. */
  bias: Parameter;

  constructor(sizes: BertSizes, isTied: boolean) {
    super();
    this.transform = new BertTransform(sizes);
    this.decoder = new Linear(sizes.hidden, sizes.vocabulary);
    drawWeights(this, sizes.std);
    this.bias = isTied ? this.decoder.bias! : new Parameter(zeros([sizes.vocabulary]));
  }

  forward(x: Tensor): Tensor {
    return this.decoder.forward(this.transform.forward(x));
  }
}

class BertPredictionHead extends Module {
  predictions: BertPredictions;

  constructor(sizes: BertSizes, isTied: boolean) {
    super();
    this.predictions = new BertPredictions(sizes, isTied);
  }
}

/**
 * BERT with a head that says for each position which token stands there. Its table is that of the embeddings, unless the
 * config has `tie_word_embeddings: false`.
 *
 * Takes a config as `BertModel` does. A forward pass takes `EncoderInputs` and gives logits of
 * [batch, length, vocab_size], or, of `places` alone
 * (numbers of tokens, counted through the rows of the batch), of [places, vocab_size].
 * Throws as `BertModel`.
 * Source: `transformers.BertForMaskedLM`.
 */
export class BertForMaskedLM extends BertHead {
  readonly architecture = "BertForMaskedLM";
  override readonly outputEmbeddings = "cls.predictions.decoder";
  cls: BertPredictionHead;

  constructor(config: Config) {
    super(config, { addPoolingLayer: false });
    const isTied = new ConfigReader(config).flag("tie_word_embeddings", true);
    this.cls = new BertPredictionHead(this.sizes, isTied);
    if (isTied) this.cls.predictions.decoder.weight = this.bert.embeddings.word_embeddings.weight;
  }

  forward(inputs: EncoderInputs, places: Tensor | null = null): Tensor {
    return this.outputOf(tokensAt(this.bert.forward(inputs).lastHiddenState, places));
  }

  outputOf(x: Tensor): Tensor {
    return this.cls.predictions.forward(x);
  }
}
