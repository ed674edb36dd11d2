import * as thaw from "thaw/tensor";
import { capture, Parameter, slice, type Tensor, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, CaptureError, DTypeError, IndexError, ShapeError } from "../../src/base/errors.ts";
import { settings } from "../../src/base/settings.ts";
import { checkSecondOrder } from "./second-derivatives.ts";

// Values, gradients and errors are compared with PyTorch's on every backend in test/oracle/samples; here is what that lacks.
settings.backend = "reference";

const values = (x: Tensor): number[] => [...x.dataSync()];
const grid = (): Tensor => thaw.arange(12, { dtype: "f32" }).reshape([3, 4]);

describe("indexPut", () => {
  test("puts values where at() takes them from", () => {
    const x = grid();
    expect(values(x.indexPut([1], 9).at(1))).toEqual([9, 9, 9, 9]);
    expect(values(x.indexPut(["...", -1], tensor([-1, -2, -3])).at("...", -1))).toEqual([-1, -2, -3]);
    expect(
      values(
        x.indexPut(
          [slice(0, 2), [0, 3]],
          tensor([
            [1, 2],
            [3, 4],
          ]),
        ),
      ),
    ).toEqual([1, 1, 2, 2, 3, 5, 6, 4, 8, 9, 10, 11]);
    expect(
      values(
        x.indexPut(
          [
            [-1, 0],
            [1, 2],
          ],
          tensor([70, 80]),
        ),
      ),
    ).toEqual([0, 1, 80, 3, 4, 5, 6, 7, 8, 70, 10, 11]);
    // x itself is as it was.
    expect(values(x)).toEqual(values(grid()));
  });
  test("of several values for one place the last stays, or all are added", () => {
    const x = thaw.zeros([3]);
    expect(values(x.indexPut([[1, 1]], tensor([5, 6])))).toEqual([0, 6, 0]);
    expect(values(x.indexPut([[1, 1, 2]], tensor([5, 6, 1]), { accumulate: true }))).toEqual([0, 11, 1]);
    const flags = tensor([false, true, false]);
    expect(values(flags.indexPut([[0, 1]], true, { accumulate: true }))).toEqual([1, 1, 0]);
  });
  test("a mask and one value need no reading, so that a captured function can do it", () => {
    const x = grid();
    const fill = capture((t: Tensor) => t.indexPut([t.gt(9)], -1));
    for (let i = 0; i < 3; i++) expect(values(fill(x)).slice(9)).toEqual([9, -1, -1]);
    const byRow = capture((t: Tensor) => t.indexPut([tensor([true, false, true])], 0));
    expect(values(byRow(x))).toEqual([0, 0, 0, 0, 4, 5, 6, 7, 0, 0, 0, 0]);
    const several = capture((t: Tensor) => t.indexPut([t.gt(9)], tensor([1, 2])));
    expect(() => several(x)).toThrow(CaptureError);
    expect(values(x.indexPut([x.gt(9)], tensor([1, 2]))).slice(9)).toEqual([9, 1, 2]);
  });
  test("in place it is x[i, …] = values, and keeps dtypes", () => {
    const x = grid().to("bf16");
    expect(x.indexPut_([0, slice(1, 3)], 7)).toBe(x);
    expect(x.dtype).toBe("bf16");
    expect(values(x).slice(0, 4)).toEqual([0, 7, 7, 3]);
    const p = new Parameter(thaw.zeros([2, 2]));
    thaw.noGrad(() => p.indexPut_([0], 1));
    expect(values(p)).toEqual([1, 1, 0, 0]);
  });
  test("second derivatives are right", async () => {
    const x = thaw.randn([3, 1], { dtype: "f64", requiresGrad: true });
    const v = thaw.randn([2, 1], { dtype: "f64", requiresGrad: true });
    for (const accumulate of [false, true])
      await checkSecondOrder((a, b) => a.mul(a).indexPut([[2, 0]], b.mul(b), { accumulate }), [x, v]);
  });
  test("what does not fit is refused", () => {
    const x = grid();
    expect(() => x.indexPut([[3]], 0)).toThrow(IndexError);
    expect(() => x.indexPut([0, 0, 0], 0)).toThrow(/^indexPut: 3 indices/);
    expect(() => x.indexPut([0], tensor([1, 2]))).toThrow(ShapeError);
    expect(() => x.indexPut([0], tensor([1, 2, 3, 4], { dtype: "i32" }))).toThrow(DTypeError);
    expect(() => x.to("u8").indexPut([0], 300)).toThrow(ArgumentError);
    expect(() => x.indexPut([tensor([true, false])], 0)).toThrow(IndexError);
    expect(() => x.indexPut(0 as unknown as number[], 0)).toThrow(/one list/);
  });
});

test("asStrided takes elements of the flattened tensor, over each other too, and its gradient adds up", () => {
  const x = thaw.arange(6, { dtype: "f32" }).requiresGrad_();
  const windows = x.asStrided([2, 3], [2, 1], 1);
  expect(values(windows)).toEqual([1, 2, 3, 3, 4, 5]);
  windows.sum().backward();
  expect(values(x.grad!)).toEqual([0, 1, 1, 2, 1, 1]);
  expect(() => x.asStrided([2, 3], [3, 1], 1)).toThrow(/reaches element 6/);
  expect(() => x.asStrided([2], [1, 1])).toThrow(ShapeError);
  expect(values(x.asStrided([], [], 4))).toEqual([4]);
});

