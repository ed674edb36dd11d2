import type { DType } from "../../base/dtype.ts";
import { polynomials } from "../polynomials.ts";
import { largestAngle, power, sine } from "../polynomials-wide.ts";
import { type CContext, vectorType } from "./access.ts";
import { CLanes } from "./lanes.ts";

/** Functions that take more than an instruction: polynomials of f32 (not the last four), lane by lane of all else. */
export type CFunction =
  | "exp"
  | "log"
  | "expm1"
  | "log1p"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "erfc"
  | "pow"
  | "remainder"
  | "quotient"
  | "integerRemainder"
  | "integerPower";

/** What is done with one lane: `a` and `b` are C expressions, `to` is where the result goes. */
type Lane = (to: string, a: string, b: string) => string;

/** Of C's own library, in f64. */
const library =
  (name: string): Lane =>
  (to, a, b) =>
    `${to} = __builtin_${name}(${["pow", "fmod"].includes(name) ? `${a}, ${b}` : a});`;

/** i32 quotients: truncated, 0 by zero; the one that overflows wraps. */
const quotient: Lane = (to, a, b) =>
  `${to} = ${b} == 0 ? 0 : ${b} == -1 ? (int)(0u - (unsigned)${a}) : ${a} / ${b};`;

const lanewise: { readonly [K in CFunction]?: Lane } = {
  exp: library("exp"),
  log: library("log"),
  expm1: library("expm1"),
  log1p: library("log1p"),
  sin: library("sin"),
  cos: library("cos"),
  tanh: library("tanh"),
  erf: library("erf"),
  erfc: library("erfc"),
  pow: library("pow"),
  sigmoid: (to, a) => `${to} = 1 / (1 + __builtin_exp(-${a}));`,
  // Python's: the sign of the divisor.
  remainder: (to, a, b) =>
    `{ double r = __builtin_fmod(${a}, ${b}); ${to} = r != 0 && (r < 0) != (${b} < 0) ? r + ${b} : r; }`,
  quotient,
  integerRemainder: (to, a, b) =>
    `{ int r = ${b} == 0 || ${b} == -1 ? 0 : ${a} % ${b}; ${to} = r != 0 && (r < 0) != (${b} < 0) ? r + ${b} : r; }`,
  // A negative exponent gives the truncated reciprocal.
  integerPower: (to, a, b) =>
    `{ unsigned base = ${a}, r = 1; int e = ${b}; if (e < 0) r = base == 1 ? 1 : base == -1u ? (e % 2 ? -1u : 1) : 0; ` +
    `for (; e > 0; e /= 2, base *= base) if (e % 2) r *= base; ${to} = (int)r; }`,
};

/** Lane by lane. */
function emitLanewise(ctx: CContext, name: CFunction, dtype: DType, args: readonly string[]): string {
  const { w, lanes, live } = ctx;
  const result = w.name("t");
  w.line(`${vectorType(dtype)} ${result} = {0};`);
  const [a, b = a] = args as [string, string?];
  w.line(
    `for (int l = 0; l < ${live ?? lanes}; l++) ${lanewise[name]!(`${result}[l]`, `${a}[l]`, `${b}[l]`)}`,
  );
  return result;
}

/** The polynomial; lanes beyond its domain (no others, as neighbours must not change a result) are the library's. */
function emitAngle(ctx: CContext, v: CLanes, name: "sin" | "cos", a: string): string {
  const { w, lanes, live } = ctx;
  const inside = w.define("vi", `${v.abs(a)} <= ${v.k(largestAngle)}`);
  const result = w.name("t");
  w.line(`vf ${result} = ${sine(v, name, a)};`);
  w.block(`if (any_vi(~${inside}))`, () => {
    const all = w.name("t");
    // Of a variable that is indexed compilers make memory.
    w.line(`vf ${all} = ${result};`);
    w.line(
      `for (int l = 0; l < ${live ?? lanes}; l++) if (!${inside}[l]) ${lanewise[name]!(`${all}[l]`, `${a}[l]`, "")}`,
    );
    w.line(`${result} = ${all};`);
  });
  return result;
}

/** Defines a function of values, and gives its name. */
export function emitFunction(ctx: CContext, name: CFunction, dtype: DType, args: readonly string[]): string {
  const [a, b] = args as [string, string?];
  if (dtype === "f32") {
    const v = new CLanes(ctx.w, ctx.target, ctx.lanes);
    if (name === "sin" || name === "cos") return emitAngle(ctx, v, name, a);
    if (name === "pow") return power(v, a, b!);
    if (name in polynomials) return polynomials[name as keyof typeof polynomials](v, a);
  }
  return emitLanewise(ctx, name, dtype, args);
}
