import * as nn from "thaw/nn";
import { SGD } from "thaw/optim";
import { manualSeed, ones, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, ShapeError } from "../../src/base/errors.ts";
import { planCounts } from "../../src/engine/realize.ts";

/** How many different values each channel has, and which are in all of them. */
function channels(y: Tensor, leading: number): { alike: boolean; values: Set<number> } {
  const rows = y
    .reshape([y.shape.slice(0, leading).reduce((a, b) => a * b, 1), -1])
    .toArraySync() as number[][];
  return { alike: rows.every((row) => new Set(row).size === 1), values: new Set(rows.flat()) };
}

describe("dropout of channels", () => {
  test.each([
    ["Dropout1d of [N, C, L]", new nn.Dropout1d(0.5), [8, 8, 3], 2],
    ["Dropout1d of [C, L]", new nn.Dropout1d(0.5), [64, 3], 1],
    ["Dropout2d of [N, C, H, W]", new nn.Dropout2d(0.5), [8, 8, 2, 2], 2],
    ["Dropout2d of [N, C, L], as in PyTorch", new nn.Dropout2d(0.5), [8, 8, 4], 2],
    ["Dropout3d of [N, C, D, H, W]", new nn.Dropout3d(0.5), [8, 8, 2, 1, 2], 2],
    ["Dropout3d of [C, D, H, W]", new nn.Dropout3d(0.5), [64, 2, 1, 2], 1],
    ["FeatureAlphaDropout", new nn.FeatureAlphaDropout(0.5), [8, 8, 3], 2],
  ] as const)("%s leaves each whole or drops it", (_, layer, shape, leading) => {
    manualSeed(5);
    const { alike, values } = channels(layer.forward(ones(shape)), leading);
    expect(alike).toBe(true);
    expect(values.size).toBe(2);
    const x = ones(shape);
    expect(layer.eval().forward(x)).toBe(x);
    layer.train();
  });

  test("names inputs that have none", () => {
    expect(() => new nn.Dropout1d().forward(ones([4]))).toThrow(/\[4\]/);
    expect(() => new nn.Dropout1d().eval().forward(ones([1, 2, 3, 4]))).toThrow(ShapeError);
    expect(() => new nn.Dropout2d().forward(ones([4]))).toThrow(ShapeError);
    expect(() => new nn.Dropout3d().forward(ones([]))).toThrow(ShapeError);
    expect(() => new nn.FeatureAlphaDropout().forward(ones([4]))).toThrow(ShapeError);
  });
});

test("AlphaDropout keeps the mean and variance of what has 0 and 1, and drops to SELU's limit", () => {
  manualSeed(6);
  const x = tensor(Array.from({ length: 20000 }, (_, i) => (i % 2 === 0 ? 1 : -1)));
  const y = new nn.AlphaDropout(0.3).forward(x);
  expect(y.mean().itemSync()).toBeCloseTo(0, 1);
  expect(y.var().itemSync()).toBeCloseTo(1, 1);
  const a = 1 / Math.sqrt((1.7580993408473766 ** 2 * 0.3 + 1) * 0.7);
  const dropped = -1.7580993408473766 * a * 0.7;
  const share = Array.from(y.dataSync()).filter((v) => Math.abs(v - dropped) < 1e-5).length / 20000;
  expect(share).toBeCloseTo(0.3, 1);
  expect(nn.alphaDropout(x, { p: 1, training: true }).abs().sum().itemSync()).toBe(0);
  expect(nn.alphaDropout(x)).toBe(x);
});

test("all kinds refuse what is no probability, in eval too, and integers in training", () => {
  for (const Kind of [
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
  ])
    for (const p of [-0.1, Number.NaN, "0.5" as never, null as never]) {
      expect(() => new Kind(p)).toThrow(`${Kind.name}: p is ${p}`);
      const layer = new Kind(0.25);
      expect(() => {
        layer.p = p;
      }).toThrow(ArgumentError);
      expect(layer.p).toBe(0.25);
    }
  expect(() => nn.dropout(ones([2]), { p: 2, training: false })).toThrow(ArgumentError);
  const integers = tensor([1, 2], { dtype: "i32" });
  expect(() => new nn.Dropout().forward(integers)).toThrow(DTypeError);
  expect(new nn.Dropout(0).forward(integers)).toBe(integers);
  expect(new nn.Dropout().eval().forward(integers)).toBe(integers);
  expect(Array.from(new nn.Dropout(1).forward(tensor([1, 2])).dataSync())).toEqual([0, 0]);
});

test("a probability that a schedule sets at each step makes no plan a step", async () => {
  const net = new nn.Sequential(new nn.Linear(2, 2), new nn.Dropout(0.1));
  const step = trainStep(new SGD(net, { lr: 0.1 }), {
    loss: (x: Tensor) => net.forward(x).mean(),
    trains: "0.weight",
  });
  const bias = net.getSubmodule("0").bias!.dataSync();
  const dropout = net.getSubmodule("1");
  const plans: number[] = [];
  for (let i = 0; i < 12; i++) {
    dropout.p = 0.1 + i / 20;
    await step(ones([3, 2]));
    plans.push(planCounts().made);
  }
  // Numbers that happen to be equal, as at 0.5, are one in the graph: that is another plan, once.
  expect(plans[11]! - plans[3]!).toBeLessThan(2);
  expect(net.getSubmodule("0").bias!.dataSync()).toEqual(bias);
});
