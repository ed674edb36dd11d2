import * as thaw from "thaw/tensor";
import { capture, type Tensor, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { checkSecondOrder } from "./second-derivatives.ts";

// Values, gradients, dtypes and what is refused are compared with PyTorch's in test/oracle/samples; here is what that lacks.
settings.backend = "reference";

const values = (x: Tensor): number[] => [...x.dataSync()].map(Number);
const leaf = (shape: number[], from = 0): Tensor =>
  thaw
    .arange(
      shape.reduce((a, b) => a * b, 1),
      { dtype: "f64" },
    )
    .add(from)
    .sin()
    .reshape(shape)
    .detach()
    .requiresGrad_(true);

describe("second derivatives", () => {
  const functions: [string, (...x: Tensor[]) => Tensor, Tensor[]][] = [
    ["cdist", (a, b) => thaw.cdist(a, b), [leaf([2, 3]), leaf([2, 3], 9)]],
    ["cdist of 3", (a, b) => thaw.cdist(a, b, { p: 3 }), [leaf([2, 2]), leaf([1, 2], 9)]],
    ["tensordot", (a, b) => thaw.tensordot(a, b, [[1], [0]]), [leaf([2, 2]), leaf([2, 2], 5)]],
    ["renorm", (a) => thaw.renorm(a, 2, 0, 0.5), [leaf([2, 3])]],
    ["trapezoid", (a, b) => thaw.trapezoid(a, b), [leaf([2, 3]), leaf([3], 4)]],
    ["cumulativeTrapezoid", (a, b) => thaw.cumulativeTrapezoid(a, b), [leaf([2, 3]), leaf([3], 4)]],
    ["vander", (a) => thaw.vander(a, 4), [leaf([3])]],
    ["erfinv", (a) => thaw.erfinv(a), [leaf([3], 1)]],
  ];
  test.each(functions)("of %s", async (_, fn, inputs) => {
    await checkSecondOrder(fn, inputs);
  });
});

test("vander: powers of integers are i32, and run either way", () => {
  const x = tensor([1, 2, 3], { dtype: "i32" });
  expect(values(thaw.vander(x))).toEqual([1, 1, 1, 4, 2, 1, 9, 3, 1]);
  expect(values(thaw.vander(x, 2, { increasing: true }))).toEqual([1, 1, 1, 2, 1, 3]);
  expect([thaw.vander(x).dtype, thaw.vander(x, 0).shape, thaw.vander(tensor([0.5]), 1).dtype]).toEqual([
    "i32",
    [3, 0],
    "f32",
  ]);
});

test("isin of many looks them up, and finds neither NaN nor what stands beside it", () => {
  const many = cat100();
  const asked = tensor([3, 3.5, Number.NaN, 297, Number.POSITIVE_INFINITY, -1]);
  expect(values(thaw.isin(asked, many))).toEqual([1, 0, 0, 1, 0, 0]);
  expect(values(thaw.isin(asked, many, { invert: true }))).toEqual([0, 1, 1, 0, 1, 1]);
});
/** 0, 3, … 297 and a NaN, in no order. */
const cat100 = (): Tensor => thaw.cat([thaw.arange(99, -1, -1).mul(3).to("f32"), tensor([Number.NaN])]);

test("erfinv has all digits of f64, near its ends too", () => {
  const x = [1e-300, -1e-9, 0.3, 0.7, -0.999999, 1 - 2 ** -53];
  const back = values(thaw.erfinv(tensor(x, { dtype: "f64" })).erf());
  for (const [i, y] of back.entries()) expect(Math.abs(y / x[i]! - 1)).toBeLessThan(4e-16);
  // 1 − erf there is 2⁻⁵³, of which erf says nothing.
  expect(thaw.erfinv(tensor(1 - 2 ** -53, { dtype: "f64" })).itemSync()).toBeCloseTo(5.863584748755168, 12);
});

test("they can be captured, and take other values then", () => {
  const f = capture((x: Tensor, y: Tensor) => ({
    found: thaw.searchsorted(x, y),
    counts: thaw.histc(y, 2, { min: 0, max: 4 }),
    often: thaw.mode(y, 0).values,
  }));
  const sorted = tensor([1, 2, 3]);
  for (const [given, found, counts, often] of [
    [[0, 2, 2], [0, 1, 1], [1, 2], 2],
    [[4, 0, 4], [3, 0, 3], [1, 2], 4],
  ] as const) {
    const made = f(sorted, tensor([...given]));
    expect([values(made.found), values(made.counts), made.often.itemSync()]).toEqual([found, counts, often]);
  }
});

test("plain mistakes are named", () => {
  // biome-ignore lint/suspicious/noExplicitAny: what is called wrongly has no types.
  const loose = thaw as any;
  const x = tensor([1, 2]);
  const refused: [() => unknown, string][] = [
    [() => loose.cdist([1], x), "cdist: x1 is [1]; it must be a tensor; make a tensor of it with tensor(…)"],
    [() => loose.cdist(x, x, 2), "cdist: 2 is one argument too many, or no object of options"],
    [() => thaw.cdist(x, x), "use reshape([1, -1]) for one row"],
    [() => loose.tensordot(x, x, [0, 0]), "put each side's dimensions into a list of its own"],
    [() => loose.histc(x, { bins: 3 }), "histc: bins is an object"],
    [() => thaw.histc(tensor([1, Number.NaN])), "histc: NaN is not finite"],
    [() => loose.isin(1, 2), "isin: both are numbers"],
    [() => thaw.searchsorted(x, x, { side: "left", right: true }), "give one of the two"],
    [() => loose.trapezoid(x, { dx: 2 }), "trapezoid: x is an object"],
    [() => thaw.trapezoid(x, x, { dx: 2 }), "both say how far samples lie apart"],
    [() => thaw.vander(x, -1), "vander: N is -1"],
    [() => thaw.renorm(x, 2, 0, 1), "renorm: takes at least 2 dimensions"],
    [() => thaw.mode(thaw.zeros([0])), "nothing is most frequent of nothing"],
  ];
  for (const [call, message] of refused) expect(call).toThrow(message);
});

test("newTensor is of the tensor's dtype, unless another is asked for", () => {
  const x = tensor([1, 2], { dtype: "f64" });
  const made = x.newTensor([[1, 2.5]]);
  expect([made.dtype, made.shape, values(made), made.requiresGrad]).toEqual(["f64", [1, 2], [1, 2.5], false]);
  expect(x.newTensor(3, { dtype: "i32" }).dtype).toBe("i32");
  expect(x.newTensor([1], { requiresGrad: true }).isLeaf).toBe(true);
  expect(() => x.newTensor([[1], [2, 3]])).toThrow("newTensor: the arrays are ragged");
  expect(() => tensor([true]).newTensor([300], { dtype: "u8" })).toThrow("newTensor: 300 does not fit u8");
});
