import { freeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { functionalCall } from "thaw/nn";
import { SGD } from "thaw/optim";
import {
  Buffer,
  capture,
  gradient,
  manualSeed,
  noGrad,
  ones,
  Parameter,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "thaw/tensor";
import { trainStep } from "thaw/train";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, StateDictError } from "../../src/base/errors.ts";

class Tied extends nn.Module {
  embedding = new nn.Embedding(4, 3);
  head = new nn.Linear(3, 4, { bias: false });
  constructor() {
    super();
    this.head.weight = this.embedding.weight;
  }
  forward(ids: Tensor): Tensor {
    return this.head.forward(this.embedding.forward(ids));
  }
}
class Net extends nn.Module {
  body = new nn.Linear(3, 4);
  bn = new nn.BatchNorm1d(4);
  layers = [new nn.Linear(4, 4)];
  row = new nn.Sequential(new nn.ReLU(), new nn.Linear(4, 2));
  forward(x: Tensor): Tensor {
    return this.row.forward(this.layers[0]!.forward(this.bn.forward(this.body.forward(x))));
  }
}

const bits = (m: nn.Module) => [...m.stateDict()].map(([path, t]) => [path, Array.from(t.dataSync())]);
let net: Net;
let x: Tensor;
beforeEach(() => {
  manualSeed(3);
  net = new Net();
  x = randn([5, 3]);
});

test("runs with other weights as a module that has them, wherever they are, and leaves its own as they are", () => {
  const other = new Net();
  const expected = other.eval().forward(x).toArraySync();
  net.eval();
  const before = bits(net);
  expect(functionalCall(net, other.stateDict(), x).toArraySync()).toEqual(expected);
  expect(functionalCall(net, Object.fromEntries(other.stateDict()), x).toArraySync()).toEqual(expected);
  expect(
    functionalCall(net, [new Map(other.namedParameters()), new Map(other.namedBuffers())], x).toArraySync(),
  ).toEqual(expected);
  expect(bits(net)).toEqual(before);
  const own = net.forward(x).toArraySync();
  expect(functionalCall(net, {}, x).toArraySync()).toEqual(own);
  expect(own).not.toEqual(expected);
});

test("gradients go to what is given, frozen or not, and not to the module", () => {
  const layer = new nn.Linear(2, 1);
  freeze(layer, "weight");
  const weight = tensor([[2, 3]]).requiresGrad_();
  const loss = functionalCall(layer, { weight }, tensor([[5, 7]])).sum();
  const [g] = gradient(loss, [weight]);
  expect(g!.toArraySync()).toEqual([[5, 7]]);
  functionalCall(layer, { weight }, tensor([[5, 7]]))
    .sum()
    .backward();
  expect(weight.grad!.toArraySync()).toEqual([[5, 7]]);
  expect(layer.weight.grad).toBe(null);
  expect(layer.bias!.grad!.toArraySync()).toEqual([1]);
});

/** As in `torch.func.functional_call` of the same numbers: an inner step of 0.1, and the gradient through it. */
test("a gradient flows through an inner step to the weights that it began with", () => {
  const layer = new nn.Linear(1, 1, { bias: false });
  noGrad(() => layer.weight.copy_(tensor([[3]])));
  const [input, target] = [tensor([[2]]), tensor([[1]])];
  const lossOf = (weight: Tensor) => functionalCall(layer, { weight }, input).sub(target).square().sum();
  const [g] = gradient(lossOf(layer.weight), [layer.weight], { createGraph: true });
  const fast = layer.weight.sub(g!.mul(0.1));
  lossOf(fast).backward();
  // d/dw (2 (w − 0.4 (2w − 1)) − 1)² at w = 3: 2 · (2 · 1 − 1) · 2 · 0.2.
  expect(layer.weight.grad!.itemSync()).toBeCloseTo(0.8, 5);
});

describe("tied weights", () => {
  test.each(["embedding.weight", "head.weight"])("given as %s stand for both", (path) => {
    const [tied, other] = [new Tied(), new Tied()];
    const ids = tensor([0, 3], { dtype: "i32" });
    const weights = { [path]: other.head.weight.detach() };
    expect(functionalCall(tied, weights, ids).toArraySync()).toEqual(other.forward(ids).toArraySync());
  });

  test("given twice are an error where they differ, and not where they are the same", () => {
    const tied = new Tied();
    const w = zeros([4, 3]);
    const ids = tensor([1], { dtype: "i32" });
    expect(functionalCall(tied, { "embedding.weight": w, "head.weight": w }, ids).toArraySync()).toEqual([
      [0, 0, 0, 0],
    ]);
    expect(() => functionalCall(tied, { "embedding.weight": w, "head.weight": ones([4, 3]) }, ids)).toThrow(
      "embedding.weight and head.weight are one weight",
    );
  });
});

test("statistics that are given follow the batch, and those of the module only where none are given", () => {
  const bn = new nn.BatchNorm1d(3);
  const mean = zeros([3]);
  functionalCall(bn, { runningMean: mean }, x.slice(0, 0, 5)).toArraySync();
  const batch = x.mean(0).mul(0.1).toArraySync() as number[];
  for (const [i, value] of (mean.toArraySync() as number[]).entries())
    expect(value).toBeCloseTo(batch[i]!, 6);
  expect(bn.runningMean!.toArraySync()).toEqual([0, 0, 0]);
  expect(bn.runningVar!.toArraySync()).not.toEqual([1, 1, 1]);
});

test("what is given as a buffer or parameter of another module is not moved either", () => {
  const [bn, other] = [new nn.BatchNorm1d(3), new nn.BatchNorm1d(3)];
  functionalCall(bn, new Map(other.namedBuffers()), x).toArraySync();
  expect(other.runningMean!.toArraySync()).toEqual([0, 0, 0]);
  const [short, table] = [
    new nn.Embedding(2, 2, { maxNorm: 1 }),
    new Parameter(
      tensor([
        [3, 4],
        [3, 4],
      ]),
    ),
  ];
  table.frozen = true;
  const found = functionalCall(short, { weight: table }, tensor([0], { dtype: "i32" }));
  expect(found.norm().itemSync()).toBeCloseTo(1, 5);
  expect(table.toArraySync()).toEqual([
    [3, 4],
    [3, 4],
  ]);
});

test("the module has its own weights again where forward throws, and inside calls of calls", () => {
  class Throws extends nn.Linear {
    override forward(input: Tensor): Tensor {
      if (this.weight.sum().itemSync() === 0) throw new Error("zeros");
      return super.forward(input);
    }
  }
  const layer = new Throws(3, 2);
  const own = layer.forward(x).toArraySync();
  expect(() => functionalCall(layer, { weight: zeros([2, 3]) }, x)).toThrow("zeros");
  expect(layer.forward(x).toArraySync()).toEqual(own);
  class Outer extends nn.Module {
    inner = new nn.Linear(3, 1, { bias: false });
    forward(input: Tensor): Tensor[] {
      const twice = functionalCall(this.inner, { weight: this.inner.weight.mul(2) }, input);
      return [twice, this.inner.forward(input)];
    }
  }
  const outer = new Outer();
  const [twice, once] = functionalCall(outer, { "inner.weight": ones([1, 3]) }, ones([1, 3]));
  expect([twice!.itemSync(), once!.itemSync()]).toEqual([6, 3]);
});

test("all that does not fit is said, and nothing run", () => {
  const layer = new nn.Linear(3, 2);
  expect(() =>
    functionalCall(
      layer,
      { wieght: ones([2, 3]), bias: ones([3]), weight: ones([2, 3], { dtype: "f64" }) },
      x,
    ),
  ).toThrow(StateDictError);
  expect(() => functionalCall(layer, { wieght: ones([2, 3]), bias: ones([3]) }, x)).toThrow(
    /no wieght; nearest: weight[\s\S]*bias is f32\[3\], the module has f32\[2\]/,
  );
  expect(() => functionalCall(layer, { bias: [1, 2] as never }, x)).toThrow(/no tensor/);
  expect(() => functionalCall(layer, [{ bias: ones([2]) }, { bias: ones([2]) }], x)).toThrow(
    /two of the dicts/,
  );
  class Later extends nn.Module {
    async forward(): Promise<void> {}
  }
  expect(() => functionalCall(new Later(), {})).toThrow(ArgumentError);
});

test("a captured function that is called meanwhile replays nothing of it, before or after", () => {
  class Captures extends nn.Module {
    weight = new Parameter(ones([]));
    run = capture((input: Tensor) => input.mul(this.weight));
    forward(input: Tensor): Tensor {
      return this.run(input);
    }
  }
  const net = new Captures();
  const two = tensor(2);
  const values = [net.forward(two), functionalCall(net, { weight: tensor(5) }, two), net.forward(two)];
  values.push(functionalCall(net, { weight: tensor(7) }, two), net.forward(two));
  expect(values.map((v) => v.itemSync())).toEqual([2, 10, 2, 14, 2]);
});

test("in a step: what is trained is trained through it, and what is frozen rests", async () => {
  class Scaled extends nn.Module {
    base = new nn.Linear(3, 2);
    scale = new Parameter(ones([2, 1]));
    seen = new Buffer(zeros([]));
    forward(input: Tensor): Tensor {
      this.seen.update(this.seen.add(1));
      return functionalCall(this.base, { weight: this.base.weight.mul(this.scale) }, input);
    }
  }
  const [scaled, plain] = [new Scaled(), new Scaled()];
  plain.loadStateDict(scaled.stateDict());
  const byHand = new SGD(plain, { lr: 0.1 });
  const frozen = Array.from(scaled.base.weight.dataSync());
  const step = trainStep(new SGD(scaled, { lr: 0.1 }), {
    loss: (input: Tensor) => scaled.forward(input).square().mean(),
    trains: ["scale", "base.bias"],
    verify: true,
  });
  for (let i = 0; i < 6; i++) {
    await step(x);
    byHand.zeroGrad();
    x.matmul(plain.base.weight.detach().mul(plain.scale).t())
      .add(plain.base.bias!)
      .square()
      .mean()
      .backward();
    byHand.step();
  }
  expect(Array.from(scaled.base.weight.dataSync())).toEqual(frozen);
  expect(scaled.seen.itemSync()).toBe(6);
  const [a, b] = [scaled.scale.dataSync(), plain.scale.dataSync()];
  for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i]!, 5);
  expect(a[0]).not.toBe(1);
});
