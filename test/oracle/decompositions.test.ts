import { GradientError, gradient, linalg, ones, type Tensor, tensor, zeros } from "thaw";
import { describe, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { readFixture } from "./fixture.ts";

// Decompositions of matrices against PyTorch's, of f64: of what does not depend on the signs of vectors the values, their
// gradient, and the gradient of that. Rank-deficient matrices, f32 and what cannot be are below.

interface Case {
  readonly name: string;
  readonly shape: number[];
  readonly a: number[];
  readonly values: number[][];
  readonly gradient: number[];
  readonly second: number[];
}

interface Values {
  readonly shape: number[];
  readonly a: number[];
  readonly svdvals: number[];
  readonly pinv: number[];
}

const { cases, values } = readFixture<{ cases: Case[]; values: Values[] }>("decompositions.json.gz");

const weights = (x: Tensor, step = 1): Tensor =>
  tensor(
    Array.from({ length: x.numel }, (_, i) => Math.cos(i * step + 1)),
    { dtype: "f64" },
  ).reshape([...x.shape]);
const weighed = (...all: Tensor[]): Tensor =>
  all
    .map((x, i) =>
      weights(x, 1 + i / 2)
        .mul(x)
        .sum(),
    )
    .reduce((a, b) => a.add(b));
/** A basis, numbers for its columns, and another basis, as one matrix. */
const together = (u: Tensor, s: Tensor, vh: Tensor): Tensor => u.mul(s.unsqueeze(-2)).matmul(vh);
const positive = (a: Tensor): Tensor => a.matmul(a.mT).add(tensor(unit(a.shape.at(-2)!), { dtype: "f64" }));
const unit = (n: number): number[][] =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));

const functions: Record<string, (a: Tensor) => Tensor[]> = {
  qr: (a) => {
    const { Q, R } = linalg.qr(a);
    return [Q!, R];
  },
  eigh: (a) => {
    const { eigenvalues: w, eigenvectors: v } = linalg.eigh(a);
    return [w, v.square(), together(v, w.sin(), v.mT)];
  },
  "eigh of the upper triangle": (a) => {
    const { eigenvalues: w, eigenvectors: v } = linalg.eigh(a, { UPLO: "U" });
    return [w, v.square()];
  },
  eigvalsh: (a) => [linalg.eigvalsh(a)],
  svd: (a) => {
    const { U, S, Vh } = linalg.svd(a, { fullMatrices: false });
    return [S, U.square(), Vh.square(), together(U, S.cos(), Vh)];
  },
  "svd with whole bases": (a) => {
    const { U, S, Vh } = linalg.svd(a);
    const k = S.shape.at(-1)!;
    return [S, U.narrow(-1, 0, k).square(), Vh.narrow(-2, 0, k).square()];
  },
  svdvals: (a) => [linalg.svdvals(a)],
  pinv: (a) => [linalg.pinv(a)],
  "pinv of a symmetric matrix": (a) => [linalg.pinv(a.add(a.mT), { hermitian: true })],
  "pinv with bounds": (a) => [linalg.pinv(a, { rtol: 0.3 }), linalg.pinv(a, { atol: 0.5 })],
  cholesky: (a) => [linalg.cholesky(positive(a))],
  "cholesky, upper": (a) => [linalg.cholesky(positive(a), { upper: true })],
  norm: (a) => (["nuc", 2, -2] as const).map((ord) => linalg.norm(a, ord, { dim: [-2, -1] })),
};

function expectClose(found: Tensor, wanted: readonly number[], within = 1e-9): void {
  const size = Math.max(1, ...wanted.map(Math.abs));
  const got = [...found.dataSync()];
  expect(got).toHaveLength(wanted.length);
  for (const [i, value] of got.entries()) expect(Math.abs(value - wanted[i]!) / size).toBeLessThan(within);
}

