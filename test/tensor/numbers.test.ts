import { describe, expect, test } from "vitest";
import { ArgumentError, CaptureError, DTypeError } from "../../src/base/errors.ts";
import {
  arange,
  Buffer,
  capture,
  einsum,
  float,
  fromArray,
  full,
  fullLike,
  linspace,
  ones,
  randint,
  type Tensor,
  tensor,
  where,
  zeros,
} from "../../src/tensor/index.ts";

const i32 = (...values: number[]): Tensor => tensor(values, { dtype: "i32" });
const u8 = (...values: number[]): Tensor => tensor(values, { dtype: "u8" });
const said = (x: Tensor): [string, unknown] => [x.dtype, x.toArraySync()];
const lowest = -3.4028234663852886e38;

describe("attention masks as they are usually written", () => {
  const mask = tensor([[1, 0, 1]], { dtype: "i32" });

  test.each([lowest, -1e9, -1e4, Number.NEGATIVE_INFINITY])("(1 - mask) · %d", (value) => {
    const inverted = ones([1, 3], { dtype: "i32" }).sub(mask);
    if (Number.isFinite(value)) {
      const added = inverted.mul(value);
      // A value that i32 holds is an integer, as it is in Python.
      expect(added.dtype).toBe(value === lowest ? "f32" : "i32");
      expect(
        tensor([[0.5, 0.25, 0.5]])
          .add(added)
          .softmax(-1)
          .toArraySync(),
      ).toEqual([[0.5, 0, 0.5]]);
    }
    const filled = zeros([1, 3]).maskedFill(inverted.bool(), value);
    expect(filled.toArraySync()).toEqual([[0, Math.fround(value), 0]]);
    expect(filled.softmax(-1).toArraySync()).toEqual([[0.5, 0, 0.5]]);
  });

  test("mask.mul(lowest) is no no-op, for any dtype of mask", () => {
    for (const dtype of ["i32", "u8", "bool", "i8"] as const)
      expect(said(tensor([1, 0], { dtype }).mul(lowest))).toEqual(["f32", [lowest, -0]]);
    expect(said(where(mask.bool(), 0, lowest))).toEqual(["f32", [[0, lowest, 0]]]);
    expect(said(where(mask.bool(), mask, lowest))).toEqual(["f32", [[1, lowest, 1]]]);
  });
});

describe("float(x)", () => {
  test("is floating point though it is whole, at either side and among several", () => {
    expect(said(i32(1, 2).mul(float(2)))).toEqual(["f32", [2, 4]]);
    expect(said(i32(1, 2).mul(2))).toEqual(["i32", [2, 4]]);
    expect(said(tensor([true]).add(float(1)))).toEqual(["f32", [2]]);
    expect(said(where(tensor([true, false]), float(3), i32(1, 2)))).toEqual(["f32", [3, 2]]);
    expect(said(where(tensor([true, false]), 3, float(2)))).toEqual(["f32", [3, 2]]);
    expect(said(i32(7, 8).floorDivide(float(2)))).toEqual(["f32", [3, 4]]);
    expect(said(i32(1, 5).clamp({ min: float(2) }))).toEqual(["f32", [2, 5]]);
    expect(said(i32(1, 5).clamp({ min: 2, max: float(4) }))).toEqual(["f32", [2, 4]]);
    expect(said(i32(2).pow(float(2)))).toEqual(["f32", [4]]);
  });

  test("is exact in f64, and the number that it is among floats", () => {
    const [x] = [tensor([1, 2], { dtype: "f64" })];
    expect(said(x.mul(float(0.1)))).toEqual(["f64", [0.1, 0.2]]);
    expect(said(tensor([1, 2]).mul(float(2)))).toEqual(["f32", [2, 4]]);
    expect(tensor([1], { dtype: "f16" }).mul(float(2)).dtype).toBe("f32");
    expect(said(tensor(1, { dtype: "f64" }).add(float(0.1)))).toEqual(["f64", 1.1]);
  });

  test("does not go into an integer tensor in place, and is the same inside and outside of a captured function", () => {
    expect(() => i32(1).mul_(float(2))).toThrow(DTypeError);
    const two = float(2);
    const captured = capture((x: Tensor) => x.mul(two));
    for (const value of [1, 3]) expect(said(captured(i32(value)))).toEqual(["f32", [2 * value]]);
  });

  test("flows a gradient", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    x.mul(float(3)).sum().backward();
    expect(x.grad!.toArraySync()).toEqual([3, 3]);
  });
});

