import type { ProductTiling } from "../tasks.ts";
import type { CTarget } from "./target.ts";

/** The sums that one loop over k keeps in registers: rows, and vectors of columns. */
export interface Tile {
  readonly rows: number;
  readonly vectors: number;
  /** Rows of the tiles that do what is left of a block, largest first. */
  readonly lesser: readonly number[];
}

/**
 * With AVX-512's 32 registers 28 sums, two vectors of the right operand and one of the left; with AVX's 16, 12 sums.
 * No tile has more rows than a vector has lanes.
 */
export function tileOf({ vectorBytes }: CTarget): Tile {
  if (vectorBytes === 64) return { rows: 14, vectors: 2, lesser: [8, 4, 2, 1] };
  return vectorBytes === 32
    ? { rows: 6, vectors: 2, lesser: [4, 2, 1] }
    : { rows: 4, vectors: 3, lesser: [2, 1] };
}

/** How much of the contracted dimension is packed at once. */
export const stretch = 384;

/** Columns of a tile. */
export const tileColumns = (target: CTarget): number => (tileOf(target).vectors * target.vectorBytes) / 4;

/** How products are cut into tasks: as many columns as fill half of the second cache once they are packed. */
export function productTiling(target: CTarget): ProductTiling {
  const { rows } = tileOf(target);
  const columns = tileColumns(target);
  const fit = Math.floor(target.l2 / 2 / (stretch * 4) / columns);
  return {
    largest: { rows: Math.floor(512 / rows) * rows, columns: Math.min(16, Math.max(4, fit)) * columns },
    tile: { rows, columns },
    worthTask: 2 ** 22,
    mostTasks: 8,
  };
}

/** Where a thread's scratch has what, in bytes: addresses of accesses, a packed panel of each operand, sums. */
export function scratchLayout(target: CTarget) {
  const { largest, tile } = productTiling(target);
  const left = 2048;
  // Whole vectors are stored, also of panels that are less wide.
  const right = left + (tile.rows * stretch * 4 + 2 * target.vectorBytes);
  const sums = Math.ceil((right + (largest.columns + tile.columns) * stretch * 4) / 64) * 64;
  /** Bytes from one row of sums to the next. */
  const sumStride = (largest.columns + tile.columns) * 4;
  return {
    left: Math.ceil(left / 64) * 64,
    right: Math.ceil(right / 64) * 64,
    sums,
    sumStride,
    bytes: sums + largest.rows * sumStride,
  };
}

/** Scratch of a thread, in bytes. */
export const scratchBytes = (target: CTarget): number => scratchLayout(target).bytes;
