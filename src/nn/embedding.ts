import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { noGrad } from "../tensor/autograd.ts";
import { arange, empty } from "../tensor/create.ts";
import { type EmbeddingOptions, embedding } from "../tensor/embedding.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { normal_ } from "./init/index.ts";
import { Module } from "./module.ts";
import { pythonFloat } from "./repr.ts";

/**
 * A table of rows looked up by index. The row `paddingIdx`, zeros at first, gets no gradient; with `maxNorm`, rows that
 * are looked up are first shortened to that length, in the table itself, but for what of it is frozen.
 */
export class Embedding extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | null;
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;
  weight: Parameter;

  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    { paddingIdx = null, maxNorm = null, normType = 2, scaleGradByFreq = false }: EmbeddingOptions = {},
  ) {
    super();
    for (const size of [numEmbeddings, embeddingDim])
      if (!Number.isInteger(size) || size < 0)
        throw new ArgumentError(
          `Embedding: numEmbeddings ${numEmbeddings} and embeddingDim ${embeddingDim} must be whole numbers`,
        );
    if (
      paddingIdx !== null &&
      (!Number.isInteger(paddingIdx) || paddingIdx < -numEmbeddings || paddingIdx >= numEmbeddings)
    )
      throw new ArgumentError(
        `Embedding: paddingIdx ${paddingIdx} is not a row of a table of ${numEmbeddings}`,
      );
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = paddingIdx !== null && paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    this.maxNorm = maxNorm;
    this.normType = normType;
    this.scaleGradByFreq = scaleGradByFreq;
    this.weight = new Parameter(empty([numEmbeddings, embeddingDim]));
    this.resetParameters();
  }

  /**
   * A layer with a table that is given, of [rows, dims], taken over with its dtype. As in PyTorch, `freeze` (the default)
   * makes the table require no gradient; to hold it still under every optimizer, freeze it by its path.
   */
  static fromPretrained(
    embeddings: Tensor,
    { freeze = true, ...options }: EmbeddingOptions & { freeze?: boolean } = {},
  ): Embedding {
    if (embeddings.ndim !== 2)
      throw new ShapeError(
        `Embedding.fromPretrained: the table is a matrix, not of shape ${shapeText(embeddings.shape)}`,
      );
    const layer = new Embedding(embeddings.shape[0]!, embeddings.shape[1]!, options);
    layer.weight = new Parameter(embeddings.detach(), { requiresGrad: !freeze });
    return layer;
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
    return embedding(indices, this.weight, this);
  }

  override extraRepr(): string {
    const { paddingIdx, maxNorm, normType, scaleGradByFreq } = this;
    return [
      `${this.numEmbeddings}, ${this.embeddingDim}`,
      ...(paddingIdx === null ? [] : [`padding_idx=${paddingIdx}`]),
      ...(maxNorm === null ? [] : [`max_norm=${pythonFloat(maxNorm)}`]),
      ...(normType === 2 ? [] : [`norm_type=${pythonFloat(normType)}`]),
      ...(scaleGradByFreq ? ["scale_grad_by_freq=True"] : []),
    ].join(", ");
  }
}
