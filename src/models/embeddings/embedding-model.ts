import { ArgumentError } from "../../base/errors.ts";
import { flag, refuseOptions } from "../../base/options.ts";
import { type FolderPlace, intoFolder } from "../../checkpoint/places/sink.ts";
import { ModuleList } from "../../nn/module-list.ts";
import { normalize } from "../../nn/normalize.ts";
import type { ofAnyClass } from "../../nn/paths.ts";
import { onesLike } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Config } from "../config.ts";
import type { EncoderInputs, EncoderOutput } from "../encoder-inputs.ts";
import { checkPrecisions, putOnnx } from "../folder/save-onnx.ts";
import { PretrainedModel, type SavePretrainedOptions } from "../pretrained-model.ts";
import type { Stage } from "../stages.ts";
import { Dense, type DenseSettings } from "./dense.ts";
import { type EncodeTextsOptions, encodeTexts } from "./encode-texts.ts";
import { type PoolingMode, pooled } from "./pooling.ts";
import { putEmbeddingModel } from "./save-embedding-model.ts";

/** How embeddings are made of what an encoder gives. */
export interface EmbeddingOptions {
  /** What makes one vector of a text's tokens, or several one after the other; "mean". */
  readonly pooling?: PoolingMode | readonly PoolingMode[];
  /** Linear layers with an activation behind that; none. */
  readonly dense?: readonly DenseSettings[];
  /** Whether embeddings are brought to length 1; false. */
  readonly normalizes?: boolean;
  /** What `config_sentence_transformers.json` says: `prompts`, `default_prompt_name`, `truncate_dim`. */
  readonly sentenceConfig?: Config;
}

/**
 * An encoder whose tokens are pooled to one vector a text: its embedding.
 *
 * Takes an encoder, which is the field `model`, and how embeddings are made; `autoModel(folder, { task: "embed" })` makes
 * one of a folder of sentence-transformers, or with the mean of tokens of any encoder. The encoder's tokenizer becomes
 * that of the embeddings, and a pooler that it has is not trained. A forward pass takes `EncoderInputs` and gives
 * embeddings, of [batch, size]; `encode` takes texts.
 * Throws `ArgumentError` for layers that do not fit one another; as the encoder, for inputs that do not fit.
 * Source: Reimers and Gurevych, "Sentence-BERT", 2019; `SentenceTransformer` of sentence-transformers.
 * Example:
 * ```ts
 * const sizes = { vocab_size: 9, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 };
 * const model = new EmbeddingModel(new BertModel(sizes), { normalizes: true }).eval();
 * return model.forward({ inputIds: tensor([[1, 2, 3]], { dtype: "i32" }) });
 * ```
 */
export class EmbeddingModel extends PretrainedModel<Tensor> {
  readonly architecture = "SentenceTransformer";
  readonly baseName = "model";
  readonly pooling: readonly PoolingMode[];
  readonly normalizes: boolean;
  readonly sentenceConfig: Config;
  /** Of whatever kind it is: types of paths do not know its fields, so that any path goes. */
  model: PretrainedModel<EncoderOutput> & { readonly [ofAnyClass]?: never };
  dense: ModuleList<Dense>;

  constructor(encoder: PretrainedModel<EncoderOutput>, options: EmbeddingOptions = {}) {
    super(encoder.config);
    refuseOptions("EmbeddingModel", options, {
      pooling: null,
      dense: null,
      normalizes: flag,
      sentenceConfig: null,
    });
    const { pooling = "mean", dense = [], normalizes = false, sentenceConfig = {} } = options;
    this.pooling = typeof pooling === "string" ? [pooling] : pooling;
    if (this.pooling.length === 0)
      throw new ArgumentError('EmbeddingModel: pooling has no mode; give one, as "mean"');
    this.normalizes = normalizes;
    this.sentenceConfig = sentenceConfig;
    // One of both has it: embeddings are made and saved with their own.
    this.tokenizer = encoder.tokenizer;
    encoder.tokenizer = null;
    this.model = encoder;
    this.dense = new ModuleList(dense.map((settings) => new Dense(settings)));
    this.checkSizes();
    // Nothing depends on a pooler of the first token, so that it is not trained; it is saved with the encoder.
    for (const [path, parameter] of encoder.namedParameters())
      if (path.startsWith("pooler.")) parameter.requiresGrad = false;
  }

  /** How many numbers pooling gives for a text. */
  get pooledSize(): number {
    const { hidden_size: hidden, dim } = this.config;
    return this.pooling.length * ((hidden ?? dim ?? 768) as number);
  }

  /** How many numbers an embedding has. */
  get size(): number {
    return this.dense.length === 0 ? this.pooledSize : this.dense.at(-1).settings.outFeatures;
  }

  get maxLength(): number {
    return this.model.maxLength;
  }

  private checkSizes(): void {
    let size = this.pooledSize;
    for (const [i, { settings }] of [...this.dense].entries()) {
      if (settings.inFeatures !== size)
        throw new ArgumentError(
          `EmbeddingModel: dense layer ${i} takes ${settings.inFeatures} numbers, and there are ${size}; they must agree`,
        );
      size = settings.outFeatures;
    }
  }

  forward(inputs: EncoderInputs): Tensor {
    const { lastHiddenState } = this.model.forward(inputs);
    const mask = inputs.attentionMask ?? onesLike(inputs.inputIds);
    const made = [...this.dense].reduce(
      (x, layer) => layer.forward(x),
      pooled(lastHiddenState, mask, this.pooling),
    );
    return this.normalizes ? normalize(made) : made;
  }

  /** None: what pools tokens is to know which are padding, and losses compare several rows. */
  stages(): readonly Stage[] {
    return [];
  }

  outputOf(embeddings: Tensor): Tensor {
    return embeddings;
  }

  /**
   * Embeddings of texts, of [texts, size], in the order of the texts. The model computes in eval mode, texts of like
   * lengths together, and has the modes afterwards that it had before.
   *
   * Takes a list of texts, and options; `prompt`, or one of the folder's `prompts` that `promptName` names, is put in front
   * of each. A folder's `truncate_dim` holds: so many numbers of each embedding are given.
   * Throws `ArgumentError` for what is no list of texts, a prompt that is not there, and a model without a tokenizer;
   * `NonFiniteError` where an embedding is no number.
   * Source: `SentenceTransformer.encode`.
   */
  encode(texts: readonly string[], options: EncodeTextsOptions = {}): Promise<Tensor> {
    return encodeTexts(this, texts, options);
  }

  /**
   * Writes the model into a folder that sentence-transformers opens, in old versions too, and `autoModel`. Each file is
   * there whole or as it was; `modules.json` is the last one.
   *
   * Takes the folder, as `PretrainedModel.savePretrained` does, and options; with `onnx` the encoder, whose results
   * transformers.js pools by itself, is written for that too.
   * Throws `FileError` for what cannot be written, with the reason; `ArgumentError` for other precisions.
   * Source: `SentenceTransformer.save_pretrained`.
   */
  override async savePretrained(folder: FolderPlace, options: SavePretrainedOptions = {}): Promise<void> {
    refuseOptions("savePretrained", options, { onnx: null });
    const { onnx = [] } = options;
    checkPrecisions(onnx);
    await intoFolder("savePretrained", folder, async (sink) => {
      putEmbeddingModel(this, sink);
      await putOnnx(this.model, sink, onnx);
    });
  }

  override extraRepr(): string {
    return `pooling=${this.pooling.join("+")}, normalizes=${this.normalizes}`;
  }
}
