import { hasDoubles } from "../../codegen/body.ts";
import { productForm } from "../../codegen/product-policy.ts";
import type { KernelCall, LoopKernel } from "../../plan/kernel.ts";
import type { CTarget } from "./target.ts";

/**
 * The form of a loop: "one" for rows that fit in a vector, which is all that is written then and compiles in half the time;
 * "one16" if they fit in one of 16 bytes, since vectors that are mostly empty cost as much as full ones and folding their
 * lanes takes more steps; "16" for longer rows, still short, whose elements lie apart: those are loaded one by one into
 * the shortest vectors. "" for all others.
 */
function loopForm(extents: readonly number[], kernel: LoopKernel, { vectorBytes }: CTarget): string {
  const length = extents[kernel.vector === "inner" ? kernel.outer + kernel.inner - 1 : kernel.outer - 1]!;
  const bytes = length * (hasDoubles(kernel) ? 8 : 4);
  if (bytes > vectorBytes) return "";
  if (bytes > 16 && kernel.accesses.some(({ vector }) => vector === "strided")) return "16";
  return bytes <= 16 ? "one16" : "one";
}

/** Which code a call needs, where one structure has several by its extents: a product's form or a loop's; else "". */
export function formOf({ kernel, extents }: Pick<KernelCall, "kernel" | "extents">, target: CTarget): string {
  return kernel.kind === "loop" ? loopForm(extents, kernel, target) : productForm({ kernel, extents });
}

/** What a loop's form is written for: the vectors, and whether a row is one of them at most. */
export const shapeOf = (form: string, target: CTarget): { target: CTarget; oneVector: boolean } => ({
  target: form.endsWith("16") ? { ...target, vectorBytes: 16 } : target,
  oneVector: form.startsWith("one"),
});
