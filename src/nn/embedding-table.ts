import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { noGrad } from "../tensor/autograd.ts";
import { arange } from "../tensor/create.ts";
import { Parameter } from "../tensor/parameter.ts";
import { normal } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { normal_ } from "./init/index.ts";
import { pythonFloat } from "./repr.ts";

/** What the sizes of a layer's table are. */
export const tableSizes = { numEmbeddings: kind.number, embeddingDim: kind.number };
/** What the options are that every layer with a table has. */
export const tableOptions = {
  paddingIdx: kind.nullable(kind.number),
  maxNorm: kind.nullable(kind.number),
  normType: kind.number,
  scaleGradByFreq: kind.boolean,
};

/** A table that is given to a layer, of [rows, dims]: its sizes, and the parameter that it becomes. */
export function givenTable(
  layer: string,
  table: Tensor,
  freeze: boolean,
): { readonly sizes: readonly [number, number]; readonly weight: Parameter } {
  const { shape } = table;
  if (shape.length !== 2)
    throw new ShapeError(`${layer}.fromPretrained: the table is a matrix, not of shape ${shapeText(shape)}`);
  const weight = new Parameter(table.detach(), { requiresGrad: !freeze });
  return { sizes: [shape[0]!, shape[1]!], weight };
}

/** How a layer's representation tells of these options. */
export const tableRepr = (layer: {
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;
}): string[] => [
  ...(layer.maxNorm === null ? [] : [`max_norm=${pythonFloat(layer.maxNorm)}`]),
  ...(layer.normType === 2 ? [] : [`norm_type=${pythonFloat(layer.normType)}`]),
  ...(layer.scaleGradByFreq ? ["scale_grad_by_freq=True"] : []),
];

/** Checks the sizes of a layer's table; gives the padding row counted from the front, or null. */
export function paddingRow(
  layer: string,
  numEmbeddings: number,
  embeddingDim: number,
  paddingIdx: number | null,
): number | null {
  for (const size of [numEmbeddings, embeddingDim])
    if (!Number.isInteger(size) || size < 0)
      throw new ArgumentError(
        `${layer}: numEmbeddings ${numEmbeddings} and embeddingDim ${embeddingDim} must be whole numbers`,
      );
  if (
    paddingIdx !== null &&
    (!Number.isInteger(paddingIdx) || paddingIdx < -numEmbeddings || paddingIdx >= numEmbeddings)
  )
    throw new ArgumentError(`${layer}: paddingIdx ${paddingIdx} is not a row of a table of ${numEmbeddings}`);
  return paddingIdx !== null && paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
}

/**
 * Draws a table from a normal distribution; the padding row becomes zeros. It is one write: what is written several times
 * before anybody reads it is computed, and a model that is made to be loaded would have numbers that nobody wants.
 */
export function drawTable(weight: Parameter, paddingIdx: number | null, std = 1): void {
  if (paddingIdx === null) {
    normal_(weight, { std });
    return;
  }
  noGrad(() => {
    const drawn = normal(weight.shape, 0, std, { dtype: weight.dtype });
    const padding = arange(weight.shape[0]!, { dtype: "i32" }).eq(paddingIdx).unsqueeze(1);
    const padded = drawn.maskedFill(padding, 0);
    // The table holds the numbers: nobody else will read them.
    for (const part of [drawn, padding, padded]) part.kept = false;
    weight.copy_(padded);
  });
}
