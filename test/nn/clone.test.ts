import { changedParameters, freeze, module, snapshot, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW, EMA, SGD } from "thaw/optim";
import { Buffer, capture, manualSeed, ones, randn, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, CaptureError, DTypeError } from "../../src/base/errors.ts";

class Block extends nn.Module {
  linear = new nn.Linear(4, 4);
  bn = new nn.BatchNorm1d(4, { momentum: 0.3 });
  dropout = new nn.Dropout(0.25);
  forward(x: Tensor): Tensor {
    return this.dropout.forward(this.bn.forward(this.linear.forward(x)));
  }
}
class Net extends nn.Module {
  embedding = new nn.Embedding(5, 4);
  blocks = [new Block(), new Block()];
  row = new nn.Sequential(new nn.Linear(4, 4), new nn.GELU());
  list = new nn.ModuleList([new nn.Linear(4, 4)]);
  dict = new nn.ModuleDict({ a: new nn.Linear(4, 4) });
  scales = new nn.ParameterList([ones([4])]);
  named = new nn.ParameterDict({ shift: ones([4]) });
  head = new nn.Linear(4, 5, { bias: false });
  counts = new Buffer(tensor([1, 2], { dtype: "i32" }), { persistent: false });
  mask = tensor([1, 0, 1, 0]);
  options = { rate: 0.5, sizes: [1, 2], names: new Map([["a", [1]]]), ids: Int32Array.of(1, 2) };
  act = (x: Tensor): Tensor => x.tanh();
  constructor() {
    super();
    this.head.weight = this.embedding.weight;
  }
  forward(ids: Tensor): Tensor {
    let x = this.embedding.forward(ids).mul(this.mask).mul(this.scales.at(0)).add(this.named.get("shift"));
    for (const block of this.blocks) x = block.forward(x);
    for (const layer of [this.row, ...this.list, this.dict.get("a")]) x = layer.forward(x);
    return this.head.forward(this.act(x).mul(this.options.rate));
  }
}

const bits = (m: nn.Module): unknown =>
  [...m.namedParameters(), ...m.namedBuffers()].map(([path, t]) => [path, t.dtype, Array.from(t.dataSync())]);
const ids = tensor([0, 3, 4, 1, 1], { dtype: "i32" });
let net: Net;
beforeEach(() => {
  manualSeed(6);
  net = new Net();
});

