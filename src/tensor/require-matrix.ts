import { isFloat } from "../base/dtype.ts";
import { DTypeError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import type { Tensor } from "./tensor.ts";

/** Throws unless it is a floating-point matrix, or a batch of them; `square` where rows and columns must be as many. */
export function requireMatrix(op: string, { shape, dtype }: Tensor, square = true): void {
  if (shape.length < 2 || (square && shape.at(-1) !== shape.at(-2)))
    throw new ShapeError(
      `linalg.${op}: takes ${square ? "a square matrix" : "a matrix"}, or a batch of them, not shape ${shapeText(shape)}`,
    );
  if (!isFloat(dtype))
    throw new DTypeError(
      `linalg.${op}: takes a floating-point tensor, this one is ${dtype}; cast it with to("f32")`,
    );
}
