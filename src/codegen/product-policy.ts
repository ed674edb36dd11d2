import { count, KernelBuilder, ops } from "../lowered/build.ts";
import type { Expr } from "../lowered/ir.ts";
import { localBytes } from "../lowered/walk.ts";
import type { ContractKernel, KernelCall } from "../plan/kernel.ts";
import type { Registers } from "./expr-lanes.ts";
import type { ProductTiling } from "./tasks.ts";

/** How a target does products of f32. */
export interface ProductPolicy {
  /** The vectors of what packs and finishes. */
  readonly registers: Registers;
  /** What the register tile keeps of sums, and does at least. */
  readonly tile: Size & { readonly unit: Size };
  /** How much of the contracted dimension is packed at once: a multiple of 16. */
  readonly stretch: number;
  /** The largest block of a product that is one task: what scratch holds. */
  readonly largest: Size;
}

interface Size {
  readonly rows: number;
  readonly columns: number;
}

/**
 * How a product is gone about: "dot" for few rows or columns of operands that both lie along k, "rows" for few rows whose
 * right operand does not, "" where both operands are packed.
 */
export type ProductForm = "" | "rows" | "dot";

/** Rows up to which a product reads its right operand where it is, row by row; and the columns of a task then. */
export const few = { rows: 4, columns: 2048 };
/** Rows up to which, and columns, a product of operands along k packs neither. */
const mostDot = { rows: 16, columns: 4 };

/** Whether an operand is an array of f32 as it is, along k. */
function isPlainAlongK(kernel: ContractKernel, side: "left" | "right"): boolean {
  const value = kernel.prologue[kernel[side]]!;
  if (value.op !== "load" || kernel[`${side}Unit`] !== "k") return false;
  const { dtype, vector } = kernel.accesses[value.access]!;
  return dtype === "f32" && vector === "unit";
}

/** The form of a call: "" too where it is no product. */
export function productForm({ kernel, extents }: Pick<KernelCall, "kernel" | "extents">): ProductForm {
  if (kernel.kind !== "contract") return "";
  const [m, n] = extents.slice(kernel.batch) as [number, number];
  const isFew = m <= mostDot.rows || n <= mostDot.columns;
  if (isFew && isPlainAlongK(kernel, "left") && isPlainAlongK(kernel, "right")) return "dot";
  return m <= few.rows && kernel.rightUnit === "n" ? "rows" : "";
}

/**
 * The kernel's own buffers: sums, rows by columns; the left operand's panel, rows by depths; and the right one's panels of
 * a tile's columns, by depths, by columns. Each has room for whole vectors where fewer elements are left. `stretch`: how
 * much of the depth there is, at most.
 */
export function productBuffers(
  b: KernelBuilder,
  { registers: { lanes }, tile, largest, stretch: most }: ProductPolicy,
  form: ProductForm,
  leftUnit: ContractKernel["leftUnit"],
  stretch: Expr,
): { readonly sums: number; readonly left: number; readonly right: number } {
  const block = form === "rows" ? few : largest;
  const buffer = (extents: readonly number[], strides: readonly Expr[], last: readonly number[]) => {
    const size = extents.reduce((sum, e, d) => sum + (e - 1) * last[d]!, 1);
    return b.buffer("f32", size, extents, strides);
  };
  const plain = (extents: readonly number[], strides: readonly number[]) =>
    buffer(extents, strides.map(count), strides);
  const rowSums = block.columns + Math.max(tile.columns, lanes);
  const sums = plain([block.rows + tile.unit.rows - 1, rowSums], [rowSums, 1]);
  if (form === "dot") return { sums, left: -1, right: -1 };
  const rows = [tile.rows + lanes, most + lanes];
  const aside = Math.ceil(tile.rows / lanes) * lanes;
  // Rows that lie 64 bytes more than a power of two apart do not share their places in a cache.
  const left = plain(rows, leftUnit === "m" ? [1, aside] : [most + 16, 1]);
  if (form === "rows") return { sums, left, right: -1 };
  const panels = Math.ceil(block.columns / tile.columns) + 1;
  const width = count(tile.columns);
  const right = buffer(
    [panels, most + lanes, tile.columns + lanes],
    [ops.mul(stretch, width), width, count(1)],
    [most * tile.columns, tile.columns, 1],
  );
  return { sums, left, right };
}

/** Bytes of scratch that a thread needs for any product. */
export function productScratch(policy: ProductPolicy): number {
  const needed = (form: ProductForm, unit: "m" | "k"): number => {
    const b = new KernelBuilder();
    productBuffers(b, policy, form, unit, count(policy.stretch));
    b.local("f32", [policy.registers.lanes, policy.registers.lanes]);
    return b.kernel("").accesses.reduce((sum, access) => sum + localBytes(access), 0);
  };
  return Math.max(needed("", "m"), needed("", "k"), needed("rows", "m"), needed("rows", "k"));
}

/** How products are cut into tasks. */
export function productTiling({ tile, largest }: ProductPolicy, form: ProductForm): ProductTiling {
  // Few rows take as long as their operands take to come from memory.
  const worthTask = form === "" ? 2 ** 22 : 2 ** 20;
  if (form === "rows")
    return { largest: few, tile: { rows: few.rows, columns: tile.columns }, worthTask, mostTasks: 8 };
  return { largest, tile, worthTask, mostTasks: 8 };
}