describe("unique", () => {
  const x = tensor([
    [3, 1],
    [1, 2],
    [3, 1],
  ]);
  test("of all elements, with where each is and how many", () => {
    const {
      values: v,
      inverse,
      counts,
    } = x.unique({ returnInverse: true, returnCounts: true }) as thaw.Unique<Tensor>;
    expect(values(v)).toEqual([1, 2, 3]);
    expect(inverse!.shape).toEqual([3, 2]);
    expect(values(inverse!)).toEqual([2, 0, 0, 1, 2, 0]);
    expect(values(counts!)).toEqual([3, 1, 2]);
    expect(values(v.at(inverse!))).toEqual(values(x));
  });
  test("of slices, in the order of their elements", () => {
    expect(values(x.unique({ dim: 0 }))).toEqual([1, 2, 3, 1]);
    const found = x.unique({ dim: -2, returnInverse: true }) as thaw.Unique<Tensor>;
    expect([values(found.inverse!), found.counts]).toEqual([[1, 0, 1], undefined]);
  });
  test("of neighbours", () => {
    const y = tensor([1, 1, 2, 2, 1, NaN, NaN]);
    expect(values(y.uniqueConsecutive())).toEqual([1, 2, 1, NaN, NaN]);
    const found = y.uniqueConsecutive({ returnCounts: true }) as thaw.Unique<Tensor>;
    expect(values(found.counts!)).toEqual([2, 2, 1, 1, 1]);
  });
  test("of nothing and of one, and not of a dimension that is not there", () => {
    expect(thaw.zeros([0]).unique().shape).toEqual([0]);
    expect(values(tensor(4).unique())).toEqual([4]);
    expect(() => x.unique({ dim: 2 })).toThrow(IndexError);
  });
});

test("where of a condition alone is where it holds; max and min of two tensors are of each two", () => {
  const x = grid();
  expect(thaw.where(x.gt(9)).map(values)).toEqual([
    [2, 2],
    [2, 3],
  ]);
  expect(values(x.argwhere().narrow(0, 0, 1))).toEqual([0, 1]);
  expect(values(x.max(tensor(10)))).toEqual([10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 11]);
  expect(values(x.min(tensor([0, 9, 0, 0])).at(2))).toEqual([0, 9, 0, 0]);
  expect(() => x.max(tensor([1, 2]))).toThrow(ShapeError);
  expect(() => x.max(0.5)).toThrow();
});

describe("in place, into another shape", () => {
  test("a tensor changes, a parameter refuses", () => {
    const x = thaw.zeros([1, 3]);
    expect(x.squeeze_().shape).toEqual([3]);
    expect(x.unsqueeze_(1).shape).toEqual([3, 1]);
    expect(x.t_().shape).toEqual([1, 3]);
    expect(x.transpose_(0, 1).shape).toEqual([3, 1]);
    const p = new Parameter(thaw.zeros([1, 3]));
    expect(() => thaw.noGrad(() => p.squeeze_())).toThrow(ShapeError);
    expect(p.shape).toEqual([1, 3]);
  });
  test("gradients flow through, and detach_ cuts them off", () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    const y = x.mul(2);
    y.unsqueeze_(0).sum().backward();
    expect(values(x.grad!)).toEqual([2, 2, 2]);
    const z = x.mul(2);
    expect(z.detach_()).toBe(z);
    expect([z.requiresGrad, z.isLeaf, values(z)]).toEqual([false, true, [2, 4, 6]]);
    expect(x.detach_().requiresGrad).toBe(false);
  });
});

describe("padding", () => {
  const row = tensor([[[1, 2, 3, 4]]]);
  test.each([
    ["reflect", [2, 3], [3, 2, 1, 2, 3, 4, 3, 2, 1]],
    ["replicate", [2, 1], [1, 1, 1, 2, 3, 4, 4]],
    ["circular", [2, 1], [3, 4, 1, 2, 3, 4, 1]],
    ["reflect", [-1, 1], [2, 3, 4, 3]],
    ["replicate", [-2, 1], [3, 4, 4]],
    // What comes round again is what is left.
    ["circular", [-1, 2], [2, 3, 4, 2, 3]],
  ] as const)("%s by %j", (mode, padding, want) => {
    expect(values(row.pad(padding, { mode }))).toEqual(want);
  });
  test("second derivatives come back from all copies", async () => {
    const x = thaw.randn([1, 3], { dtype: "f64", requiresGrad: true });
    for (const mode of ["reflect", "replicate", "circular"] as const)
      await checkSecondOrder((a) => a.mul(a).pad([1, 2], { mode }), [x]);
  });
  test("what does not fit is refused", () => {
    expect(() => row.pad([4, 0], { mode: "reflect" })).toThrow(/at most 3 at a side/);
    expect(() => row.pad([5, 0], { mode: "circular" })).toThrow(/at most 4 at a side/);
    expect(() => row.pad([1], { mode: "reflect" })).toThrow(ShapeError);
    expect(() => row.pad([1, 1], { mode: "reflect", value: 2 })).toThrow(ArgumentError);
    expect(() => tensor([1, 2]).pad([1, 1], { mode: "replicate" })).toThrow(/add them with unsqueeze/);
    expect(() => thaw.zeros([1, 1, 0]).pad([1, 1], { mode: "replicate" })).toThrow(ShapeError);
    expect(() => row.pad([1, 1], { mode: "mirror" as "reflect" })).toThrow(ArgumentError);
  });
});
