import { type DType, isFloat, roundTo } from "../../base/dtype.ts";
import { numberText } from "../../base/exact-text.ts";

/** A number of a dtype as C has it. */
export function literal(dtype: DType, number: number): string {
  const value = roundTo(dtype, number);
  if (dtype === "bool") return value === 0 ? "0" : "-1";
  if (!isFloat(dtype)) return value === -2147483648 ? "(-2147483647 - 1)" : `${value}`;
  const suffix = dtype === "f64" ? "" : "f";
  if (Number.isNaN(value)) return `__builtin_nan${suffix}("")`;
  if (!Number.isFinite(value)) return `${value < 0 ? "-" : ""}__builtin_inf${suffix}()`;
  const text = numberText(value);
  return `${/[.e]/.test(text) ? text : `${text}.0`}${suffix}`;
}
