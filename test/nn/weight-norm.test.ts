import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import { capture, gradient, noGrad, ones, randn, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError, CaptureError, IndexError, SelectorError, ShapeError } from "../../src/base/errors.ts";

const bits = (t: Tensor): string => Array.from(new Uint32Array((t.dataSync() as Float32Array).buffer)).join();
const lengths = (t: Tensor): number[] => Array.from(t.square().sum(1).sqrt().dataSync());

describe("weightNorm", () => {
  test("computes what the layer computed, from g and v under PyTorch's names", () => {
    const layer = new nn.Linear(4, 3);
    const [x, before] = [randn([2, 4]), layer.weight.toArraySync()];
    const y = layer.forward(x).dataSync();
    const normed = nn.weightNorm(layer);
    expect(normed).toBe(layer);
    expect([...layer.stateDict().keys()]).toEqual([
      "bias",
      "parametrizations.weight.original0",
      "parametrizations.weight.original1",
    ]);
    const { original0, original1 } = normed.parametrizations.get("weight");
    expect(original0.shape).toEqual([3, 1]);
    expect(original1.toArraySync()).toEqual(before);
    expect(Array.from(layer.forward(x).dataSync())).toEqual(Array.from(y, (v) => expect.closeTo(v, 5)));
    noGrad(() => original0.copy_(tensor([[1], [2], [3]])));
    expect(lengths(layer.weight)).toEqual([1, 2, 3].map((v) => expect.closeTo(v, 5)));
    expect(String(layer)).toContain("(parametrizations): ModuleDict(\n    (weight): WeightNorm()");
  });

  test("has one length for all of a weight, or for its columns", () => {
    const whole = nn.weightNorm(new nn.Linear(4, 3), { dim: null });
    expect(whole.parametrizations.get("weight").original0.shape).toEqual([]);
    expect(nn.weightNorm(new nn.Linear(4, 3), { dim: -1 }).parametrizations.get("weight").dim).toBeNull();
    const columns = nn.weightNorm(new nn.Linear(4, 3), { dim: 1 });
    expect(columns.parametrizations.get("weight").original0.shape).toEqual([1, 4]);
    const bias = nn.weightNorm(new nn.Linear(4, 3), { name: "bias" });
    expect([...bias.stateDict().keys()]).toEqual([
      "weight",
      "parametrizations.bias.original0",
      "parametrizations.bias.original1",
    ]);
    expect(bias.forward(ones([1, 4])).shape).toEqual([1, 3]);
  });

  test("a clone, a state dict, and a parametrization taken off have the same weight", () => {
    const layer = nn.weightNorm(new nn.Linear(4, 3));
    const copy = layer.clone();
    noGrad(() => layer.parametrizations.get("weight").original0.mul_(2));
    expect(bits(copy.weight)).not.toBe(bits(layer.weight));
    copy.loadStateDict(layer.stateDict());
    expect(bits(copy.weight)).toBe(bits(layer.weight));
    const weight = bits(layer.weight);
    nn.removeParametrizations(layer, "weight");
    expect([...layer.stateDict().keys()]).toEqual(["weight", "bias"]);
    expect(layer.weight).toBeInstanceOf(nn.Parameter);
    expect(bits(layer.weight)).toBe(weight);
    expect(() => nn.removeParametrizations(layer, "weight")).toThrow(ArgumentError);
    // It can be put on again.
    expect(nn.weightNorm(layer).stateDict().size).toBe(3);
  });

  test("takes a weight that is assigned, and values in place of its parts", () => {
    const layer = nn.weightNorm(new nn.Linear(2, 2, { bias: false }));
    (layer as { weight: Tensor }).weight = tensor([
      [3, 4],
      [0, 2],
    ]);
    expect(layer.parametrizations.get("weight").original0.toArraySync()).toEqual([[5], [2]]);
    expect(() => {
      (layer as { weight: Tensor }).weight = ones([3]);
    }).toThrow(ShapeError);
    const y = nn.functionalCall(
      layer,
      { "parametrizations.weight.original0": tensor([[10], [1]]) },
      tensor([[1, 1]]),
    );
    expect(Array.from(y.dataSync())).toEqual([14, 1].map((v) => expect.closeTo(v, 5)));
  });

  test("second gradients go through it", () => {
    const layer = nn.weightNorm(new nn.Linear(3, 2, { bias: false }).to("f64"));
    const parts = layer.parameters();
    const loss = layer
      .forward(randn([4, 3], { dtype: "f64" }))
      .tanh()
      .square()
      .sum();
    const first = gradient(loss, parts, { createGraph: true });
    const again = gradient(
      first.map((g) => g!.square().sum()).reduce((a, b) => a.add(b)),
      parts,
    );
    for (const g of again) expect(g!.dataSync().every(Number.isFinite)).toBe(true);
  });
});

