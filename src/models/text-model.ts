import type { Module } from "../nn/module.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Config } from "./config.ts";
import type { EncoderInputs } from "./encoder-inputs.ts";
import type { Stage } from "./stages.ts";
import type { TextTokenizer } from "./text/text-tokenizer.ts";

/** What tuning, predicting and saving see of a model: `PretrainedModel` is one. */
export interface TextModel<R = unknown> extends Module {
  readonly config: Config;
  tokenizer: TextTokenizer | null;
  readonly folder: string | null;
  readonly drawn: readonly string[];
  readonly architecture: string;
  readonly baseName: string | null;
  readonly maxLength: number;
  readonly outputEmbeddings: string | null;
  /** `places`: of a model that finds tokens, those that it is to find, counted through the rows of the batch; all unless given. */
  forward(inputs: EncoderInputs, places?: Tensor | null): R;
  stages(): readonly Stage[];
  outputOf(x: Tensor): R;
  headPaths(): string[];
  savePretrained(folder: string): Promise<void>;
}
