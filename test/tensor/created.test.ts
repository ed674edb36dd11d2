import * as thaw from "thaw/tensor";
import { type Tensor, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../src/base/errors.ts";

const values = (x: Tensor): number[] => [...x.dataSync()];
const close = (x: Tensor, want: readonly number[]): void => {
  expect(x.shape).toEqual([want.length]);
  for (const [i, v] of values(x).entries()) expect(v).toBeCloseTo(want[i]!, 6);
};

describe("what dtypes hold", () => {
  test.each([
    ["f64", Number.MAX_VALUE, Number.EPSILON, 2.2250738585072014e-308, 64, 1e-15],
    ["f32", 3.4028234663852886e38, 1.1920928955078125e-7, 1.1754943508222875e-38, 32, 1e-6],
    ["bf16", 3.3895313892515355e38, 0.0078125, 1.1754943508222875e-38, 16, 0.01],
    ["f16", 65504, 0.0009765625, 6.103515625e-5, 16, 0.001],
  ] as const)("finfo of %s is torch.finfo's", (dtype, max, eps, tiny, bits, resolution) => {
    expect(thaw.finfo(dtype)).toEqual({
      dtype,
      max,
      min: -max,
      eps,
      tiny,
      smallestNormal: tiny,
      bits,
      resolution,
    });
  });
  test("iinfo is torch.iinfo's", () => {
    expect(thaw.iinfo("i32")).toEqual({ dtype: "i32", bits: 32, min: -(2 ** 31), max: 2 ** 31 - 1 });
    expect(thaw.iinfo("u8")).toEqual({ dtype: "u8", bits: 8, min: 0, max: 255 });
    expect(thaw.iinfo("i8")).toEqual({ dtype: "i8", bits: 8, min: -128, max: 127 });
  });
  test("each refuses the other's, and bool", () => {
    expect(() => thaw.finfo("i32")).toThrow(
      new DTypeError("finfo: i32 is not a floating-point dtype; use iinfo() for integers"),
    );
    expect(() => thaw.iinfo("f16")).toThrow(DTypeError);
    expect(() => thaw.iinfo("bool")).toThrow(DTypeError);
    expect(() => thaw.finfo("float32" as "f32")).toThrow(ArgumentError);
  });
});

test.each([
  ["hann", thaw.hannWindow, [0, 0.3454915, 0.9045085, 0.9045085, 0.3454915], [0, 0.75, 0.75, 0]],
  [
    "hamming",
    thaw.hammingWindow,
    [0.08, 0.3978522, 0.9121478, 0.9121478, 0.3978522],
    [0.08, 0.77, 0.77, 0.08],
  ],
  ["blackman", thaw.blackmanWindow, [0, 0.2007701, 0.8492299, 0.8492299, 0.2007701], [0, 0.63, 0.63, 0]],
  ["bartlett", thaw.bartlettWindow, [0, 0.4, 0.8, 0.8, 0.4], [0, 0.6666667, 0.6666667, 0]],
  [
    "kaiser",
    thaw.kaiserWindow,
    [5.28e-5, 0.1017197, 0.7929398, 0.7929398, 0.1017197],
    [5.28e-5, 0.5188447, 0.5188447, 5.28e-5],
  ],
] as const)("the %s window is PyTorch's", (_, window, periodic, symmetric) => {
  close(window(5), periodic);
  close(window(4, { periodic: false, dtype: "f64" }), symmetric);
  close(window(1), [1]);
  close(window(0), []);
  expect(() => window(-1)).toThrow(ShapeError);
  expect(() => window(3, { dtype: "i32" })).toThrow(DTypeError);
});

test("windows take their own options", () => {
  close(thaw.hammingWindow(3, { periodic: false, alpha: 0.6, beta: 0.4 }), [0.2, 1, 0.2]);
  close(thaw.kaiserWindow(3, { periodic: false, beta: 0 }), [1, 1, 1]);
});

test("scalarTensor is a number in no shape, f32 also of a boolean", () => {
  const made = [thaw.scalarTensor(3), thaw.scalarTensor(true), thaw.scalarTensor(2.7, { dtype: "i32" })];
  expect(made.map((x) => [x.shape, x.dtype, x.itemSync()])).toEqual([
    [[], "f32", 3],
    [[], "f32", 1],
    [[], "i32", 2],
  ]);
  expect(() => thaw.scalarTensor(300, { dtype: "u8" })).toThrow(ArgumentError);
});

test("asTensor gives a tensor itself, unless another dtype is asked for", () => {
  const x = tensor([1, 2]);
  expect(thaw.asTensor(x)).toBe(x);
  expect(thaw.asTensor(x, { dtype: "f32" })).toBe(x);
  expect(thaw.asTensor(x, { dtype: "i32" }).dtype).toBe("i32");
  expect(values(thaw.asTensor([[1], [2]], { dtype: "u8" }))).toEqual([1, 2]);
  const data = new Int32Array([5]);
  const copy = thaw.asTensor(data);
  data[0] = 6;
  expect(values(copy)).toEqual([5]);
});

test("randintLike draws in another's shape and dtype", () => {
  const drawn = thaw.randintLike(thaw.zeros([50]), 3, 5);
  expect(drawn.dtype).toBe("f32");
  expect([...new Set(values(drawn))].sort()).toEqual([3, 4]);
  expect(thaw.randintLike(thaw.zeros([2]), 0, 9, { dtype: "i32" }).dtype).toBe("i32");
});

test("unravelIndex says where elements of the flattened tensor are", () => {
  const x = thaw.arange(24).reshape([2, 3, 4]);
  const places = tensor(
    [
      [0, 23],
      [7, 12],
    ],
    { dtype: "i32" },
  );
  expect(values(x.at(...thaw.unravelIndex(places, x.shape)))).toEqual([0, 23, 7, 12]);
  expect(() => thaw.unravelIndex(tensor([24], { dtype: "i32" }), x.shape)).toThrow(IndexError);
  expect(() => thaw.unravelIndex(tensor([1]), x.shape)).toThrow(DTypeError);
});

test("indices of triangles are i32", () => {
  expect(values(thaw.trilIndices(2, 3))).toEqual([0, 1, 1, 0, 0, 1]);
  expect(() => thaw.triuIndices(2, 2, { dtype: "f32" })).toThrow(DTypeError);
});
