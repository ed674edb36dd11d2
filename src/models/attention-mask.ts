import { DTypeError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { EncoderInputs } from "./encoder-inputs.ts";

/** Throws an error for inputs of shapes and dtypes that do not fit one another. */
export function checkInputs(
  model: string,
  { inputIds, attentionMask, tokenTypeIds, positionIds }: EncoderInputs,
  positions: number,
): void {
  if (inputIds.dtype !== "i32")
    throw new DTypeError(`${model}: inputIds are ${inputIds.dtype}; give whole numbers, of i32`);
  if (inputIds.ndim !== 2)
    throw new ShapeError(`${model}: inputIds are ${shapeText(inputIds.shape)}; they must be [batch, length]`);
  for (const [name, value] of Object.entries({ attentionMask, tokenTypeIds, positionIds }))
    if (value && shapeText(value.shape) !== shapeText(inputIds.shape))
      throw new ShapeError(
        `${model}: ${name} is ${shapeText(value.shape)} and inputIds ${shapeText(inputIds.shape)}; they must agree`,
      );
  if (inputIds.shape[1]! > positions)
    throw new ShapeError(
      `${model}: texts are of ${inputIds.shape[1]} tokens, and the model has positions for ${positions}; truncate them`,
    );
}

/** Which keys queries attend to, of [batch, 1, 1, length]; null: to all. */
export function keysOf({ attentionMask }: Pick<EncoderInputs, "attentionMask">): Tensor | null {
  if (!attentionMask) return null;
  const isToken = attentionMask.dtype === "bool" ? attentionMask : attentionMask.ne(0);
  return isToken.unsqueeze(1).unsqueeze(1);
}
