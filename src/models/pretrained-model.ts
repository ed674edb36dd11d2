import { refuseOptions } from "../base/options.ts";
import { type FolderPlace, intoFolder } from "../checkpoint/places/sink.ts";
import { Embedding } from "../nn/embedding.ts";
import { drawTable } from "../nn/embedding-table.ts";
import { normal_ } from "../nn/init/index.ts";
import { Linear } from "../nn/linear.ts";
import { Module } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Config } from "./config.ts";
import type { EncoderInputs } from "./encoder-inputs.ts";
import { type PredictOptions, predict } from "./fit/predict.ts";
import { checkPrecisions, type OnnxPrecision, putOnnx } from "./folder/save-onnx.ts";
import { putModel } from "./folder/save-pretrained.ts";
import { type ResizeOptions, resizeTokenEmbeddings } from "./resize-token-embeddings.ts";
import type { Stage } from "./stages.ts";
import type { Text, TextTokenizer } from "./text/text-tokenizer.ts";
import type { TextModel } from "./text-model.ts";

/** What is written beside a model's own files. */
export interface SavePretrainedOptions {
  readonly onnx?: readonly OnnxPrecision[];
}

/** A model that a folder of Hugging Face's describes: its parameters are named as there. A forward pass gives `R`. */
export abstract class PretrainedModel<R = unknown> extends Module implements TextModel<R> {
  /** What `config.json` says, with what has been changed since. */
  readonly config: Config;
  /** What makes numbers of texts for it, as `autoModel` reads it of the folder; null where there is none. */
  tokenizer: TextTokenizer | null = null;
  /** The folder that `autoModel` has opened it from, with the weights that adapters are beside; null: it is of none. */
  folder: string | null = null;
  /** Paths of the parameters that the folder did not have, as of a new head: their values are drawn. */
  drawn: readonly string[] = [];
  /** What this class is called in transformers. */
  abstract readonly architecture: string;
  /** The field that holds the encoder under a head; null: this is the encoder itself. */
  abstract readonly baseName: string | null;
  /** How many tokens a text may have. */
  abstract readonly maxLength: number;
  /** The path of the layer that gives a number for each token of the vocabulary; null: there is none. */
  readonly outputEmbeddings: string | null = null;

  constructor(config: Config) {
    super();
    this.config = config;
  }

  abstract forward(inputs: EncoderInputs): R;

  /**
   * The parts that a forward pass goes through one after the other, the lowest first: where it can be cut, so that what
   * stays frozen is run once a text. What comes after the last of them is `outputOf`.
   */
  abstract stages(): readonly Stage[];

  /** What a forward pass gives, of what the last of the stages gives. */
  abstract outputOf(x: Tensor): R;

  /**
   * What the model finds for each text, pair of texts or list of words, in their order: for "classify" a label with its
   * probability, for "multiLabel" the labels that hold, for "regress" a number, for "tag" a label for each word, for
   * "maskedLM" the likeliest tokens at each mask. It computes in eval mode, and has the modes afterwards that it had before.
   *
   * Throws `ArgumentError` for a model without a head or a tokenizer, and for what is no text; `NonFiniteError` where
   * logits are no numbers.
   * Source: `pipeline` of transformers.
   */
  predict(texts: readonly Text[], options: PredictOptions = {}): Promise<unknown[]> {
    return predict(this, texts, options);
  }

  /**
   * Writes the model into a folder that `transformers` opens, and `autoModel`: `config.json`, `model.safetensors` and the
   * tokenizer's files, each of them whole or as it was. A tied weight is written once. Of a model with adapters the active
   * one is written in place of the weights, as PEFT has it, with the name of the folder that the base is in.
   *
   * Takes the path of the folder, which is made where there is none; in a page `opfs:…`, a folder of the origin's own file
   * system, or a function that gives a place for each file, as `download`. And options: `onnx`, a list of "fp32" and "q8", has the
   * model written for transformers.js and ONNX Runtime too, in f32 or with weights as bytes. Default: it is not.
   * Throws `FileError` for what cannot be written, with the reason; `ArgumentError` for other precisions.
   * Source: `PreTrainedModel.save_pretrained` of transformers.
   */
  async savePretrained(folder: FolderPlace, options: SavePretrainedOptions = {}): Promise<void> {
    refuseOptions("savePretrained", options, { onnx: null });
    const { onnx = [] } = options;
    checkPrecisions(onnx);
    await intoFolder("savePretrained", folder, async (sink) => {
      putModel(this, sink);
      await putOnnx(this, sink, onnx);
    });
  }

  /**
   * Gives the table of tokens another number of rows, in place: new rows come behind the old ones, which stay as they are,
   * and rows that are too many are cut off. A head that finds tokens, tied or not, gets as many, and the config says so.
   * What was made of the parameters before, as an optimizer, does not know the new ones.
   *
   * Takes how many tokens there are (`model.tokenizer.vocabularySize` after `addTokens`), and options: with
   * `padToMultipleOf` there are rows for a multiple of so many. New rows are drawn around the mean of the old ones, with
   * `meanResizing: false` around 0, from the shared random numbers.
   * Throws `ArgumentError` for what is no such number, or would cut off padding; `AdapterError` for a model with adapters;
   * `FreezeError` where the table is frozen. Then nothing has changed.
   * Source: `resize_token_embeddings` of transformers.
   */
  resizeTokenEmbeddings(tokens: number, options: ResizeOptions = {}): void {
    resizeTokenEmbeddings(this, tokens, options);
  }

  /** Paths of what a head adds to the encoder: a file need not have it, or may have it in another shape. */
  headPaths(): string[] {
    const { baseName } = this;
    if (baseName === null) return [];
    const paths = this.namedParameters({ removeDuplicate: false }).map(([path]) => path);
    return paths.filter((path) => !path.startsWith(`${baseName}.`));
  }
}

/** Draws weights of products and tables from a normal distribution, as transformers does; biases and padding are 0. */
export function drawWeights(module: Module, std: number): void {
  noGrad(() => {
    for (const part of module.modules()) {
      if (part instanceof Linear) {
        normal_(part.weight, { std });
        part.bias?.zero_();
      } else if (part instanceof Embedding) {
        drawTable(part.weight, part.paddingIdx, std);
      }
    }
  });
}
