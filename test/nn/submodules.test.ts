import { freeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { SGD } from "thaw/optim";
import { capture, manualSeed, ones, Parameter, randn, type Tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, CaptureError, SelectorError } from "../../src/base/errors.ts";

class Block extends nn.Module {
  linear = new nn.Linear(4, 4);
  norm = new nn.BatchNorm1d(4);
  forward(x: Tensor): Tensor {
    return this.norm.forward(this.linear.forward(x));
  }
}
class Net extends nn.Module {
  first = new nn.Linear(3, 4);
  blocks = [new Block(), new Block()];
  row = new nn.Sequential(new nn.ReLU(), new nn.Linear(4, 4));
  list = new nn.ModuleList([new Block()]);
  dict = new nn.ModuleDict({ a: new nn.Linear(4, 2), b: new nn.Linear(4, 3) });
  scale = new Parameter(ones([4]));
  same = this.first;
  forward(x: Tensor): Tensor {
    let y = this.first.forward(x).mul(this.scale);
    for (const block of [...this.blocks, ...this.list]) y = block.forward(y);
    return this.dict.get("a").forward(this.row.forward(y));
  }
}

const bits = (m: nn.Module): unknown =>
  [...m.stateDict()].map(([path, t]) => [path, Array.from(t.dataSync())]);
let net: Net;
let x: Tensor;
beforeEach(() => {
  manualSeed(4);
  net = new Net();
  x = randn([6, 3]);
});

test("what is at a path is what walking finds there, under each of its paths", () => {
  const all = { removeDuplicate: false };
  for (const [path, module] of net.namedModules(all)) expect(net.getSubmodule(path)).toBe(module);
  for (const [path, parameter] of net.namedParameters(all)) expect(net.getParameter(path)).toBe(parameter);
  for (const [path, buffer] of net.namedBuffers(all)) expect(net.getBuffer(path)).toBe(buffer);
  expect(net.getSubmodule("same")).toBe(net.first);
  expect(net.getSubmodule("blocks.1.norm").numFeatures).toBe(4);
  expect(net.getBuffer("list.0.norm.runningMean")).toBe(net.list.at(0).norm.runningMean);
});

test.each([
  [
    () => net.getSubmodule("blokcs.0" as string),
    'getSubmodule: Net has no submodule at "blokcs.0". Nearest: blocks.0',
  ],
  [() => net.getSubmodule("blocks" as string), 'has no submodule at "blocks"'],
  [
    () => net.getSubmodule("scale" as string),
    'What is there is a parameter; getParameter("scale") gives it.',
  ],
  [() => net.getParameter("first" as string), 'getSubmodule("first") gives it'],
  [() => net.getParameter("" as string), 'has no parameter at ""'],
  [
    () => net.getParameter("list.0.norm.runningVar" as string),
    'getBuffer("list.0.norm.runningVar") gives it',
  ],
  [() => net.getParameter("blocks.*.bias" as string), "no parameter"],
  [() => net.first.getBuffer("weight" as string), 'getParameter("weight") gives it'],
  [() => net.first.getBuffer("any" as string), "It has none at all."],
  [() => net.setSubmodule("list.1" as string, new Block() as never), "Nearest: list.0"],
])("%s is an error that says what there is", (get, message) => {
  expect(get).toThrow(SelectorError);
  expect(get).toThrow(message);
});

describe("setSubmodule", () => {
  test.each(["first", "blocks.0", "blocks.1.linear", "row.1", "list.0", "list.0.linear", "dict.b"])(
    "puts a module in the place of %s, and nothing else changes",
    (path) => {
      const before = new Map(net.namedModules({ removeDuplicate: false }));
      const other = path === "blocks.0" || path === "list.0" ? new Block() : new nn.Linear(7, 7);
      expect(net.setSubmodule(path, other as never)).toBe(net);
      expect(net.getSubmodule(path)).toBe(other);
      for (const [name, module] of net.namedModules({ removeDuplicate: false }))
        if (name !== path && !name.startsWith(`${path}.`)) expect(module).toBe(before.get(name));
    },
  );

  test("in a container with fields of its own too", () => {
    class Row extends nn.Sequential {
      last = new nn.Linear(2, 2);
      more = [new nn.Linear(2, 2)];
    }
    const row = new Row(new nn.ReLU());
    const [a, b, c] = [new nn.Linear(2, 2), new nn.Linear(2, 2), new nn.Identity()];
    row.setSubmodule("last", a);
    row.setSubmodule("more.0", b);
    row.setSubmodule("0", c);
    expect([row.last, row.more[0], row.at(0)]).toEqual([a, b, c]);
  });

  test("a head that is replaced while the rest is frozen: the rest rests, and a step notices", async () => {
    freeze(net, ["**", "!dict.**"]);
    const loss = (input: Tensor): Tensor => net.eval().forward(input).square().mean();
    const old = trainStep(new SGD(net, { lr: 0.1 }), { loss, trains: "dict.a.**" });
    for (let i = 0; i < 3; i++) await old(x);
    const head = new nn.Linear(4, 5);
    net.setSubmodule("dict.a", head);
    const before = bits(net);
    const values = Array.from(head.weight.dataSync());
    const step = trainStep(new SGD(net, { lr: 0.1, weightDecay: 0.1, momentum: 0.9 }), {
      loss,
      trains: "**",
      verify: true,
    });
    for (let i = 0; i < 3; i++) await step(x);
    expect(Array.from(head.weight.dataSync())).not.toEqual(values);
    const without = (all: unknown): unknown[] =>
      (all as [string, number[]][]).filter(([path]) => !path.startsWith("dict."));
    expect(without(bits(net))).toEqual(without(before));
    expect(net.forward(x).shape).toEqual([6, 5]);
  });

  test("a captured function runs what is there now, in an array too", () => {
    const run = capture((input: Tensor) => net.eval().forward(input));
    run(x);
    class Zero extends Block {
      override forward(y: Tensor): Tensor {
        return y.mul(0);
      }
    }
    net.setSubmodule("blocks.1", new Zero());
    net.setSubmodule("list.0", new Zero());
    const bias = net.dict.get("a").forward(net.row.forward(zeros([6, 4])));
    expect(run(x).toArraySync()).toEqual(bias.toArraySync());
  });

  test("refuses what is no module, the module itself, and a place that cannot be set", () => {
    expect(() => net.setSubmodule("first", (() => {}) as never)).toThrow(ArgumentError);
    expect(() => net.setSubmodule("" as string, new nn.Identity() as never)).toThrow(/no place/);
    Object.freeze(net.blocks);
    expect(() => net.setSubmodule("blocks.0", new Block())).toThrow(/cannot be set/);
    const inside = capture((y: Tensor) => {
      net.setSubmodule("first", new nn.Identity() as never);
      return y;
    });
    expect(() => inside(x)).toThrow(CaptureError);
  });
});
