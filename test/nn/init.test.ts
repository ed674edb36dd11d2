import { init } from "thaw/nn";
import { manualSeed, Parameter, type Tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { erf } from "../../src/base/erf.ts";
import { ArgumentError, ShapeError } from "../../src/base/errors.ts";

test("constants", () => {
  expect(init.constant_(zeros([2]), 3).toArraySync()).toEqual([3, 3]);
  expect(init.zeros_(init.ones_(zeros([2]))).toArraySync()).toEqual([0, 0]);
  expect(init.eye_(zeros([2, 3])).toArraySync()).toEqual([
    [1, 0, 0],
    [0, 1, 0],
  ]);
  expect(() => init.eye_(zeros([2]))).toThrow(ShapeError);
});

test("initialisers work on parameters, outside autograd, and give them back", () => {
  const parameter = new Parameter(zeros([3]));
  expect(init.uniform_(parameter, { a: 2, b: 3 })).toBe(parameter);
  for (const v of parameter.dataSync()) expect(v >= 2 && v < 3).toBe(true);
});

describe("truncNormal_", () => {
  /** The largest distance of what was drawn from the distribution it should follow (Kolmogorov and Smirnov). */
  function distance(values: number[], mean: number, std: number, a: number, b: number): number {
    const normal = (x: number): number => (1 + erf((x - mean) / std / Math.SQRT2)) / 2;
    const cdf = (x: number): number => (normal(x) - normal(a)) / (normal(b) - normal(a));
    const sorted = [...values].sort((x, y) => x - y);
    return Math.max(...sorted.map((x, i) => Math.abs(cdf(x) - (i + 0.5) / sorted.length)));
  }

  test.each([
    [0, 1, -2, 2],
    [0, 0.02, -2, 2],
    [1, 2, 0, 1.5],
    [0, 1, 1, 6],
  ])("mean %d std %d from %d to %d follows its distribution", (mean, std, a, b) => {
    manualSeed(11);
    const values = Array.from(init.truncNormal_(zeros([4000]), { mean, std, a, b }).dataSync());
    expect(Math.min(...values)).toBeGreaterThanOrEqual(a);
    expect(Math.max(...values)).toBeLessThanOrEqual(b);
    // 1.95 / √4000 is passed by chance once in a thousand.
    expect(distance(values, mean, std, a, b)).toBeLessThan(0.031);
  });

  test("refuses what cannot be", () => {
    expect(() => init.truncNormal_(zeros([1]), { std: 0 })).toThrow(ArgumentError);
    expect(() => init.truncNormal_(zeros([1]), { a: 2, b: 1 })).toThrow(ArgumentError);
    expect(() => init.truncNormal_(zeros([1]), { a: 50, b: 60 })).toThrow(/hardly any number/);
  });
});

describe("orthogonal_", () => {
  const check = (x: Tensor, gain: number): void => {
    const matrix = x.flatten(1);
    const [rows, columns] = matrix.shape as [number, number];
    const product = rows <= columns ? matrix.matmul(matrix.t()) : matrix.t().matmul(matrix);
    const size = Math.min(rows, columns);
    for (const [i, v] of product.dataSync().entries())
      expect(v).toBeCloseTo(Math.floor(i / size) === i % size ? gain * gain : 0, 5);
  };
  test.each([[[3, 5]], [[5, 3]], [[4, 4]], [[3, 2, 4]]])("of %j has orthonormal rows or columns", (shape) => {
    check(init.orthogonal_(zeros(shape)), 1);
    check(init.orthogonal_(zeros(shape), { gain: 2 }), 2);
  });
  test("refuses vectors", () => expect(() => init.orthogonal_(zeros([3]))).toThrow(ShapeError));
});

test("initialisers with fans refuse vectors", () => {
  expect(() => init.xavierUniform_(zeros([3]))).toThrow(/shape \[3\] has no fan-in/);
  expect(() => init.kaimingNormal_(zeros([2, 2]), { mode: "fan" as "fanIn" })).toThrow(/mode "fan"/);
  expect(() => init.calculateGain("swish" as "relu")).toThrow(/"swish"/);
});
