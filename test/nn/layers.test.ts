import * as nn from "thaw/nn";
import { manualSeed, ones, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, IndexError, ShapeError } from "../../src/base/errors.ts";

describe("Dropout", () => {
  test("in training zeroes a share p and scales the rest; else it changes nothing", () => {
    manualSeed(1);
    const dropout = new nn.Dropout(0.25);
    const values = Array.from(dropout.forward(ones([4000])).dataSync());
    expect(new Set(values.map((v) => v.toFixed(5)))).toEqual(new Set(["0.00000", "1.33333"]));
    expect(values.filter((v) => v === 0).length / 4000).toBeCloseTo(0.25, 1);
    const x = ones([3]);
    expect(dropout.eval().forward(x)).toBe(x);
  });

  test("draws anew each time, and the same again from one seed", () => {
    const dropout = new nn.Dropout();
    const draw = (): number[] => Array.from(dropout.forward(ones([64])).dataSync());
    manualSeed(2);
    const [a, b] = [draw(), draw()];
    manualSeed(2);
    expect(draw()).toEqual(a);
    expect(a).not.toEqual(b);
  });

  test("its gradient is its mask", () => {
    const x = ones([32], { requiresGrad: true });
    const y = new nn.Dropout(0.5).forward(x);
    y.sum().backward();
    expect(x.grad!.dataSync()).toEqual(y.dataSync());
  });

  test("refuses what is no probability", () => expect(() => new nn.Dropout(1.5)).toThrow(ArgumentError));
});

test("Embedding refuses indices out of range, and leaves the padding row without a gradient", () => {
  const embedding = new nn.Embedding(3, 2, { paddingIdx: 0 });
  expect(() => embedding.forward(tensor([0, 3], { dtype: "i32" })).dataSync()).toThrow(IndexError);
  embedding
    .forward(tensor([0, 1, 1, 0], { dtype: "i32" }))
    .sum()
    .backward();
  expect(embedding.weight.grad!.toArraySync()).toEqual([
    [0, 0],
    [2, 2],
    [0, 0],
  ]);
  expect(() => new nn.Embedding(3, 2, { paddingIdx: 3 })).toThrow(ArgumentError);
});

test("Linear and LayerNorm name the shapes that do not fit", () => {
  expect(() => new nn.Linear(3, 2).forward(zeros([4, 5]))).toThrow(ShapeError);
  expect(() => new nn.Linear(3, 2).forward(zeros([4, 5]))).toThrow(/\[4, 5\].*\[2, 3\]/);
  expect(() => new nn.LayerNorm(3).forward(zeros([4, 5]))).toThrow(/\[4, 5\].*\[3\]/);
  expect(() => new nn.LayerNorm([])).toThrow(ArgumentError);
  expect(() => new nn.Linear(2.5, 1)).toThrow(ArgumentError);
});

test("layers draw anew with resetParameters", () => {
  const linear = new nn.Linear(4, 4);
  const before = linear.stateDict().get("weight")!.dataSync();
  linear.resetParameters();
  expect(linear.weight.dataSync()).not.toEqual(before);
  const norm = new nn.LayerNorm(2);
  norm.loadStateDict({ weight: tensor([3, 4]), bias: tensor([5, 6]) });
  norm.resetParameters();
  expect([norm.weight!.toArraySync(), norm.bias!.toArraySync()]).toEqual([
    [1, 1],
    [0, 0],
  ]);
});
