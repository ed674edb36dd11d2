import { empty } from "../tensor/create.ts";
import { type EmbeddingOptions, embedding } from "../tensor/embedding.ts";
import { Parameter } from "../tensor/parameter.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { drawTable, givenTable, paddingRow, tableOptions, tableRepr, tableSizes } from "./embedding-table.ts";
import { Module } from "./module.ts";

const signature = takes(tableSizes, tableOptions);

/**
 * A table of rows looked up by index. The row `paddingIdx`, zeros at first, gets no gradient; with `maxNorm`, rows
 * that are looked up are first shortened to that length, in the table itself, but for what of it is frozen.
 *
 * Takes indices, integers in [0, `numEmbeddings`), of any shape; gives their shape with [`embeddingDim`] behind it.
 * `weight` is [numEmbeddings, embeddingDim], drawn from a standard normal. Other options are those of
 * `EmbeddingOptions`; `Embedding.fromPretrained` takes a table.
 * Throws `IndexError` for an index out of range, `DTypeError` for indices that are no integers, `ArgumentError` for
 * sizes and options that cannot be.
 * Source: `torch.nn.Embedding`.
 * Example: `new nn.Embedding(10, 4, { paddingIdx: 0 }).forward(tensor([[0, 3], [9, 1]], { dtype: "i32" }))`.
 */
export class Embedding extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | null;
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;
  weight: Parameter;

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingOptions = {}) {
    super();
    refuseUnless("Embedding", signature, [numEmbeddings, embeddingDim, options]);
    const { paddingIdx = null, maxNorm = null, normType = 2, scaleGradByFreq = false } = options;
    const padding = paddingRow("Embedding", numEmbeddings, embeddingDim, paddingIdx);
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = padding;
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
    const { sizes, weight } = givenTable("Embedding", embeddings, freeze);
    const layer = new Embedding(...sizes, options);
    layer.weight = weight;
    return layer;
  }

  /** Draws the table anew from a standard normal; the padding row becomes zeros. */
  resetParameters(): void {
    drawTable(this.weight, this.paddingIdx);
  }

  /** Rows at indices (integers in [0, numEmbeddings)) of any shape. */
  forward(indices: Tensor): Tensor {
    return embedding(indices, this.weight, this);
  }

  override extraRepr(): string {
    const { paddingIdx } = this;
    return [
      `${this.numEmbeddings}, ${this.embeddingDim}`,
      ...(paddingIdx === null ? [] : [`padding_idx=${paddingIdx}`]),
      ...tableRepr(this),
    ].join(", ");
  }
}
