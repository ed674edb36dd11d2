import type { ContractKernel, KernelCall } from "../../plan/kernel.ts";
import type { CTarget } from "./target.ts";

/** Rows up to which a product reads its right operand where it is. */
const fewRows = 16;

/** Whether an operand is an array of f32 as it is, along k. */
export const isPlainAlongK = (kernel: ContractKernel, side: "left" | "right"): boolean =>
  (side === "left" ? kernel.leftUnit : kernel.rightUnit) === "k" && isPlain(kernel, side);

/** Whether an operand is an array of f32 as it is, along the dimension that its accesses run along. */
export function isPlain(kernel: ContractKernel, side: "left" | "right"): boolean {
  const value = kernel.prologue[kernel[side]]!;
  if (value.op !== "load") return false;
  const { dtype, vector } = kernel.accesses[value.access]!;
  return dtype === "f32" && vector === "unit";
}

/**
 * Which code a call needs, where one structure has several by its extents: "dot" for products of few rows whose operands
 * both lie along k, else "".
 */
export function formOf({ kernel, extents }: KernelCall, _target: CTarget): string {
  if (kernel.kind !== "contract") return "";
  const m = extents[kernel.batch]!;
  return m <= fewRows && isPlainAlongK(kernel, "left") && isPlainAlongK(kernel, "right") ? "dot" : "";
}
