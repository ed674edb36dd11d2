import { type AttentionPolicy, attentionScratch } from "../../codegen/attention-policy.ts";
import { type ProductPolicy, productScratch } from "../../codegen/product-policy.ts";
import { rows, vectors } from "./tile.ts";

/** How wasm does products; `wide`: in kernels that have f64 too. */
export const productsWasm = (wide: boolean): ProductPolicy => ({
  registers: { lanes: wide ? 2 : 4, doubles: 2, fma: false },
  tile: { rows, columns: 4 * vectors, unit: { rows, columns: 4 * vectors } },
  stretch: 256,
  largest: { rows: 256, columns: 384 },
});

/** How wasm does attention. */
export const attentionWasm: AttentionPolicy = {
  product: productsWasm(false),
  tileRows: rows,
  rows: 32,
  keys: 128,
};

/** Scratch of a thread, in bytes. */
export const scratchBytes = (): number =>
  Math.max(
    ...[false, true].map((wide) => productScratch(productsWasm(wide))),
    attentionScratch(attentionWasm),
  );
