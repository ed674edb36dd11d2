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
  test.each([
    ["crossEntropy", () => nn.crossEntropy(empty, classes())],
    ["soft crossEntropy", () => nn.crossEntropy(empty, empty)],
    ["nllLoss", () => nn.nllLoss(empty, classes())],
    ["mseLoss", () => nn.mseLoss(empty, empty)],
    ["l1Loss", () => nn.l1Loss(empty, empty)],
    ["huberLoss", () => nn.huberLoss(empty, empty)],
    ["binaryCrossEntropy", () => nn.binaryCrossEntropy(empty, empty)],
    ["klDiv", () => nn.klDiv(empty, empty, { reduction: "batchmean" })],
  ])("has no mean: %s says so", (_, loss) => expect(loss).toThrow(/the batch is empty/));
  test("has a sum", () => {
    expect(nn.crossEntropy(empty, classes(), { reduction: "sum" }).itemSync()).toBe(0);
    expect(nn.mseLoss(empty, empty, { reduction: "sum" }).itemSync()).toBe(0);
  });
});

test("losses do not broadcast", () => {
  expect(() => nn.mseLoss(zeros([4]), zeros([4, 1]))).toThrow(ShapeError);
  expect(() => nn.binaryCrossEntropyWithLogits(zeros([4]), zeros([4, 1]))).toThrow(/\[4\].*\[4, 1\]/);
});

test("options that cannot be are refused", () => {
  const x = zeros([2]);
  expect(() => nn.mseLoss(x, x, { reduction: "avg" as "mean" })).toThrow(/reduction "avg"/);
  expect(() => nn.huberLoss(x, x, { delta: 0 })).toThrow(ArgumentError);
  expect(() => nn.smoothL1Loss(x, x, { beta: -1 })).toThrow(ArgumentError);
  expect(() => nn.crossEntropy(zeros([1, 2]), classes(0), { labelSmoothing: 2 })).toThrow(ArgumentError);
});

test("the gradient of a saturated probability is finite", () => {
  const p = tensor([0, 1, 0, 1], { requiresGrad: true });
  const [g] = gradient(nn.binaryCrossEntropy(p, tensor([0, 1, 1, 0]), { reduction: "sum" }), [p]);
  expect(Array.from(g!.dataSync(), (v) => v + 0)).toEqual([1, -1, 0, 0]);
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
