import { freeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW } from "thaw/optim";
import { Buffer, capture, manualSeed, ones, randn, type Tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";

class Double extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.mul(2);
  }
}
class Net extends nn.Module {
  body = new nn.Linear(3, 4);
  double = new Double();
  head = new nn.Linear(4, 2);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.double.forward(this.body.forward(x)));
  }
}
const one = (m: { forward(x: Tensor): Tensor }): number => m.forward(ones([])).itemSync() as number;
const bits = (m: nn.Module): unknown =>
  [...m.stateDict()].map(([path, t]) => [path, Array.from(t.dataSync())]);

let net: Net;
let x: Tensor;
beforeEach(() => {
  manualSeed(2);
  net = new Net();
  x = randn([5, 3]);
});

describe("hooks, as PyTorch's", () => {
  test("see arguments and output, and change them if they give something", () => {
    const layer = new Double();
    const seen: unknown[] = [];
    layer.registerForwardPreHook((module, [input]) => {
      seen.push(module === layer, input.itemSync());
    });
    layer.registerForwardPreHook((_, [input]) => [input.add(1)]);
    layer.registerForwardPreHook((_, [input]) => input.add(2));
    layer.registerForwardHook((module, [input], output) => {
      seen.push(module === layer, input.itemSync(), output.itemSync());
    });
    layer.registerForwardHook((_, __, output) => output.add(0.5));
    expect(one(layer)).toBe(8.5);
    expect(seen).toEqual([true, 1, true, 4, 8]);
  });

  test("end with their block by using, and once only", () => {
    const layer = new Double();
    const add = () => layer.registerForwardHook((_, __, output) => output.add(1));
    {
      using _ = add();
      expect(one(layer)).toBe(3);
    }
    expect(one(layer)).toBe(2);
    const handle = add();
    const other = add();
    handle[Symbol.dispose]();
    handle.remove();
    expect(one(layer)).toBe(3);
    other.remove();
    expect(Object.hasOwn(layer, "forward")).toBe(false);
  });

  test("run in the order of registering, but for those put before; and are removed one by one", () => {
    const layer = new Double();
    const order: string[] = [];
    const log = (name: string) => (): void => void order.push(name);
    const same = log("a");
    const a = layer.registerForwardHook(same);
    layer.registerForwardHook(log("b"));
    layer.registerForwardHook(log("first"), { prepend: true });
    const again = layer.registerForwardHook(same);
    one(layer);
    expect(order.splice(0)).toEqual(["first", "a", "b", "a"]);
    a.remove();
    a.remove();
    one(layer);
    expect(order.splice(0)).toEqual(["first", "b", "a"]);
    again.remove();
    one(layer);
    expect(order).toEqual(["first", "b"]);
  });

  test("leave nothing behind when they are removed", () => {
    const layer = new Double();
    const handles = [
      layer.registerForwardHook(() => zeros([])),
      layer.registerForwardPreHook(() => ones([])),
    ];
    expect(one(layer)).toBe(0);
    expect(Object.keys(layer)).toEqual([]);
    expect(String(layer)).toBe("Double()");
    for (const handle of handles) handle.remove();
    expect(Reflect.ownKeys(layer)).toEqual([]);
    expect(one(layer)).toBe(2);
  });

  test("one that removes itself has run, and the others of that pass run too", () => {
    const layer = new Double();
    let runs = 0;
    const handle = layer.registerForwardHook(() => {
      runs++;
      handle.remove();
    });
    layer.registerForwardHook((_, __, y) => y.add(1));
    expect([one(layer), one(layer), runs]).toEqual([3, 3, 1]);
  });

  test("a module that is in two places has them in both, and one inside another its own", () => {
    const layer = new Double();
    const row = new nn.Sequential(layer, layer);
    layer.registerForwardHook((_, __, y) => y.add(1));
    row.registerForwardHook((_, __, y) => y.mul(10));
    expect(one(row)).toBe(70);
  });

  test("are called once for a forward pass that calls that of its class above", () => {
    class Child extends Double {
      override forward(x: Tensor): Tensor {
        return super.forward(x).add(1);
      }
    }
    const child = new Child();
    let runs = 0;
    child.registerForwardHook(() => void runs++);
    expect([one(child), runs]).toEqual([3, 1]);
  });

  test("lie over a forward that is a field of the object, also one that is assigned later", () => {
    class Field extends nn.Module {
      forward = (x: Tensor): Tensor => x.mul(3);
    }
    const field = new Field();
    const handle = field.registerForwardHook((_, __, y) => y.add(1));
    expect(one(field)).toBe(4);
    field.forward = (x) => x.mul(5);
    expect(one(field)).toBe(6);
    handle.remove();
    expect(one(field)).toBe(5);
    expect(Object.keys(field)).toEqual(["forward"]);
  });

  test("where one throws, the next pass is as any other", () => {
    const layer = new Double();
    let fails = true;
    layer.registerForwardHook(() => {
      if (fails) throw new Error("hook");
    });
    expect(() => one(layer)).toThrow("hook");
    fails = false;
    expect(one(layer)).toBe(2);
  });

  test("gradients flow through what they give", () => {
    net.body.registerForwardHook((_, __, y) => y.mul(0));
    net.forward(x).sum().backward();
    expect(net.body.weight.grad!.abs().sum().itemSync()).toBe(0);
    expect(net.head.bias!.grad!.toArraySync()).toEqual([5, 5]);
  });

  test("what cannot be a hook, or would never run, is refused", () => {
    expect(() => net.registerForwardHook("f" as never)).toThrow(ArgumentError);
    expect(() => new nn.ModuleList([net]).registerForwardHook(() => {})).toThrow(/no forward pass/);
    net.registerForwardHook((async () => {}) as never);
    expect(() => net.forward(x)).toThrow(/async/);
  });
});

