import * as nn from "thaw/nn";
import { SGD } from "thaw/optim";
import { capture, manualSeed, noGrad, ones, randn, type Tensor, tensor, zeros } from "thaw/tensor";
import { gradcheck } from "thaw/testing";
import { trainStep } from "thaw/train";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../src/base/errors.ts";

let layer: nn.BatchNorm1d;
beforeEach(() => {
  manualSeed(2);
  layer = new nn.BatchNorm1d(3);
});
const count = (l: nn.BatchNorm): number => Number(l.numBatchesTracked!.itemSync());

describe("input", () => {
  test.each<[string, nn.BatchNorm, number[], string]>([
    [
      "1d of an image",
      new nn.BatchNorm1d(3),
      [2, 3, 4, 4],
      "takes an input of 2 or 3 dimensions, this one is [2, 3, 4, 4]",
    ],
    ["2d of rows", new nn.BatchNorm2d(3), [2, 3], "takes an input of 4 dimensions, this one is [2, 3]"],
    ["3d of an image", new nn.BatchNorm3d(3), [2, 3, 4, 4], "takes an input of 5 dimensions"],
    ["another number of channels", new nn.BatchNorm1d(3), [2, 4], "has 4 channels, this layer 3"],
    ["one value a channel", new nn.BatchNorm1d(3), [1, 3], "a channel needs more than one value"],
    [
      "one value a channel, of an image",
      new nn.BatchNorm2d(3),
      [1, 3, 1, 1],
      "a channel needs more than one value",
    ],
  ])("%s errs, and nothing is counted", (_, l, shape, message) => {
    expect(() => l.forward(zeros(shape))).toThrow(ShapeError);
    expect(() => l.forward(zeros(shape))).toThrow(message);
    expect(count(l)).toBe(0);
  });

  test("one value a channel does in eval mode", () =>
    expect(layer.eval().forward(ones([1, 3])).shape).toEqual([1, 3]));

  test("integers err", () =>
    expect(() => layer.forward(zeros([4, 3], { dtype: "i32" }))).toThrow(DTypeError));

  test("an empty batch is counted, and leaves the statistics", () => {
    expect(layer.forward(zeros([0, 3])).shape).toEqual([0, 3]);
    expect(count(layer)).toBe(1);
    expect([...layer.runningMean!.dataSync(), ...layer.runningVar!.dataSync()]).toEqual([0, 0, 0, 1, 1, 1]);
  });

  test("options that cannot be err", () => {
    expect(() => new nn.BatchNorm1d(0)).toThrow(ArgumentError);
    expect(() => new nn.BatchNorm2d(2.5)).toThrow("BatchNorm2d: numFeatures is 2.5");
    expect(() => new nn.BatchNorm1d(3, { momentum: Number.NaN })).toThrow("BatchNorm1d: momentum is NaN");
  });
});

