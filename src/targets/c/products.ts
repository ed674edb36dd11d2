import { type AttentionPolicy, attentionScratch } from "../../codegen/attention-policy.ts";
import { type ProductPolicy, productScratch } from "../../codegen/product-policy.ts";
import { type CTarget, vectorsOf } from "./target.ts";

/**
 * Rows, and vectors of columns, of a register tile: sums and one step of the operands together fill the registers, 32 with
 * AVX-512 and on arm64, else 16. `bytes`: of a vector of f32, which in units that have f64 too is half a register.
 */
function tileOf(bytes: number, { vectorBytes, fma }: CTarget): { rows: number; vectors: number } {
  if (bytes === 64) return { rows: 14, vectors: 2 };
  if (bytes === 32) return { rows: 6, vectors: 2 };
  // On x86 a machine with fused multiply-add has longer vectors.
  if (vectorBytes === 16 && fma) return { rows: 8, vectors: 3 };
  return { rows: 4, vectors: bytes === 16 ? 3 : 2 };
}

/** How much of the contracted dimension is packed at once. */
const stretch = 384;

/** How C does products; `wide`: in units that have f64 too. */
export function productsC(target: CTarget, wide: boolean): ProductPolicy {
  const registers = { ...vectorsOf(target, wide), fma: target.fma };
  const { lanes } = registers;
  const { rows, vectors } = tileOf(lanes * 4, target);
  const narrow = tileOf(target.vectorBytes, target);
  // As many columns as fill half of the second cache once they are packed.
  const columns = (narrow.vectors * target.vectorBytes) / 4;
  const fit = Math.floor(target.l2 / 2 / (stretch * 4) / columns);
  return {
    registers,
    tile: { rows, columns: vectors * lanes, unit: { rows: 1, columns: lanes } },
    stretch,
    largest: {
      rows: Math.floor(532 / narrow.rows) * narrow.rows,
      columns: Math.min(16, Math.max(4, fit)) * columns,
    },
  };
}

/** How C does attention. */
export function attentionC(target: CTarget): AttentionPolicy {
  const product = productsC(target, false);
  const rows = Math.ceil(48 / product.tile.rows) * product.tile.rows;
  return { product, tileRows: null, rows, keys: 256 };
}

/** Scratch of a thread, in bytes. */
export const scratchBytes = (target: CTarget): number =>
  Math.max(
    ...[false, true].map((wide) => productScratch(productsC(target, wide))),
    attentionScratch(attentionC(target)),
  );
