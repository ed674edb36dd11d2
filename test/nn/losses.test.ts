import * as nn from "thaw/nn";
import { capture, gradient, Parameter, type Tensor, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../src/base/errors.ts";
import { commit } from "../../src/engine/realize.ts";

const classes = (...values: number[]) => tensor(values, { dtype: "i32" });

describe("class targets", () => {
  test("out of range are an error that names the target and the classes", () => {
    expect(() => nn.crossEntropy(zeros([2, 3]), classes(0, 3))).toThrow(IndexError);
    expect(() => nn.crossEntropy(zeros([2, 3]), classes(0, 3))).toThrow(
      "crossEntropy: target 3 at position 1 is no class; there are 3 classes, 0 to 2, and ignoreIndex is -100",
    );
    expect(() => nn.nllLoss(zeros([1, 3]), classes(-1))).toThrow(/nllLoss: target -1 at position 0/);
    expect(nn.crossEntropy(zeros([2, 3]), classes(1, -1), { ignoreIndex: -1 }).itemSync()).toBeCloseTo(
      Math.log(3),
      6,
    );
  });

  test("that are computed are checked before anything is written, and the rest goes on", () => {
    const parameter = new Parameter(tensor([1, 2, 3]));
    commit();
    const loss = nn.crossEntropy(parameter.unsqueeze(0), classes(2).add(1));
    parameter.assign(tensor([7, 8, 9]));
    expect(() => commit()).toThrow(IndexError);
    expect(parameter.toArraySync()).toEqual([1, 2, 3]);
    expect(() => loss.itemSync()).toThrow(IndexError);
    expect(nn.crossEntropy(parameter.unsqueeze(0), classes(2)).itemSync()).toBeCloseTo(0.407606, 5);
  });

  test("are checked at each replay of a captured function", () => {
    const loss = capture((t: Tensor) => nn.crossEntropy(zeros([1, 3]), t));
    expect(loss(classes(2)).itemSync()).toBeCloseTo(Math.log(3), 6);
    expect(() => loss(classes(3)).itemSync()).toThrow(
      /crossEntropy: a target is no class; there are 3 classes/,
    );
    expect(loss(classes(0)).itemSync()).toBeCloseTo(Math.log(3), 6);
  });

  test("are of the right shape and dtype", () => {
    expect(() => nn.crossEntropy(zeros([2, 3]), classes(0))).toThrow(
      /takes class targets of shape \[2\], not \[1\]/,
    );
    expect(() => nn.crossEntropy(zeros([2, 3]), tensor([true, false]))).toThrow(DTypeError);
    expect(() => nn.crossEntropy(zeros([2, 3]), zeros([2]))).toThrow(/read as probabilities/);
    expect(() => nn.crossEntropy(zeros([2, 3], { dtype: "i32" }), classes(0, 1))).toThrow(DTypeError);
    expect(() => nn.crossEntropy(zeros([2, 3]), classes(0, 1), { weight: zeros([2]) })).toThrow(
      /each of 3 classes/,
    );
    expect(() => nn.crossEntropy(zeros([]), classes(0))).toThrow(ShapeError);
  });

  test("of u8 work too", () => {
    const target = tensor([2], { dtype: "u8" });
    expect(nn.crossEntropy(tensor([[1, 2, 3]]), target).itemSync()).toBeCloseTo(0.407606, 5);
  });
});

describe("an empty batch", () => {
  const empty = zeros([0, 3]);
  const all: [string, (options: { reduction?: nn.Reduction }) => Tensor][] = [
    ["crossEntropy", (o) => nn.crossEntropy(empty, classes(), o)],
    ["smoothed crossEntropy", (o) => nn.crossEntropy(empty, classes(), { ...o, labelSmoothing: 0.1 })],
    ["weighted crossEntropy", (o) => nn.crossEntropy(empty, classes(), { ...o, weight: tensor([1, 2, 3]) })],
    ["soft crossEntropy", (o) => nn.crossEntropy(empty, empty, o)],
    ["nllLoss", (o) => nn.nllLoss(empty, classes(), o)],
    ["mseLoss", (o) => nn.mseLoss(empty, empty, o)],
    ["l1Loss", (o) => nn.l1Loss(empty, empty, o)],
    ["huberLoss", (o) => nn.huberLoss(empty, empty, o)],
    ["smoothL1Loss", (o) => nn.smoothL1Loss(empty, empty, o)],
    ["binaryCrossEntropy", (o) => nn.binaryCrossEntropy(empty, empty, o)],
    ["binaryCrossEntropyWithLogits", (o) => nn.binaryCrossEntropyWithLogits(empty, empty, o)],
    ["klDiv", (o) => nn.klDiv(empty, empty, o)],
    ["multiMarginLoss", (o) => nn.multiMarginLoss(empty, classes(), o)],
    ["multilabelSoftMarginLoss", (o) => nn.multilabelSoftMarginLoss(empty, empty, o)],
    ["softMarginLoss", (o) => nn.softMarginLoss(empty, empty, o)],
    ["hingeEmbeddingLoss", (o) => nn.hingeEmbeddingLoss(empty, empty, o)],
    ["cosineEmbeddingLoss", (o) => nn.cosineEmbeddingLoss(empty, empty, zeros([0]), o)],
    ["tripletMarginLoss", (o) => nn.tripletMarginLoss(empty, empty, empty, o)],
    ["poissonNllLoss", (o) => nn.poissonNllLoss(empty, empty, o)],
    ["gaussianNllLoss", (o) => nn.gaussianNllLoss(empty, empty, empty, o)],
  ];
  test.each(all)("has the mean NaN and the sum 0: %s", (_, loss) => {
    expect(loss({}).itemSync()).toBeNaN();
    expect(loss({ reduction: "sum" }).itemSync()).toBe(0);
    expect(loss({ reduction: "none" }).numel).toBe(0);
  });
  test("has the mean NaN over a first dimension of 0", () =>
    expect(nn.klDiv(empty, empty, { reduction: "batchmean" }).itemSync()).toBeNaN());
});

test("losses do not broadcast", () => {
  expect(() => nn.mseLoss(zeros([4]), zeros([4, 1]))).toThrow(ShapeError);
  expect(() => nn.binaryCrossEntropyWithLogits(zeros([4]), zeros([4, 1]))).toThrow(/\[4\].*\[4, 1\]/);
});

test("options that cannot be are refused", () => {
  const x = zeros([2]);
  expect(() => nn.mseLoss(x, x, { reduction: "avg" as "mean" })).toThrow(
    /mseLoss: the option reduction is "avg"; it must be one of/,
  );
  expect(() => nn.huberLoss(x, x, { delta: 0 })).toThrow(ArgumentError);
  expect(() => nn.smoothL1Loss(x, x, { beta: -1 })).toThrow(ArgumentError);
  expect(() => nn.crossEntropy(zeros([1, 2]), classes(0), { labelSmoothing: 2 })).toThrow(ArgumentError);
});

describe("binaryCrossEntropy", () => {
  test("has a gradient where an answer is as wrong as can be, and logarithms of at least -100", () => {
    const p = tensor([0, 1, 0, 1, 1e-14, 1e-40], { requiresGrad: true });
    const t = tensor([1, 0, 0, 1, 0.5, 1]);
    const each = nn.binaryCrossEntropy(p, t, { reduction: "none" });
    expect(Array.from(each.dataSync(), (v) => Math.abs(v))).toEqual(
      [100, 100, 0, 0, 16.118095, 92.103404].map((v) => expect.closeTo(v, 4)),
    );
    const [g] = gradient(each, [p], { gradient: each.detach().mul(0).add(1) });
    expect(Array.from(g!.dataSync(), (v) => v / 1e12 + 0)).toEqual(
      [-1, 1, 0, 0, -0.5, -1].map((v) => expect.closeTo(v, 6)),
    );
  });

  test("refuses what is no probability, known or computed", () => {
    const x = tensor([0.5, 1.5]);
    expect(() => nn.binaryCrossEntropy(x, tensor([1, 1]))).toThrow(
      /1\.5, element 1 of the input, is not from 0 to 1.*binaryCrossEntropyWithLogits/,
    );
    expect(() => nn.binaryCrossEntropy(tensor([0.5]), tensor([3]))).toThrow(/of the target/);
    expect(() => nn.binaryCrossEntropy(tensor([Number.NaN]), tensor([1]))).toThrow(ArgumentError);
    expect(() => nn.binaryCrossEntropy(x.mul(1), tensor([1, 1])).itemSync()).toThrow(
      /an element of the input/,
    );
  });

  test("takes targets of the input's dtype, and weights that broadcast to it alone", () => {
    const [x, t] = [tensor([0.5, 0.25]), tensor([1, 0])];
    expect(() => nn.binaryCrossEntropy(x, t.to("i32"))).toThrow(DTypeError);
    expect(() => nn.binaryCrossEntropy(x, t.to("f64"))).toThrow(DTypeError);
    expect(() => nn.binaryCrossEntropy(x, t, { weight: zeros([3, 2]) })).toThrow(ShapeError);
    expect(() => nn.binaryCrossEntropyWithLogits(x, t, { posWeight: zeros([3, 2]) })).toThrow(ShapeError);
    expect(() => nn.binaryCrossEntropyWithLogits(x, t.to("i32"))).toThrow(DTypeError);
  });
});

test("f64 is computed in f64 all the way, divisors too", () => {
  const logits = tensor(
    [
      [0.1, 0.7, -0.3],
      [1.1, 0.2, 0.4],
      [0.3, 0.3, 0.9],
    ],
    { dtype: "f64" },
  );
  const target = classes(0, 1, 2);
  const expected = 1.1783060822803832;
  expect(nn.crossEntropy(logits, target).itemSync()).toBeCloseTo(expected, 14);
  expect(nn.nllLoss(logits.logSoftmax(1), target).itemSync()).toBeCloseTo(expected, 14);
  expect(nn.crossEntropy(logits, target).dtype).toBe("f64");
});

test("crossEntropy refuses ignoreIndex with probabilities, weights of another dtype for classes", () => {
  const soft = tensor([[0.5, 0.5]]);
  expect(() => nn.crossEntropy(zeros([1, 2]), soft, { ignoreIndex: 1 })).toThrow(ArgumentError);
  expect(nn.crossEntropy(zeros([1, 2]), soft, { ignoreIndex: -1 }).itemSync()).toBeCloseTo(Math.log(2), 6);
  const weight = tensor([1, 1], { dtype: "f64" });
  expect(() => nn.crossEntropy(zeros([1, 2]), classes(0), { weight })).toThrow(/f32.*f64/);
  expect(() => nn.nllLoss(zeros([1, 2]), classes(0), { weight })).toThrow(DTypeError);
});

test("one target in a vector will do for a row without a batch", () => {
  const row = tensor([1, 2, 3]);
  expect(nn.crossEntropy(row, classes(2), { reduction: "none" }).shape).toEqual([]);
  expect(nn.crossEntropy(row, classes(2)).itemSync()).toBeCloseTo(0.407606, 5);
});

test("distances take integers beside floats, and weights of their shape", () => {
  const [x, y] = [tensor([1, 2]), tensor([1, 4], { dtype: "i32" })];
  expect(nn.mseLoss(x, y).itemSync()).toBe(2);
  expect(nn.mseLoss(y, x).itemSync()).toBe(2);
  expect(() => nn.mseLoss(y, y)).toThrow(DTypeError);
  const weight = tensor([1, 3]);
  expect(nn.mseLoss(x, y, { weight }).itemSync()).toBe(3);
  expect(nn.l1Loss(x, y, { weight }).itemSync()).toBe(1.5);
  expect(nn.huberLoss(x, y, { weight }).itemSync()).toBe(2.25);
  expect(() => nn.mseLoss(x, y, { weight: zeros([1]) })).toThrow(ShapeError);
});

describe("losses of margins and distributions refuse", () => {
  const x = zeros([3, 4]);
  const row = zeros([4]);
  const targets = classes(0, 1, 2);
  const cases: [string, () => Tensor, new (message: string) => Error][] = [
    ["a target that is no class", () => nn.multiMarginLoss(x, classes(0, 4, 1)), IndexError],
    ["a negative target", () => nn.multiMarginLoss(x, classes(0, -1, 1)), IndexError],
    ["as many targets as there are no rows", () => nn.multiMarginLoss(x, classes(0, 1)), ShapeError],
    ["floats for classes", () => nn.multiMarginLoss(x, tensor([0, 1, 1])), DTypeError],
    ["a power of 3", () => nn.multiMarginLoss(x, targets, { p: 3 as 2 }), ArgumentError],
    ["three dimensions", () => nn.multiMarginLoss(zeros([1, 3, 4]), targets), ShapeError],
    ["no classes", () => nn.multiMarginLoss(zeros([3, 0]), targets), ShapeError],
    ["too few weights", () => nn.multiMarginLoss(x, targets, { weight: zeros([3]) }), ShapeError],
    [
      "weights of f64",
      () => nn.multiMarginLoss(x, targets, { weight: zeros([4], { dtype: "f64" }) }),
      DTypeError,
    ],
    ["scores of integers", () => nn.multiMarginLoss(x.to("i32"), targets), DTypeError],
    ["a label that is no class", () => nn.multilabelMarginLoss(row, classes(2, 4, -1, 0)), IndexError],
    ["one after the end of a list", () => nn.multilabelMarginLoss(row, classes(2, -1, 7, 0)), IndexError],
    ["a label of -2", () => nn.multilabelMarginLoss(row, classes(2, -2, -1, 0)), IndexError],
    ["lists of another shape", () => nn.multilabelMarginLoss(x, classes(0, 1, -1, -1)), ShapeError],
    ["labels of floats", () => nn.multilabelMarginLoss(x, x), DTypeError],
    ["a scalar", () => nn.multilabelSoftMarginLoss(tensor(1), tensor(1)), ShapeError],
    ["other dimensions", () => nn.marginRankingLoss(x, row, row), ShapeError],
    ["shapes that do not broadcast", () => nn.hingeEmbeddingLoss(x, zeros([3])), ShapeError],
    ["integers", () => nn.softMarginLoss(classes(1), tensor([1])), DTypeError],
    ["targets in columns", () => nn.cosineEmbeddingLoss(x, x, zeros([3, 1])), ShapeError],
    ["one target for rows", () => nn.cosineEmbeddingLoss(x, x, tensor(1)), ShapeError],
    ["a vector with a vector of targets", () => nn.cosineEmbeddingLoss(row, row, tensor([1])), ShapeError],
    ["triplets of other dimensions", () => nn.tripletMarginLoss(x, row, x), ShapeError],
    ["a margin of 0", () => nn.tripletMarginLoss(x, x, x, { margin: 0 }), ArgumentError],
    ["a negative variance", () => nn.gaussianNllLoss(x, x, row.sub(1).reshape([1, 4])), ArgumentError],
    ["a negative number for it", () => nn.gaussianNllLoss(x, x, -1), ArgumentError],
    ["a variance for each column alone", () => nn.gaussianNllLoss(x, x, row), ShapeError],
    ["one variance in two dimensions", () => nn.gaussianNllLoss(x, x, zeros([1, 1])), ShapeError],
    ["reductions that are none", () => nn.poissonNllLoss(x, x, { reduction: "avg" as "sum" }), ArgumentError],
  ];
  test.each(cases)("%s", (_, loss, kind) => expect(() => loss().dataSync()).toThrow(kind));

  test("in their constructors what they can see there", () => {
    expect(() => new nn.MultiMarginLoss({ p: 3 as 2 })).toThrow(ArgumentError);
    expect(() => new nn.MultiMarginLoss({ weight: zeros([1, 4]) })).toThrow(ShapeError);
    expect(() => new nn.TripletMarginLoss({ margin: 0 })).toThrow(ArgumentError);
    expect(() => new nn.TripletMarginWithDistanceLoss({ margin: -1 })).toThrow(ArgumentError);
    expect(() => new nn.LinearCrossEntropyLoss(3, 4, { weight: zeros([3]) })).toThrow(ShapeError);
    expect(() => new nn.LinearCrossEntropyLoss(3, 4, { labelSmoothing: 2 })).toThrow(ArgumentError);
  });
});

test("a label that is twice in a list counts twice, and one after its end does not", () => {
  const scores = tensor([[0.1, 0.2, 0.4]], { requiresGrad: true });
  const [g] = gradient(nn.multilabelMarginLoss(scores, tensor([[2, 2, -1]], { dtype: "i32" })), [scores]);
  expect(Array.from(g!.dataSync())).toEqual([2 / 3, 2 / 3, -4 / 3].map((v) => expect.closeTo(v, 6)));
  expect(nn.multilabelMarginLoss(scores, tensor([[-1, 2, -1]], { dtype: "i32" })).itemSync()).toBe(0);
});

test("a distance of one's own, as a function or a module, makes a triplet loss", () => {
  const [a, p, n] = [tensor([[0, 0]]), tensor([[1, 3]]), tensor([[1, 1]])];
  const distanceFunction = (x: Tensor, y: Tensor): Tensor => x.sub(y).abs().amax(1);
  expect(nn.tripletMarginWithDistanceLoss(a, p, n, { distanceFunction }).itemSync()).toBe(3);
  expect(new nn.TripletMarginWithDistanceLoss({ distanceFunction }).forward(a, p, n).itemSync()).toBe(3);
  const module = new nn.PairwiseDistance({ p: 1, eps: 0 });
  expect(nn.tripletMarginWithDistanceLoss(a, p, n, { distanceFunction: module }).itemSync()).toBe(3);
});

test("linearCrossEntropy is crossEntropy of a linear layer's logits, for several places at once", () => {
  const loss = new nn.LinearCrossEntropyLoss(3, 4, { outFeatures: [2], bias: true, labelSmoothing: 0.1 });
  const [x, t] = [tensor([[1, 2, 3], [3, 1, 0]]), tensor([[0, 3], [1, 1]], { dtype: "i32" })]; // biome-ignore format: a table
  const logits = loss.linear.forward(x).reshape([2, 4, 2]);
  expect(loss.forward(x, t).itemSync()).toBe(nn.crossEntropy(logits, t, { labelSmoothing: 0.1 }).itemSync());
  expect(() => loss.forward(zeros([3]), classes(0))).toThrow(ShapeError);
  const soft = zeros([2, 4]);
  expect(() => nn.linearCrossEntropy(x, zeros([4, 3]), soft, { ignoreIndex: -1 })).toThrow(ArgumentError);
});

test("class weights of a loss module are in its state dict", () => {
  const loss = new nn.CrossEntropyLoss({ weight: tensor([1, 2]) });
  expect(loss.stateDict().get("weight")!.toArraySync()).toEqual([1, 2]);
  expect(loss.parameters()).toEqual([]);
});

test.each([{}, { labelSmoothing: 0.1 }])(
  "crossEntropy %j and its gradient are one loop over the rows",
  (options) => {
    const logits = new Parameter(zeros([10, 4]));
    const both = capture((t: Tensor) => {
      const loss = nn.crossEntropy(logits, t, options);
      return [loss, gradient(loss, [logits])[0]!];
    });
    both(classes(0, 1, 2, 3, 0, 1, 2, 3, 1, 2));
    const overRows = both.plan!.calls.filter(({ kernel }) => kernel.kind === "loop" && kernel.outer === 1);
    expect(overRows.length).toBe(1);
  },
);
