import { ArgumentError } from "../base/errors.ts";
import { noGrad } from "../tensor/autograd.ts";
import { arange } from "../tensor/create.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { normal_ } from "./init/index.ts";

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

/** Draws a table from a standard normal; the padding row becomes zeros. */
export function drawTable(weight: Parameter, paddingIdx: number | null): void {
  normal_(weight);
  if (paddingIdx === null) return;
  noGrad(() => {
    const padding = arange(weight.shape[0]!, { dtype: "i32" }).eq(paddingIdx).unsqueeze(1);
    weight.copy_(weight.maskedFill(padding, 0));
  });
}