describe("in captured functions", () => {
  test("hooks that come and go are noticed, and what was recorded without them is of use again", () => {
    const layer = new Double();
    let records = 0;
    const run = capture((input: Tensor) => {
      records++;
      return layer.forward(input);
    });
    const value = (): number => run(ones([])).itemSync() as number;
    for (let i = 0; i < 7; i++) expect(value()).toBe(2);
    const handle = layer.registerForwardHook((_, __, y) => y.add(1));
    const second = layer.registerForwardPreHook((_, [y]) => y.add(1));
    for (let i = 0; i < 3; i++) expect(value()).toBe(5);
    handle.remove();
    for (let i = 0; i < 3; i++) expect(value()).toBe(4);
    second.remove();
    records = 0;
    expect(value()).toBe(2);
    expect(records).toBe(0);
  });

  test("a hook in a step does its work at each call, and what is frozen rests, bit for bit", async () => {
    const seen = new Buffer(zeros([]));
    freeze(net, "body.**");
    net.body.registerForwardHook((_, __, y) => {
      seen.update(seen.add(1));
      return y.mul(3);
    });
    const optimizer = new AdamW(net, { lr: 0.1, weightDecay: 0.1 });
    const step = trainStep(optimizer, {
      loss: (input: Tensor) => net.forward(input).square().mean(),
      trains: ["**"],
      verify: true,
    });
    const before = bits(net.body);
    for (let i = 0; i < 5; i++) await step(x);
    expect(seen.itemSync()).toBe(5);
    expect(bits(net.body)).toEqual(before);
    expect(optimizer.state.get(net.body.weight)).toBeUndefined();
  });

  test("a hook that is registered between two steps is part of the second", async () => {
    const step = trainStep(new AdamW(net, { lr: 0 }), {
      loss: (input: Tensor) => net.forward(input).sum(),
      trains: "**",
    });
    const first = await step(x);
    expect(await step(x)).toBe(first);
    const handle = net.registerForwardHook((_, __, y) => y.mul(0));
    expect(await step(x)).toBe(0);
    handle.remove();
    expect(await step(x)).toBe(first);
  });

  test("where a NaN began is found in a module with hooks, which keeps them", async () => {
    net.double.registerForwardHook((_, __, y) => y.sub(y).log().mul(0));
    const step = trainStep(new AdamW(net), {
      loss: (input: Tensor) => net.forward(input).sum(),
      trains: "**",
      finite: true,
    });
    await expect(step(x)).rejects.toThrow(/double \(Double\)/);
    expect(Number.isNaN(net.forward(x).sum().itemSync())).toBe(true);
  });
});
