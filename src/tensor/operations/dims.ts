import { ArgumentError, IndexError } from "../../base/errors.ts";
import { type Shape, shapeText } from "../../base/shape.ts";

/** A dimension as an index from 0: negative ones count from the end. */
export function dimOf(op: string, dim: number, rank: number, shape?: Shape): number {
  // A scalar takes dimension 0 and -1, as in PyTorch.
  const size = Math.max(1, rank);
  if (!Number.isInteger(dim) || dim < -size || dim >= size)
    throw new IndexError(
      `${op}: dimension ${dim} is out of range for ${shape ? `shape ${shapeText(shape)}` : `rank ${rank}`}; it must be in [${-size}, ${size - 1}]`,
    );
  return dim < 0 ? dim + size : dim;
}

/** Dimensions in ascending order: all of them if none is given. */
export function dimsOf(
  op: string,
  dim: number | readonly number[] | undefined | null,
  shape: Shape,
): number[] {
  const rank = shape.length;
  if (dim === undefined || dim === null || (typeof dim === "object" && dim.length === 0))
    return shape.map((_, i) => i);
  const dims = (typeof dim === "number" ? [dim] : dim).map((d) => dimOf(op, d, rank, shape));
  if (new Set(dims).size !== dims.length) throw new ArgumentError(`${op}: dimension named twice in [${dim}]`);
  return rank === 0 ? [] : dims.sort((a, b) => a - b);
}
