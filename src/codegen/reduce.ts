import { type DType, isFloat } from "../base/dtype.ts";
import type { ReduceKind } from "../plan/kernel.ts";

/** What a reduction starts from. For sums of floats 0 is what they are without elements; -0 changes no other sum. */
export function startOf(kind: ReduceKind, dtype: DType): number {
  if (kind === "sum") return 0;
  if (kind === "prod") return 1;
  const low = kind === "max";
  if (isFloat(dtype)) return low ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (dtype === "i32") return low ? -2147483648 : 2147483647;
  return low ? 0 : 255;
}