describe("a whole number that the dtype does not hold", () => {
  test("is a float, as -0 is an integer", () => {
    expect(said(u8(1, 255).add(300))).toEqual(["f32", [301, 555]]);
    expect(said(u8(1, 255).add(-1))).toEqual(["f32", [0, 254]]);
    expect(said(u8(1, 255).sub(1))).toEqual(["u8", [0, 254]]);
    expect(said(i32(1).add(3e9))).toEqual(["f32", [3000000000]]);
    expect(said(i32(1).mul(-0))).toEqual(["i32", [0]]);
    expect(said(i32(1).mul(float(-0)))).toEqual(["f32", [-0]]);
    expect(said(tensor(5, { dtype: "u8" }).add(300))).toEqual(["f32", 305]);
    expect(said(tensor([5], { dtype: "i8" }).add(200))).toEqual(["i32", [205]]);
  });

  test("between tensors integers wrap, as in PyTorch", () => {
    expect(said(u8(200).add(u8(100)))).toEqual(["u8", [44]]);
    expect(said(i32(2 ** 31 - 1).add(1))).toEqual(["i32", [-(2 ** 31)]]);
  });

  test("alpha must be one that the result holds", () => {
    expect(said(i32(1, 2).add(i32(3, 4), { alpha: 2 }))).toEqual(["i32", [7, 10]]);
    expect(said(i32(1).add(1.5, { alpha: 0.5 }))).toEqual(["f32", [1.75]]);
    expect(said(tensor([true, false]).add(tensor([true, false]), { alpha: 2 }))).toEqual([
      "bool",
      [true, false],
    ]);
    expect(said(tensor([true]).add(i32(3), { alpha: 2 }))).toEqual(["i32", [7]]);
    expect(() => i32(1).add(i32(1), { alpha: 0.5 })).toThrow(
      new ArgumentError("add: alpha is 0.5, which is no integer that i32 holds; cast a tensor to f32 first"),
    );
    expect(() => u8(1).sub(u8(1), { alpha: 300 })).toThrow(ArgumentError);
    // The product with alpha is made in the dtype of the result.
    expect(tensor([1], { dtype: "f64" }).add(i32(1), { alpha: 0.1 }).toArraySync()).toEqual([1.1]);
  });
});

