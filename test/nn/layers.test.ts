import * as nn from "thaw/nn";
import { manualSeed, ones, Region, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../src/base/errors.ts";

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

describe("Embedding", () => {
  const rows = (...values: number[]) => tensor(values, { dtype: "i32" });
  const table = tensor([
    [3, 4],
    [0, 1],
    [6, 8],
  ]);

  test("shortens the rows that are looked up to maxNorm, in the table, and no others", () => {
    const layer = nn.Embedding.fromPretrained(table, { maxNorm: 1, freeze: false });
    const found = layer.forward(rows(0, 0, 1)).toArraySync() as number[][];
    expect(found.flat()).toEqual([0.6, 0.8, 0.6, 0.8, 0, 1].map((v) => expect.closeTo(v, 5)));
    expect(layer.weight.dataSync().slice(4)).toEqual(Float32Array.of(6, 8));
    expect(Array.from(layer.weight.dataSync().slice(0, 2))).toEqual([
      expect.closeTo(0.6, 5),
      expect.closeTo(0.8, 5),
    ]);
  });

  test("leaves rows as they are where the table, or those rows, are frozen", () => {
    const layer = nn.Embedding.fromPretrained(table, { maxNorm: 1, freeze: false });
    layer.weight.frozen = true;
    layer.forward(rows(0, 1, 2)).dataSync();
    expect(layer.weight.toArraySync()).toEqual(table.toArraySync());
    layer.weight.frozen = false;
    layer.weight.frozenRegion = Region.along([3, 2], 0, [0]);
    layer.forward(rows(0, 1, 2)).dataSync();
    expect(layer.weight.dataSync().slice(0, 2)).toEqual(Float32Array.of(3, 4));
    expect(Math.hypot(...layer.weight.dataSync().slice(4))).toBeCloseTo(1, 5);
  });

  test("divides a row's gradient by how often it is looked up", () => {
    const layer = new nn.Embedding(3, 2, { scaleGradByFreq: true });
    layer
      .forward(rows(0, 1, 1, 1))
      .sum()
      .backward();
    expect(layer.weight.grad!.toArraySync()).toEqual([
      [1, 1],
      [expect.closeTo(1, 6), expect.closeTo(1, 6)],
      [0, 0],
    ]);
  });

  test("refuses sizes that cannot be and indices that are no integers", () => {
    expect(() => new nn.Embedding(-1, 3)).toThrow(ArgumentError);
    expect(() => new nn.Embedding(2, 1.5)).toThrow(ArgumentError);
    expect(() => new nn.Embedding(3, 2).forward(tensor([1.5]))).toThrow(DTypeError);
    expect(() => new nn.Embedding(3, 2).forward(tensor([true]))).toThrow(DTypeError);
    expect(() => nn.Embedding.fromPretrained(tensor([1]))).toThrow(ShapeError);
    expect(new nn.Embedding(0, 2).forward(zeros([0], { dtype: "i32" })).shape).toEqual([0, 2]);
    expect(nn.Embedding.fromPretrained(table).weight.requiresGrad).toBe(false);
  });
});

test("Bilinear names the shapes and dtypes that do not fit", () => {
  const layer = new nn.Bilinear(2, 3, 4);
  expect(layer.forward(zeros([5, 2]), zeros([5, 3])).shape).toEqual([5, 4]);
  expect(layer.forward(zeros([0, 2]), zeros([0, 3])).shape).toEqual([0, 4]);
  for (const [a, b] of [
    [
      [5, 2],
      [4, 3],
    ],
    [
      [5, 2],
      [1, 3],
    ],
    [[5, 2], [3]],
    [
      [5, 3],
      [5, 2],
    ],
    [[], []],
  ] as const)
    expect(() => layer.forward(zeros(a), zeros(b))).toThrow(ShapeError);
  expect(() => layer.forward(zeros([5, 2]), zeros([5, 3], { dtype: "f64" }))).toThrow(DTypeError);
  expect(() => nn.bilinear(zeros([1, 2]), zeros([1, 3]), layer.weight, zeros([3]))).toThrow(/bias.*\[3\]/);
  expect(() => new nn.Bilinear(0, 2, 3)).toThrow(/in1Features is 0/);
});

test("cosines and distances take what broadcasts, and integers where they can", () => {
  const ints = tensor([1, 2], { dtype: "i32" });
  expect(() => nn.cosineSimilarity(ints, ints, { dim: 0 })).toThrow(DTypeError);
  expect(nn.cosineSimilarity(ints, tensor([2, 4]), { dim: 0 }).itemSync()).toBeCloseTo(1, 6);
  // Squares of such numbers are beyond f32.
  const huge = tensor([[3e30, 4e30]]);
  expect(nn.cosineSimilarity(huge.div(1e20), huge.div(1e20)).itemSync()).toBeCloseTo(1, 6);
  expect(nn.cosineSimilarity(zeros([1, 2]), ones([1, 2])).itemSync()).toBe(0);
  expect(() => nn.cosineSimilarity(ones([3, 4]), ones([3]))).toThrow(ShapeError);
  expect(nn.pairwiseDistance(ints, tensor([4, 6], { dtype: "i32" })).itemSync()).toBeCloseTo(5, 4);
  expect(nn.pairwiseDistance(tensor(2), tensor(5)).itemSync()).toBeCloseTo(3, 4);
  expect(nn.pairwiseDistance(zeros([3, 0]), zeros([3, 0])).toArraySync()).toEqual([0, 0, 0]);
});

test("Flatten and Unflatten name dimensions and sizes that do not fit", () => {
  expect(() => new nn.Flatten().forward(tensor(1))).toThrow(IndexError);
  expect(() => new nn.Flatten({ startDim: 2, endDim: 1 }).forward(zeros([1, 2, 3]))).toThrow(ArgumentError);
  expect(() => new nn.Unflatten(1, [3, 3]).forward(zeros([2, 4]))).toThrow(/\[3, 3\]/);
  expect(() => new nn.Unflatten(5, [2, 2]).forward(zeros([2, 4]))).toThrow(IndexError);
  expect(() => new nn.Unflatten(1, [-1, -1]).forward(zeros([2, 4]))).toThrow(ShapeError);
  expect(() => new nn.Unflatten(1, [])).toThrow(ArgumentError);
  expect(() => new nn.Unflatten(1, 4 as unknown as number[])).toThrow(/is 4; it is a list/);
});

test("LocalResponseNorm and ChannelShuffle name inputs that have no channels", () => {
  expect(() => new nn.LocalResponseNorm(2).forward(zeros([3, 4]))).toThrow(ShapeError);
  expect(() => new nn.LocalResponseNorm(0).forward(zeros([1, 3, 4]))).toThrow(ArgumentError);
  expect(new nn.LocalResponseNorm(2).forward(zeros([0, 3, 4])).shape).toEqual([0, 3, 4]);
  expect(() => new nn.ChannelShuffle(2).forward(zeros([1, 3, 4]))).toThrow(ShapeError);
  expect(() => new nn.ChannelShuffle(0).forward(zeros([1, 2, 4]))).toThrow(ArgumentError);
});
