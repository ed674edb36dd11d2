import { ArgumentError, ShapeError } from "../../../base/errors.ts";
import { shapeText } from "../../../base/shape.ts";
import type { Tensor } from "../../../tensor/tensor.ts";

/** Throws where columns of embeddings are not as many as a loss takes, or not all of [batch, size]. */
export function checkColumns(
  op: string,
  columns: readonly Tensor[],
  [least, most]: readonly [number, number],
): void {
  if (columns.length < least || columns.length > most)
    throw new ArgumentError(
      `${op}: there are ${columns.length} columns of embeddings; it takes ${least === most ? least : `${least} or more`}`,
    );
  const shapes = columns.map(({ shape }) => shapeText(shape));
  if (columns[0]!.ndim !== 2 || shapes.some((shape) => shape !== shapes[0]))
    throw new ShapeError(
      `${op}: the embeddings are ${shapes.join(", ")}; each must be the same [batch, size]`,
    );
}

/** Throws where there is not one score for each pair. */
export function checkScores(op: string, [{ shape }]: readonly [Tensor, ...Tensor[]], scores: Tensor): void {
  if (scores.ndim !== 1 || scores.shape[0] !== shape[0])
    throw new ShapeError(
      `${op}: the scores are ${shapeText(scores.shape)} and the embeddings ${shapeText(shape)}; there must be one for each row`,
    );
}
