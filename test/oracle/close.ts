import { expect } from "vitest";
import type { DType } from "../../src/base/dtype.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { type Fixture, valuesOf } from "./fixture.ts";

/**
 * How far values may be from PyTorch's: an amount, and a share of them. Those of f64 are what the nine digits of a
 * fixture tell; integers, bools, NaN and infinities do not differ at all.
 */
const tolerances: { readonly [D in DType]?: readonly [amount: number, share: number] } = {
  f32: [2e-6, 2e-5],
  f64: [1e-12, 4e-8],
};

/** That a tensor has the shape of a fixture and, within `times` the tolerance, its values. */
export function expectClose(actual: Tensor, expected: Fixture, what: string, times = 1): void {
  const { data, shape, dtype } = valuesOf(expected);
  expect(actual.shape, what).toEqual(shape);
  const values = actual.dataSync();
  const [amount, share] = tolerances[dtype] ?? [0, 0];
  for (let i = 0; i < data.length; i++) {
    const [a, b] = [Number(values[i]), data[i]!];
    const near = Object.is(a, b) || a === b || Math.abs(a - b) <= times * (amount + share * Math.abs(b));
    if (!near) expect.fail(`${what}: element ${i} is ${a}, PyTorch's ${b}`);
  }
}
