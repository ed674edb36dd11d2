import { Dropout } from "../../nn/dropout.ts";
import { Linear } from "../../nn/linear.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { BertSizes } from "../bert/bert-config.ts";
import { type Config, ConfigReader, labelsOf } from "../config.ts";
import type { EncoderInputs } from "../encoder-inputs.ts";
import { drawWeights, PretrainedModel } from "../pretrained-model.ts";
import { RobertaClassifier, RobertaPredictions } from "../roberta/roberta-heads.ts";
import { firstTokenStage, type Stage, stagesUnder } from "../stages.ts";
import { tokensAt } from "../tokens-at.ts";
import { MPNetModel, mpnetSizes } from "./mpnet-model.ts";

abstract class MPNetHead extends PretrainedModel<Tensor> {
  readonly baseName = "mpnet";
  readonly labels: readonly string[];
  mpnet: MPNetModel;
  protected readonly sizes: BertSizes;

  constructor(config: Config) {
    super(config);
    this.sizes = mpnetSizes(config);
    this.labels = labelsOf(new ConfigReader(config));
    this.mpnet = new MPNetModel(config, { addPoolingLayer: false }, this.sizes);
  }

  get maxLength(): number {
    return this.mpnet.maxLength;
  }

  stages(): Stage[] {
    return stagesUnder("mpnet", this.mpnet.stages());
  }
}

/**
 * MPNet with a classifier of the first token: of a text or of a pair, by one label, by several, or by a number.
 *
 * Takes a config as `MPNetModel` does; it has as many classes as `id2label` names, or `num_labels`, or 2. A forward pass
 * takes `EncoderInputs` and gives logits of [batch, classes].
 * Throws as `BertModel`.
 * Source: `transformers.MPNetForSequenceClassification`.
 */
export class MPNetForSequenceClassification extends MPNetHead {
  readonly architecture = "MPNetForSequenceClassification";
  classifier: RobertaClassifier;

  constructor(config: Config) {
    super(config);
    const { sizes } = this;
    this.classifier = new RobertaClassifier(
      { ...sizes, classifierDropout: sizes.dropout },
      this.labels.length,
    );
  }

  forward(inputs: EncoderInputs): Tensor {
    return this.classifier.forward(this.mpnet.forward(inputs).lastHiddenState);
  }

  override stages(): Stage[] {
    return [...super.stages(), firstTokenStage];
  }

  outputOf(first: Tensor): Tensor {
    return this.classifier.ofFirst(first);
  }
}

/**
 * MPNet with a classifier of each token.
 *
 * Takes a config as `MPNetForSequenceClassification`. A forward pass takes `EncoderInputs` and gives logits of
 * [batch, length, classes].
 * Throws as `BertModel`.
 * Source: `transformers.MPNetForTokenClassification`.
 */
export class MPNetForTokenClassification extends MPNetHead {
  readonly architecture = "MPNetForTokenClassification";
  dropout: Dropout;
  classifier: Linear;

  constructor(config: Config) {
    super(config);
    this.dropout = new Dropout(this.sizes.dropout);
    this.classifier = new Linear(this.sizes.hidden, this.labels.length);
    drawWeights(this.classifier, this.sizes.std);
  }

  forward(inputs: EncoderInputs): Tensor {
    return this.outputOf(this.mpnet.forward(inputs).lastHiddenState);
  }

  outputOf(x: Tensor): Tensor {
    return this.classifier.forward(this.dropout.forward(x));
  }
}

/**
 * MPNet with a head that says for each position which token stands there. Its table is that of the embeddings, unless the
 * config has `tie_word_embeddings: false`.
 *
 * Takes a config as `MPNetModel` does. A forward pass takes `EncoderInputs` and gives logits of
 * [batch, length, vocab_size], or, of `places` alone
 * (numbers of tokens, counted through the rows of the batch), of [places, vocab_size].
 * Throws as `BertModel`.
 * Source: `transformers.MPNetForMaskedLM`.
 */
export class MPNetForMaskedLM extends MPNetHead {
  readonly architecture = "MPNetForMaskedLM";
  override readonly outputEmbeddings = "lm_head.decoder";
  lm_head: RobertaPredictions;

  constructor(config: Config) {
    super(config);
    const isTied = new ConfigReader(config).flag("tie_word_embeddings", true);
    this.lm_head = new RobertaPredictions(this.sizes, isTied);
    if (isTied) this.lm_head.decoder.weight = this.mpnet.embeddings.word_embeddings.weight;
  }

  forward(inputs: EncoderInputs, places: Tensor | null = null): Tensor {
    return this.outputOf(tokensAt(this.mpnet.forward(inputs).lastHiddenState, places));
  }

  outputOf(x: Tensor): Tensor {
    return this.lm_head.forward(x);
  }
}
