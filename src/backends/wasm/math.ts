import { pow } from "../../base/arithmetic.ts";
import { errorFunction } from "../../base/erf.ts";
import type { LibraryFunction } from "../../lowered/ir.ts";

/**
 * The functions that kernels may import, on f64. Workers get them as source text: each must need nothing but
 * the language's own globals.
 */
export const mathImports = {
  exp: Math.exp,
  log: Math.log,
  expm1: Math.expm1,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  errorFunction,
  pow,
  fmod: (a: number, b: number) => a % b,
} satisfies {
  [F in Exclude<LibraryFunction, "erf" | "erfc"> | "errorFunction"]: (...args: number[]) => number;
};