describe.each([
  ["g", ["**", "!fc.parametrizations.weight.original0"], "original0", "original1"],
  ["v", ["**", "!fc.parametrizations.weight.original1"], "original1", "original0"],
] as const)("a frozen %s", (_, trains, held, trained) => {
  test.each([optim.SGD, optim.AdamW, optim.Adagrad])(
    "does not move by a bit under %o, and the weight follows the rest",
    async (Optimizer) => {
      class Net extends nn.Module {
        fc = nn.weightNorm(new nn.Linear(3, 2));
      }
      const net = new Net();
      const parts = net.fc.parametrizations.get("weight");
      const [still, moving, weight] = [bits(parts[held]), bits(parts[trained]), bits(net.fc.weight)];
      const optimizer = new Optimizer(net, { lr: 0.1, weightDecay: 0.1 });
      const step = trainStep(optimizer, {
        module: net,
        loss: (x: Tensor) => net.fc.forward(x).square().sum(),
        trains,
      });
      for (let i = 0; i < 3; i++) await step(randn([4, 3]));
      expect(bits(parts[held])).toBe(still);
      expect(optimizer.parts(parts[held]).every(({ state }) => state.step === 0)).toBe(true);
      expect(bits(parts[trained])).not.toBe(moving);
      expect(bits(net.fc.weight)).not.toBe(weight);
      if (held === "original0")
        expect(lengths(net.fc.weight)).toEqual(
          Array.from(parts.original0.dataSync(), (v) => expect.closeTo(v, 5)),
        );
    },
  );
});

test("rows of which g and v are frozen do not move by a bit, and a frozen weight stays frozen in its parts", async () => {
  const layer = nn.weightNorm(new nn.Linear(3, 4, { bias: false }));
  const before = layer.weight.clone();
  const step = trainStep(new optim.Adam(layer, { lr: 0.1 }), {
    module: layer,
    loss: (x: Tensor) => layer.forward(x).square().sum(),
    trains: ["parametrizations.weight.original0[:2]", "parametrizations.weight.original1[:2]"],
  });
  await step(randn([5, 3]));
  expect(bits(layer.weight.narrow(0, 2, 2))).toBe(bits(before.narrow(0, 2, 2)));
  expect(bits(layer.weight.narrow(0, 0, 2))).not.toBe(bits(before.narrow(0, 0, 2)));
  const frozen = new nn.Linear(3, 2);
  frozen.weight.frozen = true;
  frozen.bias!.requiresGrad = false;
  expect(
    nn
      .weightNorm(frozen)
      .parametrizations.get("weight")
      .parameters()
      .every((p) => p.frozen),
  ).toBe(true);
  nn.weightNorm(frozen, { name: "bias" });
  expect(frozen.parameters().every((p) => p.frozen || !p.requiresGrad)).toBe(true);
  expect(nn.removeParametrizations(frozen, "weight").weight.frozen).toBe(true);
});

test("a captured function follows a parametrization that comes and goes", () => {
  const layer = new nn.Linear(2, 1, { bias: false });
  const x = ones([1, 2]);
  layer.loadStateDict({ weight: tensor([[3, 4]]) });
  const run = capture((input: Tensor) => layer.forward(input));
  expect(run(x).itemSync()).toBe(7);
  const normed = nn.weightNorm(layer);
  noGrad(() => normed.parametrizations.get("weight").original0.copy_(tensor([[10]])));
  for (let i = 0; i < 3; i++) expect(run(x).itemSync()).toBeCloseTo(14, 5);
  nn.removeParametrizations(layer, "weight");
  layer.loadStateDict({ weight: tensor([[1, 1]]) });
  expect(run(x).itemSync()).toBe(2);
});

test("parametrizations refuse what cannot be, and leave the module as it was", () => {
  const layer = new nn.Linear(3, 2);
  expect(() => nn.weightNorm(layer, { name: "weigth" })).toThrow(/has no parameter "weigth".*weight, bias/);
  expect(() => nn.weightNorm(layer, { dim: 2 })).toThrow(IndexError);
  expect(() => nn.weightNorm(3 as unknown as nn.Linear)).toThrow(ArgumentError);
  layer.weight.frozenRegion = null;
  expect(() => nn.registerParametrization(layer, "weight", () => new nn.WeightNorm(ones([2, 2])))).toThrow(
    /f32\[2, 2\]/,
  );
  expect([...layer.stateDict().keys()]).toEqual(["weight", "bias"]);
  expect(() => capture(() => nn.weightNorm(layer).weight)()).toThrow(CaptureError);
  nn.weightNorm(layer);
  expect(() => nn.weightNorm(layer)).toThrow(/has a parametrization/);
  expect(() => layer.getParameter("weight")).toThrow(SelectorError);
});

test("a parametrization of one's own", () => {
  /** A matrix that equals its transpose. */
  class Symmetric extends nn.Parametrization {
    original: nn.Parameter;
    constructor(weight: Tensor) {
      super();
      this.original = new nn.Parameter(weight.detach());
    }
    forward(): Tensor {
      return this.original.triu().add(this.original.triu(1).t());
    }
    rightInverse(value: Tensor): void {
      this.original.copy_(value.triu());
    }
  }
  const layer = nn.registerParametrization(new nn.Linear(3, 3), "weight", (w) => new Symmetric(w));
  expect(layer.weight.toArraySync()).toEqual(layer.weight.t().toArraySync());
  expect([...layer.stateDict().keys()]).toEqual(["bias", "parametrizations.weight.original"]);
});
