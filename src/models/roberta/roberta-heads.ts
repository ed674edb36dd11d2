import { Dropout } from "../../nn/dropout.ts";
import { LayerNorm } from "../../nn/layer-norm.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module.ts";
import { zeros } from "../../tensor/create.ts";
import { Parameter } from "../../tensor/parameter.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type BertSizes, bertSizes } from "../bert/bert-config.ts";
import { type Config, ConfigReader, labelsOf } from "../config.ts";
import type { EncoderInputs } from "../encoder-inputs.ts";
import { drawWeights, PretrainedModel } from "../pretrained-model.ts";
import { firstTokenStage, type Stage, stagesUnder } from "../stages.ts";
import { tokensAt } from "../tokens-at.ts";
import { RobertaModel, robertaDefaults } from "./roberta-model.ts";

abstract class RobertaHead extends PretrainedModel<Tensor> {
  readonly baseName = "roberta";
  readonly labels: readonly string[];
  roberta: RobertaModel;
  protected readonly sizes: BertSizes;

  constructor(config: Config) {
    super(config);
    this.sizes = bertSizes(config, robertaDefaults);
    this.labels = labelsOf(new ConfigReader(config));
    this.roberta = new RobertaModel(config, { addPoolingLayer: false }, this.sizes);
  }

  get maxLength(): number {
    return this.roberta.maxLength;
  }

  stages(): Stage[] {
    return stagesUnder("roberta", this.roberta.stages());
  }
}

/** A classifier of the first token, with a layer before it. */
export class RobertaClassifier extends Module {
  dense: Linear;
  dropout: Dropout;
  out_proj: Linear;

  constructor({ hidden, classifierDropout, std }: BertSizes, classes: number) {
    super();
    this.dense = new Linear(hidden, hidden);
    this.dropout = new Dropout(classifierDropout);
    this.out_proj = new Linear(hidden, classes);
    drawWeights(this, std);
  }

  forward(x: Tensor): Tensor {
    return this.ofFirst(x.select(1, 0));
  }

  /** As `forward`, of the first tokens alone. */
  ofFirst(first: Tensor): Tensor {
    const x = this.dense.forward(this.dropout.forward(first)).tanh();
    return this.out_proj.forward(this.dropout.forward(x));
  }
}

/**
 * RoBERTa with a classifier of the first token: of a text or of a pair, by one label, by several, or by a number.
 *
 * Takes a config as `RobertaModel` does; it has as many classes as `id2label` names, or `num_labels`, or 2. A forward pass
 * takes `EncoderInputs` and gives logits of [batch, classes].
 * Throws as `BertModel`.
 * Source: `transformers.RobertaForSequenceClassification`.
 */
export class RobertaForSequenceClassification extends RobertaHead {
  readonly architecture = "RobertaForSequenceClassification";
  classifier: RobertaClassifier;

  constructor(config: Config) {
    super(config);
    this.classifier = new RobertaClassifier(this.sizes, this.labels.length);
  }

  forward(inputs: EncoderInputs): Tensor {
    return this.classifier.forward(this.roberta.forward(inputs).lastHiddenState);
  }

  override stages(): Stage[] {
    return [...super.stages(), firstTokenStage];
  }

  outputOf(first: Tensor): Tensor {
    return this.classifier.ofFirst(first);
  }
}

/**
 * RoBERTa with a classifier of each token.
 *
 * Takes a config as `RobertaForSequenceClassification`. A forward pass takes `EncoderInputs` and gives logits of
 * [batch, length, classes].
 * Throws as `BertModel`.
 * Source: `transformers.RobertaForTokenClassification`.
 */
export class RobertaForTokenClassification extends RobertaHead {
  readonly architecture = "RobertaForTokenClassification";
  dropout: Dropout;
  classifier: Linear;

  constructor(config: Config) {
    super(config);
    this.dropout = new Dropout(this.sizes.classifierDropout);
    this.classifier = new Linear(this.sizes.hidden, this.labels.length);
    drawWeights(this.classifier, this.sizes.std);
  }

  forward(inputs: EncoderInputs): Tensor {
    return this.outputOf(this.roberta.forward(inputs).lastHiddenState);
  }

  outputOf(x: Tensor): Tensor {
    return this.classifier.forward(this.dropout.forward(x));
  }
}

/** What finds the token at each place. */
export class RobertaPredictions extends Module {
  dense: Linear;
  layer_norm: LayerNorm;
  decoder: Linear;
  /** The decoder's, which files have under either name; of a decoder with a table of its own, one that is not used. */
  bias: Parameter;

  constructor({ hidden, vocabulary, eps, std }: BertSizes, isTied: boolean) {
    super();
    this.dense = new Linear(hidden, hidden);
    this.layer_norm = new LayerNorm(hidden, { eps });
    this.decoder = new Linear(hidden, vocabulary);
    drawWeights(this, std);
    this.bias = isTied ? this.decoder.bias! : new Parameter(zeros([vocabulary]));
  }

  forward(x: Tensor): Tensor {
    return this.decoder.forward(this.layer_norm.forward(this.dense.forward(x).gelu()));
  }
}

/**
 * RoBERTa with a head that says for each position which token stands there. Its table is that of the embeddings, unless
 * the config has `tie_word_embeddings: false`.
 *
 * Takes a config as `RobertaModel` does. A forward pass takes `EncoderInputs` and gives logits of
 * [batch, length, vocab_size], or, of `places` alone
 * (numbers of tokens, counted through the rows of the batch), of [places, vocab_size].
 * Throws as `BertModel`.
 * Source: `transformers.RobertaForMaskedLM`.
 */
export class RobertaForMaskedLM extends RobertaHead {
  readonly architecture = "RobertaForMaskedLM";
  override readonly outputEmbeddings = "lm_head.decoder";
  lm_head: RobertaPredictions;

  constructor(config: Config) {
    super(config);
    const isTied = new ConfigReader(config).flag("tie_word_embeddings", true);
    this.lm_head = new RobertaPredictions(this.sizes, isTied);
    if (isTied) this.lm_head.decoder.weight = this.roberta.embeddings.word_embeddings.weight;
  }

  forward(inputs: EncoderInputs, places: Tensor | null = null): Tensor {
    return this.outputOf(tokensAt(this.roberta.forward(inputs).lastHiddenState, places));
  }

  outputOf(x: Tensor): Tensor {
    return this.lm_head.forward(x);
  }
}
