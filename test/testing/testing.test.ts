import { ones, type Tensor, tensor } from "thaw/tensor";
import { assertClose, gradcheck } from "thaw/testing";
import { describe, expect, test } from "vitest";
import { ArgumentError, GradientError } from "../../src/base/errors.ts";

const f64 = (data: number[] | number[][]): Tensor => tensor(data, { dtype: "f64", requiresGrad: true });

describe("gradcheck", () => {
  test("passes a function whose gradient is right, of several inputs and outputs", async () => {
    await gradcheck(
      (a, b) => [a.matmul(b).tanh(), a.sum().mul(b.exp())],
      [
        f64([
          [0.1, 0.2],
          [-0.3, 0.4],
        ]),
        f64([[1], [0.5]]),
      ],
    );
  });

  test("leaves out inputs that require no gradient", async () => {
    await gradcheck((a, b) => a.mul(b), [f64([1, 2]), tensor([3, 4])]);
  });

  test("tells where a gradient is wrong", async () => {
    // Autograd sees a constant factor where there is a square.
    const wrong = (a: Tensor): Tensor => a.mul(a.detach());
    await expect(gradcheck(wrong, [f64([1, 2])])).rejects.toThrow(GradientError);
    await expect(gradcheck(wrong, [f64([1, 2])])).rejects.toThrow(
      /gradcheck: output 0 \[0\] by input 0 \[0\]: autograd gives 1, differences (2|1\.99)/,
    );
    await expect(gradcheck((a) => a.detach().mul(2), [f64([1])])).rejects.toThrow(
      "autograd gives 0, differences",
    );
  });

  test("says what it cannot check", async () => {
    await expect(gradcheck((a) => a, [tensor([1])])).rejects.toThrow("no input requires a gradient");
    await expect(gradcheck((a) => a, [tensor([1], { requiresGrad: true })])).rejects.toThrow(ArgumentError);
  });
});

describe("assertClose", () => {
  test("passes what is close, by the tolerance of the dtype or its own", async () => {
    await assertClose(tensor([1, 2]), tensor([1, 2.000001]));
    await assertClose(tensor([1, 2]), tensor([1, 2.01]), { atol: 0.1 });
    await assertClose(
      tensor([Number.NaN, Number.POSITIVE_INFINITY]),
      tensor([Number.NaN, Number.POSITIVE_INFINITY]),
      { equalNan: true },
    );
  });

  test("tells how many elements differ, and where most", async () => {
    await expect(
      assertClose(
        tensor([
          [1, 2],
          [3, 4],
        ]),
        tensor([
          [1, 2.5],
          [9, 4],
        ]),
      ),
    ).rejects.toThrow("assertClose: 2 of 4 elements differ; most at [1, 0]: 3 and 9 (expected)");
    await expect(assertClose(tensor([Number.NaN]), tensor([Number.NaN]))).rejects.toThrow(
      "1 of 1 elements differ",
    );
    await expect(assertClose(tensor([1]), tensor([Number.POSITIVE_INFINITY]))).rejects.toThrow("Infinity");
    await expect(assertClose(ones([2]), ones([3]))).rejects.toThrow(
      "the shapes differ: [2] and [3] (expected)",
    );
    await expect(assertClose(ones([1]), ones([1], { dtype: "i32" }))).rejects.toThrow(
      "the dtypes differ: f32 and i32",
    );
    await expect(assertClose(tensor([1], { dtype: "i32" }), tensor([2], { dtype: "i32" }))).rejects.toThrow(
      "allowed are 0 + 0",
    );
  });
});