describe.each(["reference", "wasm"] as const)("%s", (backend) => {
  test.each(Object.keys(functions))("%s", (name) => {
    settings.backend = backend;
    for (const { shape, a: data, ...wanted } of cases.filter((one) => one.name === name)) {
      const a = tensor(data, { dtype: "f64" }).reshape(shape).detach().requiresGrad_(true);
      const found = functions[name]!(a);
      for (const [i, value] of found.entries()) expectClose(value, wanted.values[i]!);
      const slope = gradient(weighed(...found), [a], { createGraph: true })[0]!;
      expectClose(slope, wanted.gradient, 1e-7);
      if (wanted.second.some((x) => x !== 0))
        expectClose(gradient(weighed(slope), [a])[0]!, wanted.second, 1e-6);
    }
  });

  test("ranks that are not full, values that are equal, and zeros", () => {
    settings.backend = backend;
    for (const { shape, a: data, ...wanted } of values) {
      const a = tensor(data, { dtype: "f64" }).reshape(shape);
      expectClose(linalg.svdvals(a), wanted.svdvals);
      expectClose(linalg.pinv(a), wanted.pinv);
      const { U, S, Vh } = linalg.svd(a);
      const [m, n] = shape as [number, number];
      expectClose(U.mT.matmul(U), unit(m).flat());
      expectClose(Vh.matmul(Vh.mT), unit(n).flat());
      const k = Math.min(m, n);
      expectClose(together(U.narrow(-1, 0, k), S, Vh.narrow(-2, 0, k)), data);
    }
  });

  test("f32 to a few units in the last place, also of numbers whose squares it has not", () => {
    settings.backend = backend;
    const data = Array.from({ length: 48 }, (_, i) => Math.sin(i * i + 1));
    for (const scale of [1, 1e-30, 1e30]) {
      const a = tensor(data.map((x) => x * scale)).reshape([8, 6]);
      const { Q, R } = linalg.qr(a);
      const { U, S, Vh } = linalg.svd(a, { fullMatrices: false });
      for (const made of [Q!.matmul(R), together(U, S, Vh)]) expectClose(made.div(scale), data, 1e-5);
      const s = linalg.svdvals(tensor(data, { dtype: "f64" }).reshape([8, 6]));
      expectClose(S.div(scale), [...s.dataSync()], 1e-5);
    }
  });
});

test("nothing, NaN, and what cannot be", () => {
  settings.backend = "reference";
  expect(linalg.qr(zeros([0, 3])).R.shape).toEqual([0, 3]);
  expectClose(linalg.qr(zeros([3, 0]), { mode: "complete" }).Q!, unit(3).flat());
  expect(linalg.qr(ones([3, 2]), { mode: "r" }).Q).toBeNull();
  expect(linalg.svd(zeros([0, 2, 3])).Vh.shape).toEqual([0, 3, 3]);
  expectClose(linalg.svd(zeros([0, 3])).Vh, unit(3).flat());
  expect(linalg.svdvals(zeros([3, 0])).shape).toEqual([0]);
  expect(linalg.eigh(zeros([0, 0])).eigenvectors.shape).toEqual([0, 0]);
  expect(linalg.pinv(zeros([0, 3])).shape).toEqual([3, 0]);
  expect(linalg.cholesky(zeros([0, 0])).shape).toEqual([0, 0]);
  const broken = tensor([
    [1, NaN],
    [NaN, 1],
  ]);
  expect([...linalg.svdvals(broken).dataSync()].every(Number.isNaN)).toBe(true);
  expect([...linalg.eigvalsh(broken).dataSync()].every(Number.isNaN)).toBe(true);
  // The other triangle is not looked at.
  const half = tensor([
    [2, NaN],
    [1, 2],
  ]);
  expectClose(linalg.eigvalsh(half), [1, 3], 1e-6);
  expectClose(linalg.cholesky(half), [Math.SQRT2, 0, Math.SQRT1_2, Math.sqrt(1.5)], 1e-6);
  expect(linalg.cholesky(tensor([[-1]])).itemSync()).toBeNaN();
  expect(() => linalg.eigh(ones([2, 3]))).toThrow(/linalg.eigh: takes a square matrix/);
  expect(() => linalg.svd(ones([3]))).toThrow(/linalg.svd: takes a matrix/);
  expect(() => linalg.qr(ones([2, 2], { dtype: "i32" }))).toThrow(/linalg.qr: takes a floating-point tensor/);
  expect(() => linalg.pinv(ones([2, 2]), { rtol: -1 })).toThrow(/rtol is -1; it must be 0 or more/);
  expect(() => linalg.qr(ones([2, 2]), { mode: "full" as "r" })).toThrow(/"reduced", "complete"/);
  const tall = ones([3, 2]).requiresGrad_(true);
  const complete = linalg.qr(tall, { mode: "complete" }).Q!;
  expect(() => gradient(complete.sum(), [tall])).toThrow(GradientError);
});
