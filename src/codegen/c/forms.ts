import type { ContractKernel, KernelCall } from "../../plan/kernel.ts";
import type { CTarget } from "./target.ts";
import { fewRows } from "./tiling.ts";

/** Rows up to which, and columns, a product of operands along k packs neither. */
const mostDot = { rows: 16, columns: 4 };

/** Whether an operand is an array of f32 as it is, along k. */
function isPlainAlongK(kernel: ContractKernel, side: "left" | "right"): boolean {
  const value = kernel.prologue[kernel[side]]!;
  if (value.op !== "load" || kernel[`${side}Unit`] !== "k") return false;
  const { dtype, vector } = kernel.accesses[value.access]!;
  return dtype === "f32" && vector === "unit";
}

/**
 * The form of a product: "dot" for few rows or columns of operands that both lie along k, "rows" for few rows whose right
 * operand does not, "" where both operands are packed.
 */
function productForm(kernel: ContractKernel, m: number, n: number): string {
  const few = m <= mostDot.rows || n <= mostDot.columns;
  if (few && isPlainAlongK(kernel, "left") && isPlainAlongK(kernel, "right")) return "dot";
  return m <= fewRows && kernel.rightUnit === "n" ? "rows" : "";
}

/**
 * Bytes of vectors for rows as short as those of a loop: vectors that are mostly empty cost as much as full ones, and
 * folding their lanes takes more steps. Elements that lie apart are loaded one by one into the shortest.
 */
function shortVectors({ kernel, extents }: KernelCall, { vectorBytes }: CTarget): number {
  if (kernel.kind !== "loop") return vectorBytes;
  const length = extents[kernel.vector === "inner" ? kernel.outer + kernel.inner - 1 : kernel.outer - 1]!;
  const bytes = [...kernel.accesses, ...kernel.body].some(({ dtype }) => dtype === "f64") ? 8 : 4;
  if (length * bytes >= vectorBytes) return vectorBytes;
  if (kernel.accesses.some(({ vector }) => vector === "strided")) return 16;
  return length * bytes <= 16 ? 16 : Math.min(32, vectorBytes);
}

/**
 * Which code a call needs, where one structure has several by its extents: a product's form; for loops over short rows
 * the bytes of their vectors; else "".
 */
export function formOf(call: KernelCall, target: CTarget): string {
  const { kernel, extents } = call;
  if (kernel.kind === "contract")
    return productForm(kernel, extents[kernel.batch]!, extents[kernel.batch + 1]!);
  const bytes = shortVectors(call, target);
  return bytes === target.vectorBytes ? "" : `${bytes}`;
}

/** The target that a form is written for. */
export const targetOf = (form: string, target: CTarget): CTarget =>
  form === "16" || form === "32" ? { ...target, vectorBytes: form === "16" ? 16 : 32 } : target;
