import { dtypes } from "../../../src/base/dtype.ts";
import { Tensor } from "../../../src/tensor/index.ts";
import { dtypeOf } from "../fixture.ts";
import { valuesOf, type Written } from "./decode.ts";

/** PyTorch's own tolerances by dtype: relative, absolute. What is not named must be equal. */
const tolerances: { readonly [torch: string]: readonly [number, number] } = {
  float32: [1.3e-6, 1e-5],
  float64: [1e-7, 1e-7],
  float16: [1e-3, 1e-5],
  bfloat16: [1.6e-2, 1e-5],
};

/**
 * What PyTorch itself has exactly to this relative error is asked for to it, however small: an absolute tolerance of 1e-5
 * would let a function be wrong wherever its values are small. Below the smallest normal number there are fewer digits.
 */
const strictly: { readonly [torch: string]: readonly [number, number] } = {
  float32: [2e-5, 2e-43],
  float64: [1e-7, 1e-300],
};

/** How many elements that differ are told. */
const most = 6;

/** How close a sample asks for: all of PyTorch's tolerance and more where its float32 is off its float64, or less. */
export interface Closeness {
  loose?: number;
  strict?: 1;
}

/** What is wrong with a tensor where PyTorch has another, or null. */
export function difference(
  actual: unknown,
  expected: Written,
  { loose = 1, strict }: Closeness,
  times = 1,
): string | null {
  if (!(actual instanceof Tensor)) return `${show(actual)} where a tensor is expected`;
  const dtype = dtypeOf(expected.t);
  const { compute, float } = dtypes[dtype];
  // What is only stored in 16 or 8 bits computes in f32 or i32, and may stay there.
  const allowed: string[] = compute ? [dtype] : [dtype, float ? "f32" : "i32"];
  if (!allowed.includes(actual.dtype)) return `dtype ${actual.dtype}, PyTorch's ${expected.t}`;
  if (actual.shape.join() !== expected.s.join()) return `shape [${actual.shape}], PyTorch's [${expected.s}]`;
  const values = valuesOf(expected);
  const got = actual.dataSync();
  const [rtol, atol] = tolerances[expected.t] ?? [0, 0];
  const [narrow, floor] = (strict && strictly[expected.t]) || [0, Number.POSITIVE_INFINITY];
  const wrong: string[] = [];
  for (let i = 0; i < values.length && wrong.length < most; i++) {
    const [a, b] = [got[i]!, values[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const off = Math.abs(a - b);
    const near = off <= times * loose * (atol + rtol * Math.abs(b));
    const nearer = off <= times * (floor + narrow * Math.abs(b));
    if (!near || !nearer) wrong.push(`[${i}] is ${a}, PyTorch's ${b}`);
  }
  return wrong.length === 0 ? null : wrong.join("; ");
}

/** A value in a message. */
export const show = (value: unknown): string =>
  value instanceof Tensor ? `a tensor [${value.shape}]` : (JSON.stringify(value) ?? String(value));
