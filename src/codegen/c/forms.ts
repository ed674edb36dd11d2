import type { ContractKernel, KernelCall, LoopKernel } from "../../plan/kernel.ts";
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
 * The form of a loop: "one" for rows that fit in a vector, which is all that is written then and compiles in half the time;
 * "one16" if they fit in one of 16 bytes, since vectors that are mostly empty cost as much as full ones and folding their
 * lanes takes more steps; "16" for longer rows, still short, whose elements lie apart: those are loaded one by one into
 * the shortest vectors. "" for all others.
 */
function loopForm(extents: readonly number[], kernel: LoopKernel, { vectorBytes }: CTarget): string {
  const length = extents[kernel.vector === "inner" ? kernel.outer + kernel.inner - 1 : kernel.outer - 1]!;
  const bytes = length * ([...kernel.accesses, ...kernel.body].some(({ dtype }) => dtype === "f64") ? 8 : 4);
  if (bytes > vectorBytes) return "";
  if (bytes > 16 && kernel.accesses.some(({ vector }) => vector === "strided")) return "16";
  return bytes <= 16 ? "one16" : "one";
}

/** Which code a call needs, where one structure has several by its extents: a product's form or a loop's; else "". */
export function formOf({ kernel, extents }: Pick<KernelCall, "kernel" | "extents">, target: CTarget): string {
  if (kernel.kind === "contract")
    return productForm(kernel, extents[kernel.batch]!, extents[kernel.batch + 1]!);
  return kernel.kind === "loop" ? loopForm(extents, kernel, target) : "";
}

/** What a loop's form is written for: the vectors, and whether a row is one of them at most. */
export const shapeOf = (form: string, target: CTarget): { target: CTarget; oneVector: boolean } => ({
  target: form.endsWith("16") ? { ...target, vectorBytes: 16 } : target,
  oneVector: form.startsWith("one"),
});
