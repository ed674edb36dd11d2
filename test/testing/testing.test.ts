import { customFunction, manualSeed, ones, rand, type Tensor, tensor } from "thaw/tensor";
import { assertClose, gradcheck, gradgradcheck } from "thaw/testing";
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

  test("counts what differs, and tells where most; gives false where that is asked for", async () => {
    const wrong = (a: Tensor): Tensor => a.mul(a.detach());
    await expect(gradcheck(wrong, [f64([1, 2])])).rejects.toThrow(
      /; 2 of 4 such pairs differ, most output 0 \[1\] by input 0 \[1\]: autograd gives 2, differences (4|3\.99)/,
    );
    expect(await gradcheck(wrong, [f64([1, 2])], { raiseException: false })).toBe(false);
    expect(await gradcheck(wrong, [f64([1, 2])], { atol: 3 })).toBe(true);
  });

  test("refuses a function, or a backward pass, that gives something else each time", async () => {
    const noisy = (a: Tensor): Tensor => a.mul(rand([1], { dtype: "f64" }));
    await expect(gradcheck(noisy, [f64([1])])).rejects.toThrow("when the function is called again");
    const seeded = (a: Tensor): Tensor => {
      manualSeed(1);
      return noisy(a);
    };
    expect(await gradcheck(seeded, [f64([1])])).toBe(true);
    let by = 2;
    const drifting = customFunction(
      (_, a: Tensor) => a.mul(2),
      (_, g) => g.mul((by += 1e-9)),
    );
    await expect(gradcheck(drifting, [f64([1])])).rejects.toThrow(/when it is asked again.*nondetTol/);
    expect(await gradcheck(drifting, [f64([1])], { nondetTol: 1e-6 })).toBe(true);
  });

  test("checks second derivatives, of several inputs and outputs", async () => {
    const fn = (a: Tensor, b: Tensor): Tensor[] => [a.mul(b).sin(), a.detach(), b.pow(3).sum()];
    expect(await gradgradcheck(fn, [f64([0.3, 0.4]), f64([1.2, -0.5])])).toBe(true);
    expect(
      await gradgradcheck(fn, [f64([0.3]), f64([1.2])], { gradOutputs: [f64([2]), f64([3]).sum()] }),
    ).toBe(true);
    // Its first derivative is right, and the second that follows from it is not.
    const wrong = customFunction(
      (_, a: Tensor) => a.pow(3),
      (ctx, g) => g.mul(ctx.inputs[0].detach().pow(2)).mul(3),
    );
    expect(await gradcheck(wrong, [f64([0.5])])).toBe(true);
    await expect(gradgradcheck(wrong, [f64([0.5])])).rejects.toThrow(
      /^gradgradcheck: the gradient by input 0 \[0\] by input 0 \[0\]: autograd gives 0, differences/,
    );
    expect(await gradgradcheck(wrong, [f64([0.5])], { raiseException: false })).toBe(false);
    await expect(gradgradcheck((a) => a.detach(), [f64([1])])).rejects.toThrow(
      "no output requires a gradient",
    );
    await expect(gradgradcheck(wrong, [f64([1])], { gradOutputs: [f64([1, 2])] })).rejects.toThrow(
      "gradOutputs have shapes [2], the outputs that require a gradient [1]",
    );
    await expect(gradgradcheck(wrong, [tensor([1])])).rejects.toThrow(
      "gradgradcheck: no input requires a gradient",
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