describe("clone", () => {
  test("has all that the original has, and shares none of it", () => {
    const copy = net.clone();
    expect(copy).toBeInstanceOf(Net);
    expect(bits(copy)).toEqual(bits(net));
    expect(String(copy)).toBe(String(net));
    const own = new Set<unknown>([...net.modules(), ...net.parameters(), ...net.buffers()]);
    for (const thing of [...copy.modules(), ...copy.parameters(), ...copy.buffers()])
      expect(own.has(thing)).toBe(false);
    expect(copy.head.weight).toBe(copy.embedding.weight);
    expect(copy.namedParameters({ removeDuplicate: false }).map(([path]) => path)).toEqual(
      net.namedParameters({ removeDuplicate: false }).map(([path]) => path),
    );
    expect([...copy.stateDict().keys()]).toEqual([...net.stateDict().keys()]);
    expect(copy.options).toEqual(net.options);
    copy.options.sizes.push(3);
    copy.options.names.get("a")!.push(2);
    copy.options.ids[0] = 9;
    copy.mask.zero_();
    copy.list.append(new nn.Linear(4, 4));
    copy.blocks[0]!.dropout.p = 0.75;
    copy.blocks[0]!.bn.momentum = null;
    expect([net.options.sizes, net.options.names.get("a"), net.options.ids[0]]).toEqual([[1, 2], [1], 1]);
    expect([net.mask.sum().itemSync(), net.list.length]).toEqual([2, 1]);
    expect([net.blocks[0]!.dropout.p, net.blocks[0]!.bn.momentum]).toEqual([0.25, 0.3]);
    net.eval();
    const second = net.clone();
    expect(second.forward(ids).toArraySync()).toEqual(net.forward(ids).toArraySync());
  });

  test("is frozen, held and in training as the original is, and then on its own", () => {
    freeze(net, ["blocks.0.**", "embedding.weight[:2]"]);
    freeze(net, module("blocks.1"));
    net.head.weight.requiresGrad = false;
    net.row.eval();
    const copy = net.clone();
    const flags = (m: Net) => [
      m.parameters().map((p) => [p.frozen, p.frozenRegion?.text, p.requiresGrad]),
      m.modules().map((one) => [one.training, one.heldMode]),
      m.buffers().map((b) => [b.held, b.persistent]),
    ];
    expect(flags(copy)).toEqual(flags(net));
    expect(copy.head.weight.frozenRegion!.text).toBe("[:2]");
    const before = flags(net);
    unfreeze(copy, ["**"]);
    copy.train();
    expect(flags(net)).toEqual(before);
    expect(copy.parameters().some((p) => p.frozen || p.frozenRegion)).toBe(false);
  });

  test("has no gradients, and an optimizer of the original does not know it", () => {
    for (const p of net.parameters()) p.grad = ones(p.shape);
    const copy = net.clone();
    expect(copy.parameters().map((p) => p.grad)).toEqual(copy.parameters().map(() => null));
    const before = bits(copy);
    new SGD(net, { lr: 0.1 }).step();
    expect(bits(copy)).toEqual(before);
  });

  test("that is trained leaves the original unmoved, and what is frozen in both", async () => {
    freeze(net, "blocks.**");
    const copy = net.clone();
    const [original, frozen] = [bits(net), snapshot(copy)];
    const step = trainStep(new AdamW(copy, { lr: 0.1, weightDecay: 0.1 }), {
      loss: (x: Tensor) => copy.forward(x).square().mean(),
      trains: "**",
    });
    for (let i = 0; i < 3; i++) await step(ids);
    expect(bits(net)).toEqual(original);
    const moved = [...changedParameters(frozen, copy).keys()];
    expect(moved).toContain("embedding.weight");
    expect(moved.filter((path) => path.startsWith("blocks."))).toEqual([]);
    const trained = bits(copy);
    const own = trainStep(new SGD(net, { lr: 0.1 }), {
      loss: (x: Tensor) => net.forward(x).square().mean(),
      trains: "head.**",
    });
    await own(ids);
    expect(bits(copy)).toEqual(trained);
  });

  test("has the hooks of the original, over its own forward pass", () => {
    const layer = new nn.Linear(1, 1, { bias: false });
    const handle = layer.registerForwardHook((m, _, y) => y.mul(0).add(m.weight.sum()));
    const copy = layer.clone();
    copy.loadStateDict({ weight: tensor([[7]]) });
    expect(copy.forward(ones([1, 1])).itemSync()).toBe(7);
    handle.remove();
    expect(copy.forward(ones([1, 1])).itemSync()).toBe(7);
    expect(Object.keys(layer)).toEqual(Object.keys(new nn.Linear(1, 1)));
  });

  test("a module that is in two places, or in itself, is one in the copy too", () => {
    class Ring extends nn.Module {
      inner = new nn.Linear(1, 1);
      again = [this.inner];
      self: nn.Module = this;
    }
    const copy = new Ring().clone();
    expect(copy.again[0]).toBe(copy.inner);
    expect(copy.self).toBe(copy);
  });

  test("what would work on the original is refused, with what to do", () => {
    class Arrow extends nn.Module {
      linear = new nn.Linear(1, 1);
      forward = (x: Tensor): Tensor => this.linear.forward(x);
    }
    class Hidden extends nn.Module {
      #secret = 1;
      forward(x: Tensor): Tensor {
        return x.mul(this.#secret);
      }
    }
    class Bound extends nn.Linear {
      run = this.forward.bind(this);
    }
    class Within extends nn.Linear {
      ops = { twice: ({ x }: { x: Tensor }): Tensor => this.forward(x).mul(2) };
    }
    class Below extends Hidden {}
    expect(() => new Within(1, 1).clone()).toThrow(/Within.ops is, or has in it/);
    expect(() => new Arrow().clone()).toThrow(/Arrow.forward is.* Make it a method/);
    expect(() => new Bound(1, 1).clone()).toThrow(/Bound.run/);
    expect(() => new nn.Sequential(new Below()).clone()).toThrow(/Below has a private field, #secret/);
    expect(() => new Below().clone()).toThrow(ArgumentError);
    expect(() => capture((x: Tensor) => net.clone().forward(x))(ids)).toThrow(CaptureError);
  });

  test("every layer that there is can be cloned", () => {
    for (const make of [
      () => new nn.BatchNorm2d(2, { momentum: null }),
      () => new nn.LayerNorm([2]),
      () => new nn.AlphaDropout(0.1),
      () => new nn.RReLU(),
      () => new nn.PReLU(),
      () => new nn.Bilinear(1, 2, 3),
      () => new nn.CrossEntropyLoss(),
      () => new nn.TripletMarginLoss(),
      () => new nn.LinearCrossEntropyLoss(3, 2),
      () => new nn.Embedding(3, 2, { maxNorm: 1 }),
    ])
      expect(String(make().clone())).toBe(String(make()));
  });
});

describe("to", () => {
  test.each(["bf16", "f16", "f64"] as const)(
    "%s casts what is floating point, as tensors are cast",
    (dtype) => {
      const expected = [...net.stateDict()].map(([path, t]) => {
        const cast = t.dtype === "f32" ? t.to(dtype) : t;
        return [path, cast.dtype, cast.toArraySync()];
      });
      const parameters = net.parameters();
      expect(net.to(dtype)).toBe(net);
      expect([...net.stateDict()].map(([path, t]) => [path, t.dtype, t.toArraySync()])).toEqual(expected);
      expect(net.parameters()).toEqual(parameters);
      expect(net.counts.dtype).toBe("i32");
      expect(net.head.weight).toBe(net.embedding.weight);
      expect(net.head.weight.label).toBe("embedding.weight");
      for (const p of net.parameters()) expect(p.detach().dtype).toBe(dtype);
    },
  );

  test("keeps what is frozen frozen, what was computed before as it was, and gradients in the new dtype", () => {
    freeze(net, "blocks.**");
    const old = net.head.weight.mul(2);
    const value = net.head.weight.toArraySync();
    net.head.weight.grad = randn([5, 4]);
    const grad = net.head.weight.grad!.to("bf16").toArraySync();
    const frozen = net.parameters().map((p) => p.frozen);
    net.to("bf16");
    expect(net.parameters().map((p) => p.frozen)).toEqual(frozen);
    expect(old.div(2).toArraySync()).toEqual(value);
    expect(net.head.weight.grad!.dtype).toBe("bf16");
    expect(net.head.weight.grad!.toArraySync()).toEqual(grad);
  });

  test("is noticed by steps and captured functions, which go on training what is trained alone", async () => {
    const layer = new nn.Linear(3, 2);
    freeze(layer, "bias");
    const x = randn([4, 3]);
    const run = capture((input: Tensor) => layer.forward(input));
    const step = trainStep(new SGD(layer, { lr: 0.5 }), {
      loss: (input: Tensor) => layer.forward(input).square().mean(),
      trains: "weight",
    });
    await step(x);
    run(x);
    layer.to("bf16");
    const [weight, bias] = [layer.weight.dataSync(), layer.bias!.dataSync()];
    expect(run(x).toArraySync()).toEqual(layer.forward(x).toArraySync());
    await step(x);
    expect(layer.weight.dtype).toBe("bf16");
    expect(layer.weight.dataSync()).not.toEqual(weight);
    expect(layer.bias!.dataSync()).toEqual(bias);
    expect(run(x).toArraySync()).toEqual(layer.forward(x).toArraySync());
    layer.to("f32");
    expect(layer.bias!.dataSync()).toEqual(bias);
    await step(x);
    expect(layer.bias!.dataSync()).toEqual(bias);
  });

  test("an optimizer or average that was made in another dtype says so, and nothing has moved", () => {
    const layer = new nn.Linear(2, 1);
    const [optimizer, ema] = [new SGD(layer, { lr: 0.1, momentum: 0.9 }), new EMA(layer)];
    layer
      .forward(ones([1, 2]))
      .sum()
      .backward();
    optimizer.step();
    layer.to("f64");
    const before = bits(layer);
    layer
      .forward(ones([1, 2], { dtype: "f64" }))
      .sum()
      .backward();
    expect(() => optimizer.step()).toThrow(/made in f32, and weight is f64 now/);
    expect(() => ema.update()).toThrow(/made in f32, and weight is f64 now/);
    expect(bits(layer)).toEqual(before);
  });

  test("refuses what is no floating-point dtype, and to be part of a recording", () => {
    const before = bits(net);
    for (const dtype of ["i32", "bool", "float32"] as const)
      expect(() => net.to(dtype as "i32")).toThrow(DTypeError);
    expect(() => capture((x: Tensor) => net.to("bf16").forward(x))(ids)).toThrow(CaptureError);
    expect(bits(net)).toEqual(before);
  });

  test("a tied weight from outside is the same parameter still", () => {
    const other = new nn.Linear(4, 5, { bias: false });
    other.weight = net.head.weight;
    net.to("bf16");
    expect(other.weight).toBe(net.embedding.weight);
    expect(other.weight.dtype).toBe("bf16");
  });
});
