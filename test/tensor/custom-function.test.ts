import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import {
  checkpoint,
  customFunction,
  type FunctionContext,
  gradient,
  manualSeed,
  noGrad,
  ones,
  Parameter,
  randn,
  type Tensor,
  tensor,
} from "thaw/tensor";
import { gradcheck, gradgradcheck } from "thaw/testing";
import { trainStep } from "thaw/train";
import { describe, expect, test, vi } from "vitest";
import { ArgumentError, DTypeError, GradientError, ShapeError } from "../../src/base/errors.ts";

const leaf = (...data: number[]): Tensor => tensor(data, { dtype: "f64", requiresGrad: true });

/** x · y · scale, and eˣ. */
const productAndExp = customFunction(
  (ctx, x: Tensor, y: Tensor, scale: number): [Tensor, Tensor] => {
    const e = x.exp();
    ctx.saveForBackward(x, y, e);
    return [x.mul(y).mul(scale), e];
  },
  (ctx, g, h) => {
    const [x, y, e] = ctx.savedTensors as [Tensor, Tensor, Tensor];
    const scale = ctx.inputs[2];
    return [g.mul(y).mul(scale).add(h.mul(e)), g.mul(x).mul(scale), null];
  },
);

describe("gradients of its own", () => {
  test("are those that backward gives, also a second and a third time", async () => {
    const [x, y] = [leaf(0.3, -0.7), leaf(1.1, 0.4)];
    const fn = (a: Tensor, b: Tensor): Tensor => {
      const [p, e] = productAndExp(a, b, 3);
      return p.mul(e).sin();
    };
    expect(await gradcheck(fn, [x, y])).toBe(true);
    expect(await gradgradcheck(fn, [x, y])).toBe(true);
    const plain = x.mul(y).mul(3).mul(x.exp()).sin();
    const thrice = (z: Tensor): number[] => {
      const [first] = gradient(z.sum(), [x], { createGraph: true });
      const [second] = gradient(first!.sum(), [x], { createGraph: true });
      return [...gradient(second!.sum(), [x])[0]!.dataSync()];
    };
    const expected = thrice(plain);
    for (const [i, v] of thrice(fn(x, y)).entries()) expect(v).toBeCloseTo(expected[i]!, 9);
  });

  test("replace those of the value: straight-through estimators, and reversed gradients", () => {
    const roundThrough = customFunction(
      (_, x: Tensor) => x.round(),
      (_, g) => g,
    );
    const x = tensor([0.4, 1.6], { requiresGrad: true });
    const y = roundThrough(x);
    expect([...y.dataSync()]).toEqual([0, 2]);
    y.mul(tensor([3, 5]))
      .sum()
      .backward();
    expect([...x.grad!.dataSync()]).toEqual([3, 5]);
    const reverse = customFunction(
      (_, z: Tensor, _by: number) => z,
      (ctx, g) => [g.mul(-ctx.inputs[1]), null],
    );
    const [dx] = gradient(reverse(x, 0.5).sum(), [x]);
    expect([...dx!.dataSync()]).toEqual([-0.5, -0.5]);
  });

  test("are asked for once a call, with zeros, or null, where a result has none", () => {
    const given: (number[] | null)[][] = [];
    const two = (materializes: boolean) =>
      customFunction(
        (ctx, x: Tensor): [Tensor, Tensor, Tensor] => {
          ctx.setMaterializeGrads(materializes);
          return [x.mul(2), x.mul(3), x.gt(0)];
        },
        (_, ...gradients) => {
          given.push(gradients.map((g: Tensor | null) => g && [...g.dataSync()]));
          return gradients[0].mul(2);
        },
      );
    const x = tensor([1, 2], { requiresGrad: true });
    const [first, second, third] = two(true)(x);
    expect([first.requiresGrad, second.requiresGrad, third.requiresGrad]).toEqual([true, true, false]);
    first.add(first).sum().backward();
    two(false)(x)[0].sum().backward();
    expect(given).toEqual([
      [
        [2, 2],
        [0, 0],
        [0, 0],
      ],
      [[1, 1], null, null],
    ]);
    expect([...x.grad!.dataSync()]).toEqual([6, 6]);
  });

  test("may be null, and do not flow through what is marked", () => {
    const stop = customFunction(
      (ctx, x: Tensor, y: Tensor): [Tensor, Tensor] => {
        const marked = y.mul(2);
        ctx.markNonDifferentiable(marked);
        return [x.add(y), marked];
      },
      (_, g) => [null, g],
    );
    const [x, y] = [leaf(1), leaf(2)];
    const [sum, marked] = stop(x, y);
    expect(marked.requiresGrad).toBe(false);
    sum.sum().backward();
    expect(x.grad).toBe(null);
    expect([...y.grad!.dataSync()]).toEqual([1]);
  });

  test("have the dtype that values compute in, or their own", () => {
    const half = customFunction(
      (_, x: Tensor) => x.mul(2),
      (_, g) => {
        expect(g.dtype).toBe("f32");
        return g.mul(2).to("bf16");
      },
    );
    const x = tensor([1, 2], { dtype: "bf16", requiresGrad: true });
    half(x).sum().backward();
    expect(x.grad!.dtype).toBe("bf16");
    expect([...x.grad!.dataSync()]).toEqual([2, 2]);
  });

  test("are of what an argument stood for then", () => {
    const square = customFunction(
      (ctx, x: Tensor) => {
        ctx.saveForBackward(x);
        return x.mul(x);
      },
      (ctx, g) => g.mul(ctx.savedTensors[0]!).add(g.mul(ctx.inputs[0])),
    );
    const x = leaf(3);
    const doubled = x.mul(2);
    const y = square(doubled);
    doubled.add_(100);
    y.sum().backward();
    expect([...x.grad!.dataSync()]).toEqual([24]);
  });
});

