import { describe, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";
import * as nn from "../../src/nn/index.ts";
import { gradient, type Tensor, tensor, zeros } from "../../src/tensor/index.ts";

// Values and gradients are PyTorch 2.13's.
settings.backend = "reference";

const f64 = (values: number[]): Tensor => tensor(values, { dtype: "f64" }).requiresGrad_(true);
const values = (x: Tensor | null | undefined): number[] => [...x!.dataSync()].map(Number);

describe("the gradient of cumprod", () => {
  const weighted = (data: number[], createGraph: boolean) => {
    const x = f64(data);
    const weight = tensor(
      data.map((_, i) => i + 1),
      { dtype: "f64" },
    );
    const [g] = gradient(x.cumprod(0).mul(weight).sum(), [x], { createGraph });
    return { x, weight, g: g! };
  };

  test.each([
    [
      [2, 3, 4],
      [43, 28, 18],
      [55, 32, 21],
    ],
    [
      [2, 0, 4, 5],
      [1, 188, 0, 0],
      [188, 360, 92, 64],
    ],
    [
      [0, 3, 0, 2],
      [7, 0, 0, 0],
      [103, 2, 33, 0],
    ],
    [
      [0, 0, 0],
      [1, 0, 0],
      [4, 2, 0],
    ],
    [
      [1, 2, 3, 0],
      [23, 11, 6, 24],
      [136, 68, 44, 72],
    ],
  ])("of %j, first and second, with zeros too", (data, first, second) => {
    expect(values(weighted(data, false).g)).toEqual(first);
    const { x, weight, g } = weighted(data, true);
    expect(values(g)).toEqual(first);
    expect(values(gradient(g.mul(weight).sum(), [x])[0])).toEqual(second);
  });

  test("is NaN from an infinity back, which its quotients are of", () => {
    const x = f64([2, Number.POSITIVE_INFINITY, 3]);
    expect(values(gradient(x.cumprod(0).sum(), [x])[0])).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ]);
  });
});

test("the gradient of atan2 is 0 where the squares vanish, and NaN where they are infinite beside an infinity", () => {
  const y = f64([1, 0, 1e-200, Number.POSITIVE_INFINITY]);
  const x = f64([1, 0, 1e-200, 1]);
  const [dy, dx] = gradient(y.atan2(x).sum(), [y, x]);
  expect(values(dy).map(Math.abs)).toEqual([0.5, 0, 0, 0]);
  expect(values(dx).map(Math.abs)).toEqual([0.5, 0, 0, Number.NaN]);
});

test("the gradient of a square is that of a power, which overflows first", () => {
  const x = tensor([3e38]).requiresGrad_(true);
  expect(values(gradient(x.square().mul(0.25).sum(), [x])[0])).toEqual([Number.POSITIVE_INFINITY]);
});

test("an index that indexFill is given twice counts once in the gradient", () => {
  const x = f64([1, 2, 3]);
  const value = tensor(5, { dtype: "f64" }).requiresGrad_(true);
  const weight = tensor([1, 10, 100], { dtype: "f64" });
  const filled = x.indexFill(0, tensor([2, 0, 2], { dtype: "i32" }), value);
  const [dx, dv] = gradient(filled.mul(weight).sum(), [x, value]);
  expect(values(filled)).toEqual([5, 2, 5]);
  expect(values(dx)).toEqual([0, 10, 0]);
  expect(values(dv)).toEqual([101]);
});

test("bools take a boolean as alpha and as exponent, and stay bools", () => {
  const b = tensor([true, false]);
  expect(values(b.add(tensor([false, true]), { alpha: true }))).toEqual([1, 1]);
  expect(values(b.add(tensor([false, true]), { alpha: false }))).toEqual([1, 0]);
  for (const [exponent, wanted] of [
    [true, [1, 0]],
    [false, [1, 1]],
  ] as const) {
    const power = b.pow(exponent);
    expect(power.dtype).toBe("bool");
    expect(values(power)).toEqual(wanted);
  }
  expect(b.pow(1).dtype).toBe("i32");
  for (const x of [tensor([1, 2]), tensor([1, 2], { dtype: "i32" })])
    for (const alpha of [true, false]) expect(() => x.add(x, { alpha })).toThrow(/alpha is (true|false)/);
});

test("what PyTorch does not make floats of integers is refused", () => {
  const i = tensor([1, 2], { dtype: "i32" });
  const f = tensor([1, 2]);
  for (const op of ["hypot", "logaddexp", "logaddexp2"] as const) {
    expect(() => i[op](i)).toThrow(/DTypeError|floating-point/);
    expect(i[op](f).dtype).toBe("f32");
  }
  expect(() => f.addcdiv(i, i)).toThrow(/addcdiv/);
  expect(values(i.addcdiv(i, f))).toEqual([2, 3]);
  expect(() => i.lerp(i, 0.5)).toThrow(/lerp/);
  expect(() => f.lerp(f.to("f64"), 0.5)).toThrow(/lerp: tensors of f32 and f64/);
  expect(values(f.lerp(f.mul(2), tensor(0.5, { dtype: "f64" })))).toEqual([1.5, 3]);
  expect(() => i.nanmean()).toThrow(/nanmean/);
  for (const lambda of [-1, Number.NaN])
    expect(() => f.softshrink({ lambda })).toThrow(/softshrink: the option lambda/);
});

test.each(["f16", "bf16"] as const)("isnan, nansum, nanmean and addbmm of %s", (dtype) => {
  const x = tensor([1, Number.NaN, 3]).to(dtype);
  expect(values(x.isnan())).toEqual([0, 1, 0]);
  expect(values(x.nansum())).toEqual([4]);
  expect(values(x.nanmean())).toEqual([2]);
  const batch = tensor([[[1, 2]], [[3, 4]]]).to(dtype);
  expect(
    values(
      tensor([[1]])
        .to(dtype)
        .addbmm(batch, batch.transpose(1, 2)),
    ),
  ).toEqual([31]);
});

test("batchNorm of nothing is nothing, and leaves running statistics alone", () => {
  for (const shape of [[0], [0, 2], [2, 3, 0]])
    for (const training of [true, false]) {
      const channels = shape[1] ?? 0;
      const mean = zeros([channels]).add(7);
      expect(nn.batchNorm(zeros(shape), mean, mean, { training }).shape).toEqual(shape);
      expect(values(mean)).toEqual(new Array(channels).fill(7));
    }
  expect(() => nn.batchNorm(zeros([3]), null, null, { training: true })).toThrow(/at least 2 dimensions/);
});
