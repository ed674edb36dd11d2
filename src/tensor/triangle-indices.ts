import type { DType } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import { hostNode } from "../engine/trace.ts";
import * as kind from "./argument-kinds.ts";
import { stored } from "./data-node.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** Options of `trilIndices` and `triuIndices`. */
export interface TriangleOptions {
  /** Which diagonal the triangle ends at: 0 is the main one, 1 the one above; 0. */
  offset?: number;
  /** An integer dtype; i32. */
  dtype?: DType;
}

const signature = takes({ rows: kind.size, columns: kind.size }, { offset: kind.whole, dtype: kind.dtype });

function indicesOf(
  op: string,
  rows: number,
  columns: number,
  { offset = 0, dtype = "i32" }: TriangleOptions,
  range: (end: number) => readonly [from: number, to: number],
): Tensor {
  if (dtype !== "i32") throw new DTypeError(`${op}: indices are i32, not ${dtype}; cast them with to()`);
  const at: number[][] = [[], []];
  for (let row = 0; row < rows; row++) {
    const [from, to] = range(row + offset);
    for (let column = Math.max(0, from); column < Math.min(columns, to); column++) {
      at[0]!.push(row);
      at[1]!.push(column);
    }
  }
  const flat = at.flat();
  return new Tensor(
    hostNode(
      stored(op, flat.length, (i) => flat[i]!, dtype),
      dtype,
      [2, flat.length / 2],
    ),
  );
}

/**
 * Where the lower triangle of a matrix is: rows and columns of its elements, row by row, [2, n] of i32.
 *
 * Throws `ShapeError` for sizes that are no whole numbers from 0 on, `DTypeError` for another dtype than i32.
 * Source: `torch.tril_indices`. Example: `matrix.at(...trilIndices(3, 3).unbind())` is the triangle as a vector.
 */
export const trilIndices = checked(
  "trilIndices",
  signature,
  (rows: number, columns: number, options: TriangleOptions = {}): Tensor =>
    indicesOf("trilIndices", rows, columns, options, (end) => [0, end + 1]),
);

/**
 * As `trilIndices`, of the upper triangle.
 * Source: `torch.triu_indices`. Example: `triuIndices(3, 3, { offset: 1 })` is all pairs of three.
 */
export const triuIndices = checked(
  "triuIndices",
  signature,
  (rows: number, columns: number, options: TriangleOptions = {}): Tensor =>
    indicesOf("triuIndices", rows, columns, options, (end) => [end, columns]),
);