test("without gradients, forward alone runs, and outside of autograd", () => {
  const seen: (readonly boolean[])[] = [];
  const twice = customFunction(
    (ctx, x: Tensor, y: Tensor) => {
      seen.push(ctx.needsInputGrad);
      expect(x.mul(2).requiresGrad).toBe(false);
      return x.mul(2).add(y);
    },
    () => {
      throw new Error("not asked for");
    },
  );
  expect(twice(ones([1]), ones([1])).requiresGrad).toBe(false);
  expect(noGrad(() => twice(leaf(1), leaf(1))).requiresGrad).toBe(false);
  expect(twice(leaf(1), leaf(1).detach()).requiresGrad).toBe(true);
  expect(seen).toEqual([
    [false, false],
    [false, false],
    [true, false],
  ]);
});

/** x · weightᵀ, which notes what is asked of it. */
class Counted extends nn.Module {
  weight = new Parameter(randn([3, 3]));
  readonly asked: (readonly boolean[])[] = [];
  readonly product = customFunction(
    (ctx: FunctionContext<[Tensor, Tensor]>, x: Tensor, w: Tensor) => {
      ctx.saveForBackward(x, w);
      return x.matmul(w.t());
    },
    (ctx, g) => {
      this.asked.push(ctx.needsInputGrad);
      const [x, w] = ctx.savedTensors as [Tensor, Tensor];
      return [ctx.needsInputGrad[0] ? g.matmul(w) : null, ctx.needsInputGrad[1] ? g.t().matmul(x) : null];
    },
  );

  forward(x: Tensor): Tensor {
    return this.product(x, this.weight);
  }
}

describe("in a step", () => {
  test("trains as the same layer without, and is not asked for what is frozen, in blocks that are computed again too", async () => {
    const bits: string[] = [];
    for (const kind of ["plain", "custom", "checkpointed"]) {
      manualSeed(5);
      const layers = [new Counted(), new Counted()];
      const net = new nn.Sequential(...layers);
      const plain = (x: Tensor): Tensor => layers.reduce((h, l) => h.matmul(l.weight.t()).tanh(), x);
      const custom = (x: Tensor): Tensor =>
        layers.reduce((h, l) => {
          const forward = (z: Tensor): Tensor => l.forward(z).tanh();
          return kind === "custom" ? forward(h) : checkpoint(forward, h);
        }, x);
      const step = trainStep(new optim.AdamW(net, { lr: 0.1, weightDecay: 0.1 }), {
        loss: (_: string, x: Tensor) => (kind === "plain" ? plain(x) : custom(x)).pow(2).mean(),
        trains: (what: string) => what,
        verify: true,
      });
      const x = randn([4, 3]);
      for (const what of ["**", "**", "1.**", "0.**"]) await step(what, x);
      bits.push(layers.map((l) => [...l.weight.dataSync()].join()).join());
      if (kind === "custom") {
        const asked = layers.map((l) => l.asked.map((a) => a.map(Number).join("")).join(" "));
        // Recorded at the first call of each kind, and compared at the second.
        expect(asked).toEqual(["01 01 01", "11 11 01 10"]);
      }
    }
    expect(bits[1]).toBe(bits[0]);
    expect(bits[2]).toBe(bits[0]);
  });

  test("a number that only backward knows is followed where it changes", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const p = new nn.ParameterList([ones([1])]);
    let factor = 1;
    const scaled = customFunction(
      (_, x: Tensor) => x.mul(1),
      (_, g) => g.mul(factor),
    );
    const step = trainStep(new optim.SGD(p, { lr: 1 }), {
      loss: () => scaled(p.at(0)!).sum(),
      trains: "**",
    });
    const values: number[] = [];
    for (factor of [1, 2, 4, 8]) {
      await step();
      values.push(p.at(0)!.itemSync() as number);
    }
    expect(values).toEqual([0, -2, -6, -14]);
    expect(warn.mock.calls.flat().join()).toContain("A number it closes over has changed: 1 became 2");
    warn.mockRestore();
  });

  test("rows train alone", async () => {
    const layer = new Counted();
    const before = [...layer.weight.dataSync()];
    const step = trainStep(new optim.SGD(layer, { lr: 1 }), {
      loss: (x: Tensor) => layer.forward(x).sum(),
      trains: "weight[1:2]",
    });
    await step(ones([2, 3]));
    expect([...layer.weight.dataSync()]).toEqual(
      before.map((w, i) => (i >= 3 && i < 6 ? Math.fround(w - 2) : w)),
    );
  });
});

