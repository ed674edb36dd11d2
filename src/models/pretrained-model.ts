import { Embedding } from "../nn/embedding.ts";
import { normal_ } from "../nn/init/index.ts";
import { Linear } from "../nn/linear.ts";
import { Module } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Config } from "./config.ts";

/** What a text encoder takes: whole numbers of [batch, length]. */
export interface EncoderInputs {
  /** Tokens by their numbers in the vocabulary. */
  readonly inputIds: Tensor;
  /** True, or 1, for tokens; false, or 0, for padding, which no token attends to. All are tokens unless given. */
  readonly attentionMask?: Tensor | null;
  /** Which of two texts a token is of, 0 or 1; 0 unless given. RoBERTa and DistilBERT have no use for it. */
  readonly tokenTypeIds?: Tensor | null;
  /** Where each token stands in its text; counted from the first unless given. DistilBERT always counts. */
  readonly positionIds?: Tensor | null;
}

/** What a text encoder gives. */
export interface EncoderOutput {
  /** Of [batch, length, size]; at padding, some numbers. */
  readonly lastHiddenState: Tensor;
  /** Of [batch, size], of the first token; null of a model without a pooler. */
  readonly poolerOutput: Tensor | null;
}

/** A model that a folder of Hugging Face's describes: its parameters are named as there. A forward pass gives `R`. */
export abstract class PretrainedModel<R = unknown> extends Module {
  /** What `config.json` says, with what has been changed since. */
  readonly config: Config;
  /** What this class is called in transformers. */
  abstract readonly architecture: string;
  /** The field that holds the encoder under a head; null: this is the encoder itself. */
  abstract readonly baseName: string | null;
  /** How many tokens a text may have. */
  abstract readonly maxLength: number;

  constructor(config: Config) {
    super();
    this.config = config;
  }

  abstract forward(inputs: EncoderInputs): R;

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
        part.resetParameters();
        part.weight.mul_(std);
      }
    }
  });
}
