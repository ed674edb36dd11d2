import { unpadSequence } from "thaw/data";
import { freeze, module, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { SGD } from "thaw/optim";
import * as thaw from "thaw/tensor";
import { type Tensor, tensor } from "thaw/tensor";
import { gradcheck } from "thaw/testing";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../src/base/errors.ts";

const values = (x: Tensor): number[] => [...x.dataSync()];
const near = (x: Tensor, want: readonly number[]): void => {
  const got = values(x);
  expect(got.length).toBe(want.length);
  for (const [i, v] of got.entries()) expect(v).toBeCloseTo(want[i]!, 5);
};

describe("padding layers", () => {
  test("print and pad as PyTorch's", () => {
    expect(String(new nn.ConstantPad2d(1, 0.5))).toBe("ConstantPad2d(padding=(1, 1, 1, 1), value=0.5)");
    expect(String(new nn.ZeroPad2d([1, 2, 3, 4]))).toBe("ZeroPad2d((1, 2, 3, 4))");
    expect(String(new nn.ReflectionPad1d(2))).toBe("ReflectionPad1d((2, 2))");
    expect(values(new nn.ConstantPad1d([1, 0], 7).forward(tensor([[1, 2]])))).toEqual([7, 1, 2]);
    expect(values(new nn.CircularPad1d(1).clone().forward(tensor([[1, 2, 3]])))).toEqual([3, 1, 2, 3, 1]);
  });
  test("what is no padding, and another number of dimensions, are refused", () => {
    expect(() => new nn.ZeroPad2d([1, 2])).toThrow(
      new ArgumentError("ZeroPad2d: a padding of [1, 2]; give a whole number, or 4 of them"),
    );
    expect(() => new nn.ReflectionPad1d(0.5)).toThrow(ArgumentError);
    expect(() => new nn.ZeroPad1d({} as number)).toThrow(ArgumentError);
    expect(() => new nn.ZeroPad1d(1).forward(tensor([1, 2]))).toThrow(ShapeError);
    expect(() => new nn.ReflectionPad2d(3).forward(thaw.zeros([1, 3, 3]))).toThrow(/at most 2 at a side/);
  });
});

test("pixels become channels and back", () => {
  const x = thaw.arange(32).reshape([1, 8, 2, 2]);
  const shuffled = nn.pixelShuffle(x, 2);
  expect(shuffled.shape).toEqual([1, 2, 4, 4]);
  expect(values(shuffled.at(0, 0, 0))).toEqual([0, 4, 1, 5]);
  expect(values(nn.pixelUnshuffle(shuffled, 2))).toEqual(values(x));
  expect(() => nn.pixelShuffle(x, 3)).toThrow(ShapeError);
  expect(() => nn.pixelUnshuffle(x, 3)).toThrow(ShapeError);
  expect(() => nn.pixelShuffle(x, 1.5)).toThrow(ArgumentError);
  expect(() => nn.pixelShuffle(tensor([1]), 1)).toThrow(ShapeError);
});

describe("gumbelSoftmax", () => {
  const logits = tensor(
    [
      [2, 0, -1],
      [0, 0, 0],
    ],
    { requiresGrad: true },
  );
  test("sums to 1, or is one-hot with the gradient of what is not", () => {
    thaw.manualSeed(3);
    near(nn.gumbelSoftmax(logits).sum(1), [1, 1]);
    thaw.manualSeed(5);
    const hard = nn.gumbelSoftmax(logits, { tau: 0.7, hard: true });
    expect(values(hard.round())).toEqual(values(hard.detach().gt(0.5).float()));
    hard
      .mul(tensor([1, 2, 3]))
      .sum()
      .backward();
    const ofHard = values(logits.grad!);
    logits.grad = null;
    thaw.manualSeed(5);
    nn.gumbelSoftmax(logits, { tau: 0.7 })
      .mul(tensor([1, 2, 3]))
      .sum()
      .backward();
    expect(ofHard).toEqual(values(logits.grad!));
    expect(ofHard.some((g) => g !== 0)).toBe(true);
  });
  test("chooses each as often as softmax says", () => {
    thaw.manualSeed(9);
    const chosen = nn.gumbelSoftmax(tensor([2, 0, -1]).expand([4000, 3]), { hard: true }).mean(0);
    for (const [i, p] of values(tensor([2, 0, -1]).softmax(0)).entries())
      expect(Math.abs(values(chosen)[i]! - p)).toBeLessThan(0.03);
  });
  test("refuses a temperature that is none, and integers", () => {
    expect(() => nn.gumbelSoftmax(logits, { tau: 0 })).toThrow(ArgumentError);
    expect(() => nn.gumbelSoftmax(tensor([1], { dtype: "i32" }))).toThrow(DTypeError);
    expect(values(nn.gumbelSoftmax(tensor(3), { hard: true }))).toEqual([1]);
  });
});

test("AdaptiveLogSoftmaxWithLoss is PyTorch's, also its gradient and state dict", () => {
  const layer = new nn.AdaptiveLogSoftmaxWithLoss(4, 6, [2, 4], { divValue: 2, headBias: true });
  expect([...layer.stateDict().keys()]).toEqual([
    "head.weight",
    "head.bias",
    "tail.0.0.weight",
    "tail.0.1.weight",
    "tail.1.0.weight",
    "tail.1.1.weight",
  ]);
  thaw.noGrad(() => {
    for (const [i, p] of layer.parameters().entries())
      p.copy_(thaw.arange(p.numel).mul(0.37).add(i).sin().reshape(p.shape));
  });
  const x = thaw.arange(12).mul(0.71).cos().reshape([3, 4]);
  const target = tensor([0, 5, 2], { dtype: "i32" });
  const { output, loss } = layer.forward(x, target);
  near(output, [-2.2194414, -0.780321, -3.5785413]);
  expect(loss.itemSync()).toBeCloseTo(2.1927679, 5);
  near(layer.logProb(x).select(0, 0), [-2.2194414, -0.4148281, -1.967615, -2.7525463, -4.20292, -4.3925266]);
  expect(values(layer.predict(x))).toEqual([1, 5, 1]);
  loss.backward();
  near(layer.parameters()[4]!.grad!, [0.0226885, 0.0218067, 0.0103863, -0.0060536]);
  const one = layer.forward(x.select(0, 1), tensor(5, { dtype: "i32" }));
  expect([one.output.shape, one.output.itemSync()]).toEqual([[], expect.closeTo(-0.780321, 5)]);
  expect(() => layer.forward(x, tensor([0, 6, 1], { dtype: "i32" }))).toThrow(IndexError);
  expect(() => layer.forward(x, tensor([0], { dtype: "i32" }))).toThrow(ShapeError);
  for (const cutoffs of [[], [4, 2], [0], [6], [2.5]])
    expect(() => new nn.AdaptiveLogSoftmaxWithLoss(4, 6, cutoffs)).toThrow(ArgumentError);
});

describe("instance norm", () => {
  const x = thaw.arange(12).pow(1.5).reshape([2, 2, 3]);
  test("normalizes each sample's channels, and keeps statistics where it is asked to", () => {
    const norm = new nn.InstanceNorm1d(2, { affine: true, trackRunningStats: true });
    near(
      norm.forward(x).select(0, 0),
      [-1.0896972, -0.2357978, 1.3254951, -1.1982691, -0.0513358, 1.2496043],
    );
    near(norm.runningMean!, [0.9945508, 1.9913691]);
    near(norm.runningVar!, [1.7893512, 2.4725173]);
    norm.eval();
    near(norm.forward(x).select(0, 0), [-0.7434949, 0.0040737, 1.3709482, 2.0381122, 3.8212459, 5.8438134]);
    expect(String(new nn.InstanceNorm2d(3))).toBe(
      "InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)",
    );
  });
  test("of a module that is frozen nothing moves by a bit, statistics either", async () => {
    class Net extends nn.Module {
      norm = new nn.InstanceNorm1d(2, { affine: true, trackRunningStats: true });
      head = new nn.Linear(3, 1);
      forward(input: Tensor): Tensor {
        return this.head.forward(this.norm.forward(input)).square().sum();
      }
    }
    const net = new Net();
    const step = trainStep(new SGD(net, { lr: 0.1, weightDecay: 0.1 }), {
      loss: () => net.forward(x),
      trains: ["head.**"],
    });
    const state = () => [...net.norm.stateDict()].map(([, t]) => values(t));
    const start = state();
    freeze(net, module("norm"));
    await step();
    expect(state()).toEqual(start);
    unfreeze(net, module("norm"));
    await step();
    expect(state().map((now, i) => String(now) === String(start[i]))).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
  });
  test("one value a channel, other channels and integers are refused", () => {
    const norm = new nn.InstanceNorm1d(2);
    expect(() => norm.forward(thaw.zeros([1, 2, 1]))).toThrow(/more than one value/);
    expect(() => norm.forward(thaw.zeros([1, 3, 4]))).toThrow(ShapeError);
    expect(() => norm.forward(thaw.zeros([2, 3], { dtype: "i32" }))).toThrow(DTypeError);
    expect(() => new nn.InstanceNorm1d(0)).toThrow(ArgumentError);
  });
});

describe("groupedMm", () => {
  const ends = (...values: number[]): Tensor => tensor(values, { dtype: "i32" });
  test("multiplies each group of rows by its matrix, an empty one too", async () => {
    const rows = thaw.randn([3, 2], { dtype: "f64", requiresGrad: true });
    const matrices = thaw.randn([3, 2, 1], { dtype: "f64", requiresGrad: true });
    const got = nn.groupedMm(rows, matrices, { offs: ends(1, 1, 3) });
    const want = thaw.cat([
      rows.narrow(0, 0, 1).mm(matrices.select(0, 0)),
      rows.narrow(0, 1, 2).mm(matrices.select(0, 2)),
    ]);
    expect(values(got)).toEqual(values(want));
    await gradcheck((a, b) => nn.groupedMm(a, b, { offs: ends(1, 1, 3) }), [rows, matrices]);
    expect(nn.groupedMm(thaw.ones([2, 3, 4]), thaw.ones([2, 4, 5])).shape).toEqual([2, 3, 5]);
  });
  test("refuses ends that fall or lie beyond the rows", () => {
    const [rows, matrices] = [thaw.ones([3, 2]), thaw.ones([2, 2, 4])];
    for (const offs of [ends(2, 1), ends(1, 4), ends(3)])
      expect(() => nn.groupedMm(rows, matrices, { offs })).toThrow(ShapeError);
    expect(() => nn.groupedMm(rows, matrices)).toThrow(/offs has the end/);
    expect(() => nn.groupedMm(rows, matrices, { offs: tensor([1, 3]) })).toThrow(DTypeError);
  });
});

test("unpadSequence takes away what padSequence puts there", () => {
  const batch = tensor([
    [1, 4],
    [2, 0],
    [3, 0],
  ]);
  expect(unpadSequence(batch, [3, 1]).map(values)).toEqual([[1, 2, 3], [4]]);
  expect(
    unpadSequence(batch.mT, tensor([3, 0], { dtype: "i32" }), { batchFirst: true }).map((t) => t.shape),
  ).toEqual([[3], [0]]);
  expect(() => unpadSequence(batch, [3])).toThrow(ShapeError);
  expect(() => unpadSequence(batch, [4, 1])).toThrow(ShapeError);
});

test("calculateFanInAndFanOut counts what lies behind the first two dimensions to both", () => {
  expect(nn.init.calculateFanInAndFanOut(thaw.zeros([4, 3, 2, 2]))).toEqual({ fanIn: 12, fanOut: 16 });
  expect(() => nn.init.calculateFanInAndFanOut(thaw.zeros([4]))).toThrow(ShapeError);
});