describe("refuses", () => {
  const x = tensor([1, 2], { requiresGrad: true });
  const run = (backward: (ctx: FunctionContext<[Tensor, number]>, g: Tensor) => unknown) => (): void =>
    customFunction(
      (_: FunctionContext<[Tensor, number]>, a: Tensor, _k: number) => a.mul(2),
      backward as never,
    )(x, 3)
      .sum()
      .backward();

  test.each([
    [
      "too few",
      (_: unknown, g: Tensor) => [g],
      GradientError,
      "backward gave 1 gradient for 2 arguments; give one for each",
    ],
    [
      "one by itself for two arguments",
      (_: unknown, g: Tensor) => g,
      GradientError,
      "1 gradient for 2 arguments",
    ],
    [
      "too many",
      (_: unknown, g: Tensor) => [g, null, g],
      GradientError,
      "backward gave 3 gradients for 2 arguments",
    ],
    ["none at all", () => undefined, GradientError, "1 gradient for 2 arguments"],
    [
      "one of what is no tensor",
      (_: unknown, g: Tensor) => [g, g],
      GradientError,
      "a gradient for argument 1, which is 3 and no tensor",
    ],
    [
      "what is no gradient",
      () => [4, null],
      GradientError,
      "backward gave 4 as the gradient of argument 0; give a tensor, or null",
    ],
    [
      "another shape",
      (_: unknown, g: Tensor) => [g.sum(), null],
      ShapeError,
      "a gradient of shape [] for argument 0 of shape [2]",
    ],
    [
      "a shape that broadcasts",
      (_: unknown, g: Tensor) => [g.reshape([1, 2]), null],
      ShapeError,
      "[1, 2] for argument 0 of shape [2]",
    ],
    [
      "another dtype",
      (_: unknown, g: Tensor) => [g.to("f64"), null],
      DTypeError,
      'a gradient of f64 for argument 0 of f32; cast it with to("f32")',
    ],
    ["integers", (_: unknown, g: Tensor) => [g.to("i32"), null], DTypeError, "a gradient of i32"],
    ["a promise", async () => [null, null], ArgumentError, "backward gave a promise"],
  ])("a backward pass that gives %s", (_, backward, error, message) => {
    expect(run(backward as never)).toThrow(error);
    expect(run(backward as never)).toThrow(message);
    expect(x.grad).toBe(null);
  });

  test("nulls beyond the arguments are nothing", () => {
    run((_, g) => [g, null, null])();
    expect([...x.grad!.dataSync()]).toEqual([1, 1]);
    x.grad = null;
  });

  test("a forward pass that gives no tensor or a promise, and what is no function or tensor", () => {
    const backward = (): null => null;
    expect(() => customFunction(3 as never, backward as never)).toThrow(
      "customFunction: forward is 3; it must be a function",
    );
    expect(() => customFunction((() => 3) as never, backward as never)()).toThrow(
      "forward gave 3; it must give a tensor",
    );
    expect(() => customFunction((async () => x) as never, backward as never)()).toThrow(
      "forward gave a promise",
    );
    expect(() =>
      customFunction(
        (ctx, a: Tensor) => {
          ctx.saveForBackward(3 as never);
          return a;
        },
        (_, g) => g,
      )(x),
    ).toThrow("saveForBackward: argument 0 is 3; it takes tensors");
  });
});