describe("what is assigned must fit", () => {
  const refusals: [string, () => unknown][] = [
    ["full: 300 does not fit u8, which holds 0 to 255", () => full([2], 300, { dtype: "u8" })],
    ["full: -1 does not fit u8, which holds 0 to 255", () => fullLike(u8(1), -1)],
    ["fill_: 3000000000 does not fit i32, which holds -2147483648 to 2147483647", () => i32(1).fill_(3e9)],
    ["fill_: NaN does not fit i32, which holds -2147483648 to 2147483647", () => i32(1).fill_(Number.NaN)],
    ["fill_: 255.5 does not fit u8, which holds 0 to 255", () => u8(1).fill_(255.5)],
    ["maskedFill: 300 does not fit u8, which holds 0 to 255", () => u8(1).maskedFill(tensor([true]), 300)],
    [
      "maskedFill: -Infinity does not fit i32, which holds -2147483648 to 2147483647",
      () => i32(1).maskedFill(tensor([true]), Number.NEGATIVE_INFINITY),
    ],
    [
      "maskedFill: -1000000000 does not fit f16, where it would be infinite; give ±Infinity",
      () => zeros([1], { dtype: "f16" }).maskedFill(tensor([true]), -1e9),
    ],
    [
      "fill_: 1e+39 does not fit f32, where it would be infinite; give ±Infinity",
      () => zeros([1]).fill_(1e39),
    ],
    ["pad: 256 does not fit u8, which holds 0 to 255", () => u8(1).pad([1, 1], { value: 256 })],
    ["threshold: 300 does not fit u8, which holds 0 to 255", () => u8(1).threshold(2, 300)],
    ["tensor: 300 does not fit u8, which holds 0 to 255", () => tensor([300], { dtype: "u8" })],
    ["randint: 299 does not fit u8, which holds 0 to 255", () => randint(0, 300, [2], { dtype: "u8" })],
  ];
  test.each(refusals)("%s", (message, assign) => expect(assign).toThrow(new ArgumentError(message)));

  test("nothing is changed where it does not", () => {
    const x = u8(1, 2);
    expect(() => x.fill_(300)).toThrow(ArgumentError);
    const buffer = new Buffer(u8(1, 2));
    expect(() => buffer.mul_(300)).toThrow(DTypeError);
    expect(() => buffer.add_(-1)).toThrow(DTypeError);
    expect([x.toArraySync(), buffer.toArraySync()]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  test("a fraction is cut, a bool is whether it is not 0, infinities are floats", () => {
    expect(said(i32(1, 2).fill_(-1.9))).toEqual(["i32", [-1, -1]]);
    expect(said(i32(1, 2).maskedFill(tensor([true, false]), 1.5))).toEqual(["i32", [1, 2]]);
    expect(said(full([1], 300, { dtype: "bool" }))).toEqual(["bool", [true]]);
    expect(said(full([1], Number.POSITIVE_INFINITY))).toEqual(["f32", [Number.POSITIVE_INFINITY]]);
    expect(said(zeros([1]).fill_(3.4028235e38))).toEqual(["f32", [3.4028234663852886e38]]);
  });

  test("in place, the dtype of the result must fit too", () => {
    expect(() => i32(1).add_(0.5)).toThrow(DTypeError);
    expect(() => i32(4).div_(2)).toThrow(DTypeError);
    expect(() => i32(1).clamp_({ min: 0.5 })).toThrow(DTypeError);
    expect(() => tensor([true]).add_(1)).toThrow(
      new DTypeError("add_: a result of i32 does not fit this tensor of bool; cast it first"),
    );
    expect(said(u8(200).add_(i32(100)))).toEqual(["u8", [44]]);
    expect(said(i32(5).clamp_({ min: -3e9, max: 3 }))).toEqual(["i32", [3]]);
  });

  test("maskedFill takes no integer by way of f32", () => {
    const x = i32(16777217, 16777219);
    expect(said(x.maskedFill(tensor([true, false]), tensor(1.5)))).toEqual(["i32", [1, 16777219]]);
  });
});

describe("integers and numbers compare exactly", () => {
  const x = i32(-(2 ** 31), 16777216, 16777217, 2 ** 31 - 1);

  test("next to each other, between each other, and beyond the dtype", () => {
    expect(x.gt(16777216).toArraySync()).toEqual([false, false, true, true]);
    expect(x.gt(16777216.5).toArraySync()).toEqual([false, false, true, true]);
    expect(x.le(16777216.5).toArraySync()).toEqual([true, true, false, false]);
    expect(x.lt(2147483648).toArraySync()).toEqual([true, true, true, true]);
    expect(x.ge(2147483647.5).toArraySync()).toEqual([false, false, false, false]);
    expect(x.ge(-2147483649).toArraySync()).toEqual([true, true, true, true]);
    expect(x.eq(16777217.5).toArraySync()).toEqual([false, false, false, false]);
    expect(x.ne(3e9).toArraySync()).toEqual([true, true, true, true]);
    expect(x.gt(float(16777216)).toArraySync()).toEqual([false, false, true, true]);
    expect(x.lt(Number.NaN).toArraySync()).toEqual([false, false, false, false]);
    expect(x.ne(Number.NaN).toArraySync()).toEqual([true, true, true, true]);
    expect(x.lt(Number.POSITIVE_INFINITY).toArraySync()).toEqual([true, true, true, true]);
    expect(u8(0, 255).gt(-1).toArraySync()).toEqual([true, true]);
    expect(u8(0, 255).lt(256).toArraySync()).toEqual([true, true]);
    expect(tensor([true, false]).lt(0.5).toArraySync()).toEqual([false, true]);
    expect(tensor([true, false]).ge(2).toArraySync()).toEqual([false, false]);
  });

  test("with tensors of floats as PyTorch promotes", () => {
    expect(x.gt(tensor([16777216])).toArraySync()).toEqual([false, false, false, true]);
    expect(x.eq(u8(3)).dtype).toBe("bool");
  });

  test("a whole bound beyond the dtype bounds nothing", () => {
    expect(said(x.clamp({ min: -3e9, max: 3e9 }))).toEqual(["i32", x.toArraySync()]);
    expect(said(x.clamp({ min: 16777217, max: 2 ** 31 }))).toEqual([
      "i32",
      [16777217, 16777217, 16777217, 2 ** 31 - 1],
    ]);
    expect(said(x.maximum(-3e9))).toEqual(["i32", x.toArraySync()]);
    expect(said(u8(3).minimum(256))).toEqual(["u8", [3]]);
    expect(said(u8(3).clamp({ min: 300 }))).toEqual(["f32", [300]]);
    expect(said(u8(3).clamp({ max: -1 }))).toEqual(["f32", [-1]]);
  });

  test("where a captured function's argument is the number", () => {
    const above = capture((t: Tensor, n: number) => t.gt(n));
    for (const n of [16777216, 3e9, 16777215.5, -3e9, Number.NaN, 16777216])
      expect(above(x, n).toArraySync(), `${n}`).toEqual((x.toArraySync() as number[]).map((v) => v > n));
  });

  test("a number whose dtype would change what a captured function gives is an error", () => {
    let by = 2;
    const scaled = capture((t: Tensor) => t.mul(by), { check: 1 });
    expect(said(scaled(u8(3)))).toEqual(["u8", [6]]);
    by = 300;
    expect(() => scaled(u8(3))).toThrow(CaptureError);
  });
});

describe("division of integers", () => {
  const divisions: Record<string, (a: Tensor, b: Tensor | number) => Tensor> = {
    remainder: (a, b) => a.remainder(b),
    fmod: (a, b) => a.fmod(b),
    floorDivide: (a, b) => a.floorDivide(b),
    trunc: (a, b) => a.div(b, { roundingMode: "trunc" }),
  };

  test("is exact at the ends of the range", () => {
    const [a, b] = [i32(-(2 ** 31), 7, -7, 2 ** 31 - 1), i32(7, -(2 ** 31), -(2 ** 31), -(2 ** 31))];
    expect(said(a.fmod(b))).toEqual(["i32", [-2, 7, -7, 2147483647]]);
    expect(said(a.remainder(b))).toEqual(["i32", [5, -2147483641, -7, -1]]);
    expect(said(a.floorDivide(b))).toEqual(["i32", [-306783379, -1, 0, -1]]);
    expect(said(i32(-(2 ** 31)).fmod(7))).toEqual(["i32", [-2]]);
    expect(said(u8(200, 255).fmod(7))).toEqual(["u8", [4, 3]]);
  });

  test.each(Object.entries(divisions))("%s by 0 has no value", (name, divide) => {
    for (const dtype of ["i32", "u8", "i8", "bool"] as const) {
      const x = tensor([1, 1], { dtype });
      expect(() => divide(x, 0)).toThrow(/ZeroDivisionError: an integer divided by 0/);
      if (dtype !== "bool") expect(() => divide(x, tensor([1, 0], { dtype }))).toThrow(ArgumentError);
    }
    expect(() => divide(i32(1), zeros([1], { dtype: "i32" }))).toThrow(ArgumentError);
    expect(() => divide(tensor([true]), tensor([true]))).toThrow(DTypeError);
    // There is nothing to divide.
    expect(divide(zeros([0], { dtype: "i32" }), 0).shape).toEqual([0]);
    // A computed divisor is checked when it is known, before anything else is done.
    const computed = i32(1, 2).sub(1);
    const quotient = divide(i32(4, 4), computed);
    expect(() => quotient.dataSync()).toThrow(/ZeroDivisionError/);
    expect(computed.toArraySync(), name).toEqual([0, 1]);
    expect(divide(i32(4, 4), i32(1, 2).add(1)).dataSync()).toHaveLength(2);
    const captured = capture((a: Tensor, b: Tensor) => divide(a, b));
    expect(() => captured(i32(4), i32(0))).toThrow(ArgumentError);
    expect(captured(i32(4), i32(2)).dtype).toBe("i32");
    expect(() => captured(i32(4), i32(0))).toThrow(ArgumentError);
  });

  test("nothing is written where a divisor is 0", () => {
    const buffer = new Buffer(i32(4, 6));
    const step = capture((by: Tensor) => {
      buffer.assign(buffer.floorDivide(by));
    });
    step(i32(2, 2));
    expect(() => step(i32(1, 0))).toThrow(ArgumentError);
    expect(buffer.toArraySync()).toEqual([2, 3]);
  });
});

describe("dtypes of what integers and bools give", () => {
  test("sums and products widen, also where einsum sums", () => {
    const x = fromArray(Uint8Array.of(200, 100), [2]);
    expect(said(einsum("i->", x))).toEqual(["i32", 300]);
    expect(said(einsum("i,j->i", x, x))).toEqual(["i32", [60000, 30000]]);
    expect(said(einsum("i,i->", x, x))).toEqual(["u8", (200 * 200 + 100 * 100) & 255]);
    expect(said(einsum("ij,i->i", u8(1, 200, 3, 100).reshape([2, 2]), u8(2, 255)))).toEqual([
      "i32",
      [402, 26265],
    ]);
    expect(said(einsum("i->", tensor([true, true])))).toEqual(["i32", 2]);
    expect(said(einsum("i,j->ij", tensor([true, false]), tensor([true, true])))).toEqual([
      "bool",
      [
        [true, true],
        [false, false],
      ],
    ]);
    expect(() => einsum("i,i->", tensor([true]), tensor([true]))).toThrow(DTypeError);
    expect(said(x.sum())).toEqual(["i32", 300]);
    expect(said(x.prod())).toEqual(["i32", 20000]);
    expect(said(x.cumsum(0))).toEqual(["i32", [200, 300]]);
    expect(said(x.sum(0, { dtype: "u8" }))).toEqual(["u8", 44]);
    expect(said(x.sum(0, { dtype: "bool" }))).toEqual(["bool", true]);
    expect(said(u8(0, 3).prod(0, { dtype: "bool" }))).toEqual(["bool", false]);
  });

  test("any and all of u8 are u8, the sign of a bool is itself", () => {
    expect(said(u8(0, 2).any())).toEqual(["u8", 1]);
    expect(said(u8(0, 2).all())).toEqual(["u8", 0]);
    expect(said(zeros([0], { dtype: "u8" }).all())).toEqual(["u8", 1]);
    expect(said(i32(0, 2).any())).toEqual(["bool", true]);
    expect(said(tensor([true, false]).sign())).toEqual(["bool", [true, false]]);
    expect(said(i32(5, -5).hardtanh({ minVal: -0.5, maxVal: 2.5 }))).toEqual(["i32", [2, 0]]);
    expect(() => u8(1).hardtanh()).toThrow(DTypeError);
  });

  test("what PyTorch refuses of bools is refused", () => {
    const b = tensor([true, false]);
    for (const refused of [
      () => b.abs(),
      () => b.neg(),
      () => b.sub(1),
      () => b.clamp({ min: true }),
      () => b.remainder(b),
      () => b.floor(),
      () => b.trunc(),
      () => b.relu(),
      () => b.argmax(),
      () => b.argmin(0),
      () => b.softmax(0),
    ])
      expect(refused).toThrow(DTypeError);
    for (const refused of [() => i32(1).softmax(0), () => i32(1).frac(), () => i32(1).round({ decimals: 1 })])
      expect(refused).toThrow(DTypeError);
    expect(said(b.max(0).values)).toEqual(["bool", true]);
    expect(i32(1).floor().dtype).toBe("i32");
  });

  test("to() takes another tensor's dtype", () => {
    expect(said(tensor([1.5]).to(i32(0)))).toEqual(["i32", [1]]);
  });

  test("powers, bits, ranges", () => {
    expect(() => i32(2).pow(-1)).toThrow(ArgumentError);
    expect(() => u8(2).pow(-1)).toThrow(ArgumentError);
    expect(said(i32(2).pow(-1.5))[0]).toBe("f32");
    expect(said(u8(0, 1).bitwiseNot())).toEqual(["u8", [255, 254]]);
    expect(said(tensor([1, -1], { dtype: "i8" }).bitwiseNot())).toEqual(["i32", [-2, 0]]);
    expect(() => i32(1).bitwiseAnd(4294967295)).toThrow(DTypeError);
    expect(() => i32(1).bitwiseOr(tensor([1]))).toThrow(DTypeError);
    expect(said(arange(0.1, -7.9, -4, { dtype: "i32" }))).toEqual(["i32", [0, -4]]);
    expect(said(arange(0, 2, 0.5, { dtype: "i32" }))).toEqual(["i32", [0, 0, 0, 0]]);
    expect(said(arange(0.5, 5.5, 1.5, { dtype: "i32" }))).toEqual(["i32", [0, 1, 2, 3]]);
    expect(said(linspace(0.7, 9.9, 5, { dtype: "i32" }))).toEqual(["i32", [0, 2, 4, 6, 9]]);
    expect(() => arange(-3, 2, 1, { dtype: "u8" })).toThrow(ArgumentError);
  });
});
