import { describe, expect, test } from "vitest";
import type { UnaryMath } from "../../../src/backends/wasm/math.ts";
import { erf } from "../../../src/base/erf.ts";
import type { Value } from "../../../src/plan/kernel.ts";
import { makeCall } from "../../codegen/loop-call.ts";
import { runLoop } from "./run-loop.ts";

const functions: { readonly [K in UnaryMath]: (x: number) => number } = {
  exp: Math.exp,
  log: Math.log,
  expm1: Math.expm1,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  erf,
};
const names = Object.keys(functions) as UnaryMath[];

const contiguous = (buffer: number) => ({ dtype: "f32" as const, buffer, strides: [1] });

function apply(op: UnaryMath | "pow", ...inputs: Float32Array[]): Float32Array {
  const loads = inputs.map((_, access): Value => ({ op: "load", dtype: "f32", access }));
  const body: Value[] = [...loads, { op, dtype: "f32", args: inputs.map((_, i) => i) }];
  const n = inputs[0]!.length;
  const specs = [...inputs, 0].map((_, i) => contiguous(i));
  const call = makeCall([], [n], specs, body, [{ access: inputs.length, value: inputs.length }]);
  return runLoop(call, [...inputs, new Float32Array(n)], 1 << 16).at(-1) as Float32Array;
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

function worst(got: Float32Array, exact: (i: number) => number): { error: number; at: number } {
  let [error, at] = [0, 0];
  for (let i = 0; i < got.length; i++) {
    const e = ulps(got[i]!, exact(i));
    if (e > error) [error, at] = [e, i];
  }
  return { error, at };
}

/** All magnitudes: every 6151st bit pattern, both signs. */
const patterns = new Float32Array(Uint32Array.from({ length: 698_000 }, (_, i) => i * 6151).buffer);
/** Evenly, where functions have their shape. */
const even = Float32Array.from({ length: 400_000 }, (_, i) => (i - 200_000) / 16_000);

/** The errors that src/codegen/polynomials.ts states, in units of the last place. */
const bounds: { readonly [K in UnaryMath]: number } = {
  exp: 1,
  log: 0.9,
  expm1: 1.7,
  log1p: 1.5,
  sin: 1.6,
  cos: 1.6,
  tanh: 1.4,
  sigmoid: 2.4,
  erf: 2.6,
};

describe.each(names)("%s", (name) => {
  test("is within its bound everywhere", () => {
    for (const x of [patterns, even]) {
      const { error, at } = worst(apply(name, x), (i) => functions[name](x[i]!));
      expect(error, `at ${x[at]}`).toBeLessThanOrEqual(bounds[name]);
    }
  });
  test("of zeros, infinities, NaN and the smallest numbers is exact", () => {
    const x = Float32Array.of(
      0,
      -0,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      1e-45,
      -1e-45,
    );
    const got = apply(name, x);
    for (const [i, g] of got.entries())
      expect(g, `${name}(${x[i]})`).toBe(Math.fround(functions[name](x[i]!)));
  });
  test("has the same bits alone as among others", () => {
    const x = even.filter((_, i) => i % 997 === 0);
    const all = apply(name, x);
    for (let i = 0; i < x.length; i += 37) expect(apply(name, x.slice(i, i + 1))[0]).toBe(all[i]);
  });
});

test.each(["sin", "cos"] as const)("%s of large angles, among small ones", (name) => {
  const x = Float32Array.from({ length: 4000 }, (_, i) =>
    i % 3 === 0 ? i : 1e6 + i * 1e5 * (i % 2 ? 1 : -1),
  );
  expect(worst(apply(name, x), (i) => functions[name](x[i]!)).error).toBeLessThanOrEqual(bounds[name]);
});

test("pow", () => {
  const n = 300_000;
  const x = Float32Array.from({ length: n }, (_, i) => 2 ** (((i * 0.618034) % 1) * 60 - 30));
  const y = Float32Array.from({ length: n }, (_, i) => ((i * 0.754877) % 1) * 12 - 6);
  const near = Float32Array.from({ length: n }, (_, i) => 1 + ((i * 0.618034) % 1) * 0.01 - 0.005);
  const large = Float32Array.from({ length: n }, (_, i) => ((i * 0.754877) % 1) * 30_000 - 15_000);
  for (const [a, b] of [
    [x, y],
    [near, large],
  ] as const) {
    const { error, at } = worst(apply("pow", a, b), (i) => a[i]! ** b[i]!);
    expect(error, `pow(${a[at]}, ${b[at]})`).toBeLessThanOrEqual(0.6);
  }
});
