import { erf, erfc } from "../../src/base/erf.ts";
import type { Value } from "../../src/plan/kernel.ts";
import { type Call, makeCall } from "./loop-call.ts";

/** Functions that targets write as polynomials, by f64. */
export const functions = {
  exp: Math.exp,
  log: Math.log,
  expm1: Math.expm1,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  erf,
  erfc,
};
export type FunctionName = keyof typeof functions;
export const functionNames = Object.keys(functions) as FunctionName[];

/** The errors that src/codegen/polynomials.ts states, in units of the last place. */
export const bounds: { readonly [K in FunctionName | "pow"]: number } = {
  exp: 1,
  log: 0.9,
  expm1: 1.7,
  log1p: 1.5,
  sin: 1.6,
  cos: 1.6,
  tanh: 1.4,
  sigmoid: 2.4,
  erf: 2.6,
  erfc: 4.3,
  pow: 0.6,
};

/** A call of a function on f32: buffers are its operands and its result, which may be f64. */
export function callOf(op: FunctionName | "pow", n: number, result: "f32" | "f64" = "f32"): Call {
  const inputs = op === "pow" ? [0, 1] : [0];
  const access = (buffer: number, dtype: "f32" | "f64") => ({ dtype, buffer, strides: [1] });
  const body: Value[] = [
    ...inputs.map((i): Value => ({ op: "load", dtype: "f32", access: i })),
    { op, dtype: "f32", args: inputs },
  ];
  if (result === "f64") body.push({ op: "cast", dtype: "f64", args: [inputs.length] });
  return makeCall([], [n], [...inputs.map((i) => access(i, "f32")), access(inputs.length, result)], body, [
    { access: inputs.length, value: body.length - 1 },
  ]);
}

/** Distance from the true value in units of the last place of an f32 there. */
function ulps(got: number, exact: number): number {
  const rounded = Math.fround(exact);
  if (Object.is(got, rounded)) return 0;
  if (Number.isNaN(got) || Number.isNaN(rounded) || !Number.isFinite(rounded))
    return Number.POSITIVE_INFINITY;
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(exact))));
  return Math.abs(got - exact) / 2 ** (exponent - 23);
}

/** The largest error of results, and its place. */
export function worst(got: ArrayLike<number>, exact: (i: number) => number): { error: number; at: number } {
  let [error, at] = [0, 0];
  for (let i = 0; i < got.length; i++) {
    const e = ulps(got[i]!, exact(i));
    if (e > error) [error, at] = [e, i];
  }
  return { error, at };
}

/** All magnitudes: every 6151st bit pattern, both signs. */
export const patterns = new Float32Array(Uint32Array.from({ length: 698_000 }, (_, i) => i * 6151).buffer);
/** Evenly, where functions have their shape. */
export const even = Float32Array.from({ length: 400_000 }, (_, i) => (i - 200_000) / 16_000);
/** Where functions are exact. */
export const special = Float32Array.of(
  0,
  -0,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
  1e-45,
  -1e-45,
);
/** Angles beyond what polynomials are for, among others. */
export const largeAngles = Float32Array.from({ length: 4000 }, (_, i) =>
  i % 3 === 0 ? i : 1e6 + i * 1e5 * (i % 2 ? 1 : -1),
);

const spread = (n: number, step: number, of: (x: number) => number) =>
  Float32Array.from({ length: n }, (_, i) => of((i * step) % 1));

/** Bases and exponents: of all magnitudes, and near 1 with large ones. */
export const powers: readonly (readonly [Float32Array, Float32Array])[] = [
  [spread(300_000, 0.618034, (x) => 2 ** (x * 60 - 30)), spread(300_000, 0.754877, (x) => x * 12 - 6)],
  [spread(300_000, 0.618034, (x) => 1 + x * 0.01 - 0.005), spread(300_000, 0.754877, (x) => x * 3e4 - 1.5e4)],
];
