import * as thaw from "thaw/tensor";
import { eye, linalg, masked, type Tensor, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, ShapeError } from "../../src/base/errors.ts";
import { settings } from "../../src/base/settings.ts";
import { checkSecondOrder } from "./second-derivatives.ts";

// Values, gradients and errors are compared with PyTorch's on every backend in test/oracle/samples; here is what that lacks.
settings.backend = "reference";

const values = (x: Tensor): number[] => [...x.dataSync()];
const matrix = (): Tensor =>
  tensor(
    [
      [0, 2],
      [3, 1],
    ],
    { dtype: "f64", requiresGrad: true },
  );
const rows = (): Tensor => tensor([[1], [-2]], { dtype: "f64", requiresGrad: true });

describe("second derivatives", () => {
  const cases: [string, (a: Tensor, b: Tensor) => Tensor][] = [
    ["inv", (a) => linalg.inv(a)],
    ["det", (a) => linalg.det(a)],
    ["solve", (a, b) => linalg.solve(a, b)],
    ["solveTriangular", (a, b) => linalg.solveTriangular(a.add(eye(2)), b, { upper: true })],
    [
      "solveTriangular at the right",
      (a, b) => linalg.solveTriangular(a.add(eye(2)), b.mT, { upper: false, left: false }),
    ],
    ["norm", (a) => linalg.norm(a, "fro")],
  ];
  test.each(cases)("%s", async (_, of) => {
    await checkSecondOrder(of, [matrix(), rows()]);
  });
});

test("a first pivot of 0 is passed over, and rows that were swapped count in the determinant", () => {
  const a = tensor([
    [0, 1],
    [1, 0],
  ]);
  expect(values(linalg.inv(a))).toEqual([0, 1, 1, 0]);
  expect(linalg.det(a).itemSync()).toBe(-1);
  expect(linalg.det(eye(3).mul(2)).itemSync()).toBe(8);
  expect(values(linalg.det(thaw.zeros([2, 0, 0])))).toEqual([1, 1]);
  expect(linalg.inv(thaw.zeros([0, 0])).shape).toEqual([0, 0]);
});

test("batches broadcast, and a vector is a column", () => {
  const a = thaw.stack([eye(2).mul(2), eye(2).mul(4)]);
  expect(values(linalg.solve(a, tensor([[4, 8]]).mT))).toEqual([2, 4, 1, 2]);
  expect(linalg.solve(eye(2), tensor([3, 4])).shape).toEqual([2]);
  expect(
    values(
      linalg.solve(
        a,
        tensor([
          [4, 8],
          [4, 8],
        ]),
      ),
    ),
  ).toEqual([2, 4, 1, 2]);
});

test("a triangle's other side is not looked at, nor its diagonal where that is taken for ones", () => {
  const a = tensor([
    [2, NaN],
    [3, 4],
  ]);
  expect(values(linalg.solveTriangular(a, tensor([[2], [7]]), { upper: false }))).toEqual([1, 1]);
  const unit = tensor([
    [NaN, NaN],
    [3, NaN],
  ]);
  expect(
    values(linalg.solveTriangular(unit, tensor([[2], [7]]), { upper: false, unitriangular: true })),
  ).toEqual([2, 1]);
});

test("norms of matrices", () => {
  const a = tensor([
    [1, -2],
    [3, 4],
  ]);
  expect([1, -1, Infinity, -Infinity].map((ord) => linalg.norm(a, ord).itemSync())).toEqual([6, 4, 7, 3]);
  expect(linalg.norm(a, 1, { keepdim: true }).shape).toEqual([1, 1]);
  expect(values(linalg.norm(thaw.stack([a, a.mul(2)]), 1, { dim: [1, 2] }))).toEqual([6, 12]);
  expect(values(linalg.vectorNorm(a, 1, { dim: -1 }))).toEqual([3, 7]);
});

test("what does not fit is refused", () => {
  expect(() => linalg.inv(thaw.ones([2, 3]))).toThrow(
    new ShapeError("linalg.inv: takes a square matrix, or a batch of them, not shape [2, 3]"),
  );
  expect(() => linalg.det(thaw.ones([2, 2], { dtype: "i32" }))).toThrow(DTypeError);
  expect(() => linalg.solve(eye(2), eye(3))).toThrow(ShapeError);
  expect(() => linalg.solve(eye(2), eye(2, 2, { dtype: "f64" }))).toThrow(DTypeError);
  expect(() => linalg.solveTriangular(eye(2), eye(2), {} as { upper: boolean })).toThrow(
    /say which triangle/,
  );
  expect(() => linalg.norm(eye(2), "max")).toThrow(ArgumentError);
  expect(() => linalg.norm(thaw.ones([2, 2, 2]), 1)).toThrow(/give dim/);
});

describe("masked reductions", () => {
  const x = tensor(
    [
      [1, NaN, 3],
      [4, 5, 6],
    ],
    { requiresGrad: true },
  );
  const mask = tensor([
    [true, false, true],
    [false, false, false],
  ]);
  test("leave out what the mask leaves out, and its gradient", () => {
    expect(values(masked.sum(x, 1, { mask }))).toEqual([4, 0]);
    expect(values(masked.mean(x, 1, { mask }))).toEqual([2, NaN]);
    expect(values(masked.var(x, 1, { mask }))[0]).toBe(2);
    expect(values(masked.std(x, 1, { mask, correction: 0 }))[0]).toBe(1);
    masked.mean(x.narrow(0, 0, 1), null, { mask: mask.narrow(0, 0, 1) }).backward();
    expect(values(x.grad!)).toEqual([0.5, 0, 0.5, 0, 0, 0]);
  });
  test("without a mask are those of all; masks broadcast, and are bool", () => {
    expect(masked.mean(tensor([1, 2, 6])).itemSync()).toBe(3);
    expect(
      values(masked.sum(thaw.ones([2, 3]), 0, { mask: tensor([true, false, true]), keepdim: true })),
    ).toEqual([2, 0, 2]);
    expect(() => masked.sum(x, 0, { mask: thaw.ones([3]) })).toThrow(DTypeError);
    expect(() => masked.sum(x, 0, { mask: tensor([true, false]) })).toThrow(ShapeError);
  });
});

test("cov takes weights of observations", () => {
  const m = tensor([
    [1, 2, 4],
    [0, 3, 1],
  ]);
  const twice = tensor([
    [1, 1, 2, 4],
    [0, 0, 3, 1],
  ]);
  const fweights = tensor([2, 1, 1], { dtype: "i32" });
  expect(values(m.cov({ fweights }))).toEqual(values(twice.cov()));
  expect(m.cov({ aweights: tensor([1, 1, 1]) }).shape).toEqual([2, 2]);
  expect(m.narrow(0, 0, 1).cov().shape).toEqual([]);
  expect(() => m.cov({ fweights: tensor([1, 1, 1]) })).toThrow(DTypeError);
  expect(() => m.cov({ fweights: tensor([1, -1, 1], { dtype: "i32" }) })).toThrow(ArgumentError);
  expect(() => m.cov({ aweights: tensor([1]) })).toThrow(ShapeError);
});
