import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import { groupNorm, ones, randn, rmsNorm, type Tensor, tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, ShapeError } from "../../src/base/errors.ts";

const close = (values: readonly number[]) => values.map((v) => expect.closeTo(v, 5));

test("RMSNorm takes eps from the dtype where none is told", () => {
  const small = tensor([[1e-4, 1e-4]]);
  const norm = new nn.RMSNorm(2);
  const share = 1e-4 / Math.sqrt(1e-8 + 2 ** -23);
  expect(Array.from(norm.forward(small).dataSync())).toEqual(close([share, share]));
  const wide = rmsNorm(small.to("f64"), [2]);
  expect(wide.dtype).toBe("f64");
  expect(wide.dataSync()[0]).toBeCloseTo(1 / Math.sqrt(1 + 2 ** -52 / 1e-8), 6);
  expect(rmsNorm(small, [2], null, 0).dataSync()[0]).toBeCloseTo(1, 6);
  expect(rmsNorm(small.to("bf16"), [2]).dtype).toBe("f32");
});

test("GroupNorm of one group is LayerNorm of a sample, of each channel by itself instance norm", () => {
  const x = randn([2, 6, 5]);
  const one = new nn.GroupNorm(1, 6).forward(x);
  const layer = new nn.LayerNorm([6, 5]).forward(x);
  expect(Array.from(one.dataSync())).toEqual(close(Array.from(layer.dataSync())));
  const each = new nn.GroupNorm(6, 6, { affine: false }).forward(x);
  expect(Array.from(each.mean(2).dataSync())).toEqual(close(Array(12).fill(0)));
});

test("norms name what does not fit, and take empty batches", () => {
  expect(() => new nn.RMSNorm(3).forward(zeros([4, 5]))).toThrow(/\[4, 5\].*\[3\]/);
  expect(() => new nn.RMSNorm(3).forward(zeros([]))).toThrow(ShapeError);
  expect(() => new nn.RMSNorm([])).toThrow(ArgumentError);
  expect(() => rmsNorm(zeros([2, 3]), [3], ones([2]))).toThrow(/weight has shape \[3\], not \[2\]/);
  expect(() => rmsNorm(zeros([2], { dtype: "i32" }), [2])).toThrow(DTypeError);
  expect(new nn.RMSNorm(3).forward(zeros([0, 3])).shape).toEqual([0, 3]);
  expect(() => new nn.GroupNorm(4, 6)).toThrow(/6 channels do not divide into 4 groups/);
  expect(() => new nn.GroupNorm(0, 6)).toThrow(/numGroups is 0/);
  expect(() => new nn.GroupNorm(2, 6).forward(zeros([1, 4, 2]))).toThrow(/has 4 channels, this layer 6/);
  expect(() => new nn.GroupNorm(2, 6).forward(zeros([6]))).toThrow(ShapeError);
  expect(() => groupNorm(zeros([1, 6, 2]), 4)).toThrow(ArgumentError);
  expect(() => groupNorm(zeros([1, 6, 2]), 3, ones([3]))).toThrow(/weight has shape \[3\].*\[6\]/);
  // Each value would be its own mean.
  expect(() => groupNorm(zeros([1, 4]), 4)).toThrow(/one value/);
  expect(groupNorm(zeros([2, 4]), 4).shape).toEqual([2, 4]);
  expect(new nn.GroupNorm(2, 4).forward(zeros([0, 4, 3])).shape).toEqual([0, 4, 3]);
  expect(() => groupNorm(zeros([2, 4], { dtype: "i32" }), 2)).toThrow(DTypeError);
});

test("norms print as PyTorch's, and begin anew with resetParameters", () => {
  expect(String(new nn.RMSNorm([2, 3]))).toBe("RMSNorm((2, 3), eps=None, elementwise_affine=True)");
  expect(String(new nn.RMSNorm(4, { eps: 1e-6, elementwiseAffine: false }))).toBe(
    "RMSNorm((4,), eps=1e-06, elementwise_affine=False)",
  );
  const norm = new nn.GroupNorm(2, 4, { bias: false });
  expect(String(norm)).toBe("GroupNorm(2, 4, eps=1e-05, affine=True, bias=False)");
  norm.loadStateDict({ weight: tensor([1, 2, 3, 4]) });
  norm.resetParameters();
  expect(norm.weight!.toArraySync()).toEqual([1, 1, 1, 1]);
});

/** Kernels of a step that trains a module, by what they are. */
async function kernelsOf(net: nn.Layer, x: Tensor): Promise<{ contract: number; loop: number }> {
  const step = trainStep(new optim.SGD(net, { lr: 0.01 }), {
    module: net,
    loss: (input: Tensor) => net.forward(input).square().sum(),
    trains: "**",
  });
  await step(x);
  const { kernels } = step.plan!.explain();
  const count = (kind: string): number => kernels.filter((k) => k.kind === kind).length;
  return { contract: count("contract"), loop: kernels.length - count("contract") };
}

describe("gates and norms fuse", () => {
  class Gated extends nn.Module {
    up = new nn.Linear(64, 256, { bias: false });
    down = new nn.Linear(128, 64, { bias: false });
    forward(x: Tensor): Tensor {
      const [gate, value] = this.up.forward(x).chunk(2, -1) as [Tensor, Tensor];
      return this.down.forward(gate.silu().mul(value));
    }
  }
  class Apart extends nn.Module {
    gate = new nn.Linear(64, 128, { bias: false });
    up = new nn.Linear(64, 128, { bias: false });
    down = new nn.Linear(128, 64, { bias: false });
    forward(x: Tensor): Tensor {
      return this.down.forward(this.gate.forward(x).silu().mul(this.up.forward(x)));
    }
  }
  class GatedLinear extends nn.Module {
    up = new nn.Linear(64, 256, { bias: false });
    glu = new nn.GLU();
    down = new nn.Linear(128, 64, { bias: false });
    forward(x: Tensor): Tensor {
      return this.down.forward(this.glu.forward(this.up.forward(x)));
    }
  }
  // The loss is one loop. What is packed is gated in a loop of its own, and has its gradients put side by side, a copy each.
  test.each([
    ["SwiGLU of two products", () => new Apart(), 7, 0],
    ["SwiGLU of one product", () => new Gated(), 5, 3],
    ["GLU", () => new GatedLinear(), 5, 3],
  ] as const)("%s into its products", async (_, make, contract, loop) => {
    const found = await kernelsOf(make(), randn([32, 64]));
    expect(found.contract).toBe(contract);
    expect(found.loop).toBeLessThanOrEqual(loop + 1);
  });
  test("RMSNorm, forward and backward, into a loop over rows", async () => {
    const net = new nn.Sequential(new nn.Linear(64, 64, { bias: false }), new nn.RMSNorm(64));
    // Beside the product and its gradient: rows, the sum for the weight, the sum of the loss.
    expect(await kernelsOf(net, randn([32, 64]))).toEqual({
      contract: 2,
      loop: expect.toSatisfy((n: number) => n <= 3),
    });
  });
});
