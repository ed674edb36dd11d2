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
 * Sums and one step of the operands together fill the registers: 32 with AVX-512 and on arm64, else 16. `bytes`: of a
 * vector of f32, which in units that have f64 too is half a register.
 */
export function tileOf(bytes: number, { vectorBytes, fma }: CTarget): Tile {
  if (bytes === 64) return { rows: 14, vectors: 2, lesser: [8, 4, 2, 1] };
  if (bytes === 32) return { rows: 6, vectors: 2, lesser: [4, 2, 1] };
  // On x86 a machine with fused multiply-add has longer vectors.
  if (vectorBytes === 16 && fma) return { rows: 8, vectors: 3, lesser: [4, 2, 1] };
  return { rows: 4, vectors: bytes === 16 ? 3 : 2, lesser: [2, 1] };
}

/** How much of the contracted dimension is packed at once. */
export const stretch = 384;

/** Rows up to which a product reads its right operand where it is, row by row. */
export const fewRows = 4;

/** How products are cut into tasks: as many columns as fill half of the second cache once they are packed. */
export function productTiling(target: CTarget, form = ""): ProductTiling {
  const { rows, vectors } = tileOf(target.vectorBytes, target);
  const columns = (vectors * target.vectorBytes) / 4;
  const fit = Math.floor(target.l2 / 2 / (stretch * 4) / columns);
  const tile = { rows, columns };
  // Few rows take as long as their operands take to come from memory.
  if (form === "rows")
    return {
      largest: { rows: fewRows, columns: 2048 },
      tile: { rows: fewRows, columns },
      worthTask: 2 ** 20,
      mostTasks: 8,
    };
  return {
    largest: { rows: Math.floor(532 / rows) * rows, columns: Math.min(16, Math.max(4, fit)) * columns },
    tile,
    worthTask: form === "dot" ? 2 ** 20 : 2 ** 22,
    mostTasks: 8,
  };
}

/** Where a thread's scratch has what, in bytes: addresses of accesses, a packed panel of each operand, sums. */
export function scratchLayout(target: CTarget) {
  const whole = productTiling(target);
  const rows = productTiling(target, "rows");
  const left = 2048;
  /** Bytes from one row of the left operand's panel to the next, where it is packed row by row. */
  const leftStride = stretch * 4 + 64;
  const right = left + Math.max(whole.tile.rows * leftStride, 64 * stretch);
  // Whole vectors are stored, also of panels that are less wide or less deep.
  const packed = (whole.largest.columns + 2 * whole.tile.columns) * stretch * 4;
  const sums = Math.ceil((right + packed) / 64) * 64;
  /** Bytes from one row of sums to the next. */
  const sumStride = (whole.largest.columns + whole.tile.columns) * 4;
  /** The same for products of few rows. */
  const rowStride = (rows.largest.columns + whole.tile.columns) * 4;
  const bytes = sums + Math.max(whole.largest.rows * sumStride, fewRows * rowStride);
  return { left, leftStride, right, sums, sumStride, rowStride, bytes };
}

/** Scratch of a thread, in bytes. */
export const scratchBytes = (target: CTarget): number => scratchLayout(target).bytes;
