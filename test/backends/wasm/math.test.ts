import { describe, expect, test } from "vitest";
import {
  bounds,
  callOf,
  even,
  type FunctionName,
  functionNames,
  functions,
  largeAngles,
  patterns,
  powers,
  special,
  worst,
} from "../../codegen/functions.ts";
import { runCall } from "./run-call.ts";

function apply(op: FunctionName | "pow", ...inputs: Float32Array[]): Float32Array {
  const n = inputs[0]!.length;
  return runCall(callOf(op, n), [...inputs, new Float32Array(n)], 1 << 16).at(-1) as Float32Array;
}

describe.each(functionNames)("%s", (name) => {
  test("is within its bound everywhere", () => {
    for (const x of [patterns, even]) {
      const { error, at } = worst(apply(name, x), (i) => functions[name](x[i]!));
      expect(error, `at ${x[at]}`).toBeLessThanOrEqual(bounds[name]);
    }
  });
  test("of zeros, infinities, NaN and the smallest numbers is exact", () => {
    for (const [i, g] of apply(name, special).entries())
      expect(g, `${name}(${special[i]})`).toBe(Math.fround(functions[name](special[i]!)));
  });
  test("has the same bits alone as among others", () => {
    const x = even.filter((_, i) => i % 997 === 0);
    const all = apply(name, x);
    for (let i = 0; i < x.length; i += 37) expect(apply(name, x.slice(i, i + 1))[0]).toBe(all[i]);
  });
});

test.each(["sin", "cos"] as const)("%s of large angles, among small ones", (name) => {
  const { error } = worst(apply(name, largeAngles), (i) => functions[name](largeAngles[i]!));
  expect(error).toBeLessThanOrEqual(bounds[name]);
});

test("pow", () => {
  for (const [a, b] of powers) {
    const { error, at } = worst(apply("pow", a, b), (i) => a[i]! ** b[i]!);
    expect(error, `pow(${a[at]}, ${b[at]})`).toBeLessThanOrEqual(bounds.pow);
  }
});
