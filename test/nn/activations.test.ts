import * as nn from "thaw/nn";
import { manualSeed, ones, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../src/base/errors.ts";

const ints = (...values: number[]) => tensor(values, { dtype: "i32" });

describe("PReLU", () => {
  test("has a slope for each channel, which dimension 1 is of", () => {
    const layer = new nn.PReLU({ numParameters: 3 });
    layer.loadStateDict({ weight: tensor([1, 10, 100]) });
    expect(layer.forward(tensor([[[-1, 2], [-1, 2], [-1, 2]]])).toArraySync()).toEqual([[[-1, 2], [-10, 2], [-100, 2]]]); // biome-ignore format: a table
    expect(new nn.PReLU().forward(tensor(-2)).itemSync()).toBe(-0.5);
    expect(zeros([0, 3]).prelu(layer.weight).shape).toEqual([0, 3]);
  });

  test("has gradients of 0 for slopes where nothing is negative, infinities too", () => {
    const weight = tensor([0.5], { requiresGrad: true });
    tensor([Number.POSITIVE_INFINITY, 3]).prelu(weight).sum().backward();
    expect(weight.grad!.toArraySync()).toEqual([0]);
  });

  test("names shapes and dtypes that do not fit", () => {
    expect(() => new nn.PReLU({ numParameters: 3 }).forward(ones([2, 4]))).toThrow(
      /\[3\].*\[2, 4\].*4 channels/,
    );
    // Without a dimension 1 there is one channel.
    expect(() => ones([2]).prelu(tensor([1, 2]))).toThrow(ShapeError);
    expect(() => ones([]).prelu(tensor([1, 2]))).toThrow(ShapeError);
    expect(() => ones([2, 1]).prelu(tensor([[1]]))).toThrow(ShapeError);
    expect(() => ones([2]).prelu(tensor([1], { dtype: "f64" }))).toThrow(DTypeError);
    expect(() => ints(1).prelu(ints(1))).toThrow(DTypeError);
    expect(() => new nn.PReLU({ numParameters: 1.5 })).toThrow(ArgumentError);
  });

  test("starts from 0.25, or from what is asked, and goes back to it", () => {
    const layer = new nn.PReLU({ numParameters: 2, init: 0.5 });
    layer.loadStateDict({ weight: tensor([3, 4]) });
    layer.resetParameters();
    expect(layer.weight.toArraySync()).toEqual([0.5, 0.5]);
    expect(new nn.PReLU().weight.toArraySync()).toEqual([0.25]);
  });
});

describe("RReLU", () => {
  const x = tensor([-1, -1, -1, -1, 2, Number.NaN]);
  test("draws a slope for each element in training, and its gradient goes through it", () => {
    manualSeed(4);
    const input = tensor([-1, -2, -4, 3], { requiresGrad: true });
    const y = new nn.RReLU({ lower: 0.25, upper: 0.5 }).forward(input);
    y.sum().backward();
    const [slopes, g] = [y.div(input).dataSync(), input.grad!.dataSync()];
    expect(g).toEqual(slopes);
    expect(slopes[3]).toBe(1);
    for (const slope of slopes.slice(0, 3)) expect(slope >= 0.25 && slope < 0.5).toBe(true);
    expect(new Set(slopes).size).toBe(4);
  });
  test("has the mean of both slopes otherwise", () => {
    const y = new nn.RReLU({ lower: 0.25, upper: 0.5 }).eval().forward(x);
    expect(Array.from(y.dataSync())).toEqual([-0.375, -0.375, -0.375, -0.375, 2, Number.NaN]);
    expect(nn.rrelu(tensor([-1])).itemSync()).toBeCloseTo((1 / 8 + 1 / 3) / -2, 6);
  });
  test("refuses slopes the wrong way round, and integers", () => {
    expect(() => nn.rrelu(x, { lower: 0.5, upper: 0.2 })).toThrow(ArgumentError);
    expect(() => nn.rrelu(ints(1))).toThrow(DTypeError);
  });
});

test("GLU halves a dimension of even size", () => {
  expect(nn.glu(tensor([[1, 2, 0, 0]])).toArraySync()).toEqual([[0.5, 1]]);
  expect(nn.glu(zeros([4, 3]), { dim: 0 }).shape).toEqual([2, 3]);
  expect(() => nn.glu(zeros([3, 5]))).toThrow(/\[3, 5\].*odd size 5/);
  expect(() => nn.glu(zeros([]))).toThrow(ShapeError);
  expect(() => nn.glu(zeros([2]), { dim: 1 })).toThrow(ShapeError);
  expect(() => nn.glu(ints(1, 2))).toThrow(DTypeError);
});

test("the dimension of softmax that is not named is the first of 0, 1 or 3, else the second", () => {
  const sums = (shape: number[]): number[] =>
    shape.map(
      (_, dim) => new nn.Softmax().forward(zeros(shape)).sum(dim).flatten().at(0).itemSync() as number,
    );
  expect(sums([4])).toEqual([1]);
  expect(sums([4, 2])[1]).toBe(1);
  expect(sums([4, 2, 3])[0]).toBe(1);
  expect(sums([4, 2, 3, 5])[1]).toBeCloseTo(1, 6);
  expect(new nn.LogSoftmax().forward(tensor(3)).itemSync()).toBe(0);
  expect(() => new nn.Softmin({ dim: 2 }).forward(zeros([2, 2]))).toThrow(IndexError);
});

test("Softmax2d takes images and nothing else", () => {
  expect(
    new nn.Softmax2d()
      .forward(zeros([2, 4, 3, 3]))
      .at(0, 0, 0, 0)
      .itemSync(),
  ).toBe(0.25);
  expect(
    new nn.Softmax2d()
      .forward(zeros([4, 3, 3]))
      .at(0, 0, 0)
      .itemSync(),
  ).toBe(0.25);
  for (const shape of [[], [2], [2, 3], [1, 1, 1, 1, 1]])
    expect(() => new nn.Softmax2d().forward(zeros(shape))).toThrow(ShapeError);
});

test("bounds that cannot be are refused", () => {
  expect(() => new nn.Hardtanh({ minVal: 1, maxVal: -1 })).toThrow(ArgumentError);
  expect(() => new nn.Hardtanh({ minVal: 1, maxVal: 1 })).toThrow(/minVal is 1 and maxVal 1/);
  expect(new nn.Hardshrink({ lambda: -1 }).forward(tensor([-0.5, 0.5])).toArraySync()).toEqual([-0.5, 0.5]);
});

test("layers print as PyTorch's", () => {
  const prints: [nn.Module, string][] = [
    [new nn.PReLU({ numParameters: 3 }), "PReLU(num_parameters=3)"],
    [new nn.RReLU(), "RReLU(lower=0.125, upper=0.3333333333333333)"],
    [new nn.GLU(), "GLU(dim=-1)"],
    [new nn.Softmin({ dim: 1 }), "Softmin(dim=1)"],
    [new nn.Softmax(), "Softmax(dim=None)"],
    [new nn.Softmax2d(), "Softmax2d()"],
    [new nn.Hardshrink(), "Hardshrink(0.5)"],
    [new nn.Softshrink({ lambda: 0.25 }), "Softshrink(0.25)"],
    [new nn.Threshold(0.1, 20), "Threshold(threshold=0.1, value=20)"],
    [new nn.Tanhshrink(), "Tanhshrink()"],
    [new nn.Bilinear(2, 3, 4), "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)"],
    [new nn.CosineSimilarity(), "CosineSimilarity()"],
    [new nn.PairwiseDistance(), "PairwiseDistance()"],
    [new nn.Unflatten(1, [2, 3]), "Unflatten(dim=1, unflattened_size=(2, 3))"],
    [new nn.ChannelShuffle(2), "ChannelShuffle(groups=2)"],
    [new nn.Dropout2d(0.2), "Dropout2d(p=0.2, inplace=False)"],
    [new nn.AlphaDropout(), "AlphaDropout(p=0.5, inplace=False)"],
    [new nn.LocalResponseNorm(2), "LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)"],
    [
      new nn.Embedding(3, 4, { paddingIdx: 1, maxNorm: 1, normType: 3, scaleGradByFreq: true }),
      "Embedding(3, 4, padding_idx=1, max_norm=1.0, norm_type=3.0, scale_grad_by_freq=True)",
    ],
    [new nn.GaussianNLLLoss(), "GaussianNLLLoss()"],
    [
      new nn.TripletMarginWithDistanceLoss(),
      "TripletMarginWithDistanceLoss(\n  (distanceFunction): PairwiseDistance()\n)",
    ],
    [
      new nn.ParameterList([zeros([2, 3]), zeros([])]),
      "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2x3]\n    (1): Parameter containing: [torch.float32 of size ]\n)",
    ],
    [
      new nn.ParameterDict({ a: zeros([2, 3]), b: zeros([], { dtype: "f64" }) }),
      "ParameterDict(\n    (a): Parameter containing: [torch.FloatTensor of size 2x3]\n    (b): Parameter containing: [torch.DoubleTensor of size ]\n)",
    ],
    [
      new nn.LinearCrossEntropyLoss(3, 4),
      "LinearCrossEntropyLoss(\n  in_features=3, num_classes=4, out_features=(), bias=False, reduction=mean, ignore_index=None, label_smoothing=0.0, options=None\n  (linear): Linear(in_features=3, out_features=4, bias=False)\n)",
    ],
  ];
  for (const [module, text] of prints) expect(String(module)).toBe(text);
});

test("softmin casts what it is of to the dtype that is asked for", () => {
  const y = tensor([1, 2], { dtype: "i32" }).softmin(0, { dtype: "f64" });
  expect(y.dtype).toBe("f64");
  expect(Array.from(y.dataSync())).toEqual(
    [1 / (1 + Math.exp(-1)), 1 / (1 + Math.E)].map((v) => expect.closeTo(v, 14)),
  );
});
