import { ArgumentError } from "../base/errors.ts";
import { noGrad } from "../tensor/autograd.ts";
import { arange, empty } from "../tensor/create.ts";
import { embedding } from "../tensor/functions.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { normal_ } from "./init/index.ts";
import { Module } from "./module.ts";

/** A table of rows looked up by index. The row `paddingIdx`, zeros at first, gets no gradient. */
export class Embedding extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | null;
  weight: Parameter;

  constructor(numEmbeddings: number, embeddingDim: number, { paddingIdx }: { paddingIdx?: number } = {}) {
    super();
    if (
      paddingIdx !== undefined &&
      (!Number.isInteger(paddingIdx) || paddingIdx < -numEmbeddings || paddingIdx >= numEmbeddings)
    )
      throw new ArgumentError(
        `Embedding: paddingIdx ${paddingIdx} is not a row of a table of ${numEmbeddings}`,
      );
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx =
      paddingIdx === undefined ? null : paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    this.weight = new Parameter(empty([numEmbeddings, embeddingDim]));
    this.resetParameters();
  }

  /** Draws the table anew from a standard normal; the padding row becomes zeros. */
  resetParameters(): void {
    normal_(this.weight);
    const { paddingIdx } = this;
    if (paddingIdx === null) return;
    noGrad(() => {
      const padding = arange(this.numEmbeddings, { dtype: "i32" }).eq(paddingIdx).unsqueeze(1);
      this.weight.copy_(this.weight.maskedFill(padding, 0));
    });
  }

  /** Rows at indices (integers in [0, numEmbeddings)) of any shape. */
  forward(indices: Tensor): Tensor {
    return embedding(indices, this.weight, { paddingIdx: this.paddingIdx ?? undefined });
  }

  override extraRepr(): string {
    const padding = this.paddingIdx === null ? "" : `, padding_idx=${this.paddingIdx}`;
    return `${this.numEmbeddings}, ${this.embeddingDim}${padding}`;
  }
}