describe("statistics", () => {
  test("move where the output is not read, once", () => {
    const x = randn([5, 3]);
    layer.forward(x);
    const output = layer.forward(x);
    expect(count(layer)).toBe(2);
    output.dataSync();
    output.square().dataSync();
    expect(count(layer)).toBe(2);
  });

  test("move in noGrad too", () => {
    noGrad(() => layer.forward(randn([5, 3])));
    expect(count(layer)).toBe(1);
  });

  test("move once a call in trainStep, whose update needs them no less", async () => {
    const step = trainStep(new SGD(layer, { lr: 0.1 }), {
      loss: (x: Tensor) => layer.forward(x).square().mean(),
      trains: "weight",
    });
    const means: number[] = [];
    for (let i = 0; i < 3; i++) {
      await step(randn([5, 3]).add(10));
      means.push(Number(layer.runningMean!.mean().itemSync()));
    }
    expect(count(layer)).toBe(3);
    expect(means[1]).toBeGreaterThan(means[0]!);
    expect(means[2]).toBeGreaterThan(means[1]!);
  });

  test("stay as they are when a step fails", async () => {
    const step = trainStep(new SGD(layer, { lr: 0.1 }), {
      loss: (x: Tensor, index: Tensor) => nn.crossEntropy(layer.forward(x), index),
      trains: "**",
    });
    const good = tensor([0, 1], { dtype: "i32" });
    await step(randn([2, 3]), good);
    const before = [...layer.runningMean!.dataSync()];
    await expect(step(randn([2, 3]), tensor([0, 7], { dtype: "i32" }))).rejects.toThrow(IndexError);
    expect([...layer.runningMean!.dataSync()]).toEqual(before);
    expect(count(layer)).toBe(1);
  });

  test("follow a momentum that is set, without another recording", () => {
    const forward = capture((x: Tensor) => layer.forward(x));
    const x = tensor([
      [2, 2, 2],
      [4, 4, 4],
    ]);
    forward(x);
    expect(layer.runningMean!.dataSync()[0]).toBeCloseTo(0.3, 6);
    layer.momentum = 1;
    forward(x);
    expect([...layer.runningMean!.dataSync()]).toEqual([3, 3, 3]);
    expect([...layer.runningVar!.dataSync()]).toEqual([2, 2, 2]);
    expect(forward.variants).toBe(1);
    layer.momentum = null;
    forward(x.mul(2));
    expect(layer.runningMean!.dataSync()[0]).toBeCloseTo(4, 6);
    expect(forward.variants).toBe(2);
  });

  test("start over", () => {
    layer.forward(randn([5, 3]));
    nn.init.zeros_(layer.weight!);
    layer.resetParameters();
    expect(count(layer)).toBe(0);
    expect([...layer.runningMean!.dataSync(), ...layer.runningVar!.dataSync()]).toEqual([0, 0, 0, 1, 1, 1]);
    expect([...layer.weight!.dataSync(), ...layer.bias!.dataSync()]).toEqual([1, 1, 1, 0, 0, 0]);
  });

  test("are in the state dict, and there is none without tracking", () => {
    expect([...layer.stateDict().keys()]).toEqual([
      "weight",
      "bias",
      "runningMean",
      "runningVar",
      "numBatchesTracked",
    ]);
    const untracked = new nn.BatchNorm2d(3, { trackRunningStats: false, affine: false });
    expect(untracked.stateDict().size).toBe(0);
    untracked.resetParameters();
    const x = randn([2, 3, 2, 2]);
    expect(untracked.eval().forward(x).mean().itemSync()).toBeCloseTo(0, 5);
  });
});

describe("gradients", () => {
  test.each([true, false])("of the composition, training: %s", async (training) => {
    layer.train(training);
    await gradcheck((x) => layer.forward(x).square(), [randn([4, 3], { dtype: "f64", requiresGrad: true })]);
  });
});

test("eps must be above 0 where a batch is normalized by itself, and not negative ever", () => {
  const x = tensor([[1, 2], [3, 5]]); // biome-ignore format: a table
  for (const eps of [0, -1, Number.NaN])
    expect(() => new nn.BatchNorm1d(2, { eps }).forward(x)).toThrow(`BatchNorm1d: eps is ${eps}`);
  expect(new nn.BatchNorm1d(2, { eps: 0 }).eval().forward(x).toArraySync()).toEqual(x.toArraySync());
  expect(() => new nn.BatchNorm1d(2, { eps: -1 }).eval().forward(x)).toThrow(ArgumentError);
  expect(() => new nn.BatchNorm1d(2, { eps: 0, trackRunningStats: false }).eval().forward(x)).toThrow(
    ArgumentError,
  );
});

test("without running statistics one value a channel is too few in evaluation too", () => {
  const layer = new nn.BatchNorm1d(2, { trackRunningStats: false }).eval();
  expect(() => layer.forward(tensor([[1, 2]]))).toThrow(/more than one value/);
  expect(new nn.BatchNorm1d(2).eval().forward(tensor([[1, 2]])).shape).toEqual([1, 2]);
});
