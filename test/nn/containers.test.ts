import * as nn from "thaw/nn";
import { capture, type Tensor, tensor } from "thaw/tensor";
import { expect, test } from "vitest";
import { ArgumentError, IndexError } from "../../src/base/errors.ts";
import { stateEpoch } from "../../src/engine/cell.ts";

const paths = (module: nn.Module): string[] => module.namedParameters().map(([path]) => path);

test("Sequential passes through its layers in order", () => {
  const net = new nn.Sequential(new nn.Linear(1, 2), new nn.ReLU(), new nn.Linear(2, 1, { bias: false }));
  net.loadStateDict({
    "0.weight": tensor([[2], [-1]]),
    "0.bias": tensor([1, 1]),
    "2.weight": tensor([[10, 1]]),
  });
  expect(net.forward(tensor([[3], [-1]])).toArraySync()).toEqual([[70], [2]]);
  expect(paths(net)).toEqual(["0.weight", "0.bias", "2.weight"]);
  expect(net.length).toBe(3);
  expect(net.at(-1)).toBe([...net][2]);
  expect(() => net.at(3)).toThrow(IndexError);
});

test("a subclass of Sequential keeps its own fields too", () => {
  class Own extends nn.Sequential {
    extra = new nn.Linear(1, 1, { bias: false });
  }
  expect(paths(new Own(new nn.Linear(1, 1, { bias: false })))).toEqual(["extra.weight", "0.weight"]);
});

test("ModuleList is a list that walking finds", () => {
  const [a, b, c] = [
    new nn.Linear(1, 1, { bias: false }),
    new nn.Linear(1, 2, { bias: false }),
    new nn.Linear(1, 3),
  ];
  const list = new nn.ModuleList([a]);
  const before = stateEpoch();
  list.append(b).insert(1, c);
  expect(stateEpoch()).toBeGreaterThan(before);
  expect([...list]).toEqual([a, c, b]);
  expect(list.at(-1)).toBe(b);
  expect(() => list.at(5)).toThrow(IndexError);
  expect(paths(list)).toEqual(["0.weight", "1.weight", "1.bias", "2.weight"]);
});

test("ModuleDict is a dictionary that walking finds", () => {
  const dict = new nn.ModuleDict<Record<string, nn.Module>>({ first: new nn.Linear(1, 1, { bias: false }) });
  dict.set("second", new nn.LayerNorm(2, { bias: false }));
  expect(paths(dict)).toEqual(["first.weight", "second.weight"]);
  expect(dict.keys()).toEqual(["first", "second"]);
  expect(dict.has("first") && dict.delete("first")).toBe(true);
  expect([dict.size, paths(dict)]).toEqual([1, ["second.weight"]]);
  expect(() => dict.get("first")).toThrow(/no module is called "first"; there are second/);
  expect(() => dict.set("a.b", new nn.Identity())).toThrow(ArgumentError);
});

test("Sequential and ModuleList change as lists do", () => {
  const layers = Array.from({ length: 5 }, () => new nn.Identity());
  const [a, b, c, d, e] = layers as [nn.Identity, nn.Identity, nn.Identity, nn.Identity, nn.Identity];
  for (const row of [new nn.Sequential(a, b), new nn.ModuleList<nn.Layer>([a, b])]) {
    const before = stateEpoch();
    row.append(c).insert(0, d).insert(-1, e);
    expect([...row]).toEqual([d, a, b, e, c]);
    expect(stateEpoch()).toBeGreaterThan(before);
    row.set(1, e).set(-1, a);
    expect([...row]).toEqual([d, e, b, e, a]);
    expect([row.pop(), row.pop(0)]).toEqual([a, d]);
    expect([...row.slice(1)]).toEqual([b, e]);
    expect([...row.slice(-2, -1)]).toEqual([b]);
    expect(row.slice(1)).toBeInstanceOf(row.constructor);
    row.extend([a, a]);
    expect(row.length).toBe(5);
    for (const wrong of [5, -6, 0.5]) {
      expect(() => row.at(wrong)).toThrow(IndexError);
      expect(() => row.set(wrong, a)).toThrow(IndexError);
      expect(() => row.pop(wrong)).toThrow(IndexError);
    }
    expect(() => row.insert(6, a)).toThrow(IndexError);
    const relu = ((x: unknown) => x) as unknown as nn.Layer;
    for (const put of [() => row.append(relu), () => row.insert(0, relu), () => row.set(0, relu)])
      expect(put).toThrow(ArgumentError);
    expect(row.length).toBe(5);
  }
});

test("a captured function notices that a Sequential has changed", () => {
  const net = new nn.Sequential(new nn.Threshold(0, 1));
  const run = capture((x: Tensor) => net.forward(x));
  for (let i = 0; i < 3; i++) expect(run(tensor([-1, 2])).toArraySync()).toEqual([1, 2]);
  net.append(new nn.Threshold(1.5, 7));
  expect(run(tensor([-1, 2])).toArraySync()).toEqual([7, 2]);
  net.pop(0);
  expect(run(tensor([-1, 2])).toArraySync()).toEqual([7, 2]);
  net.pop();
  expect(run(tensor([-1, 2])).toArraySync()).toEqual([-1, 2]);
});

test("ModuleDict has values, and takes out and in", () => {
  const [a, b] = [new nn.Identity(), new nn.Linear(1, 1)];
  const dict = new nn.ModuleDict<Record<string, nn.Module>>({ a });
  dict.update({ b, a: b });
  expect(dict.values()).toEqual([b, b]);
  expect(dict.pop("a")).toBe(b);
  expect(() => dict.pop("a")).toThrow(ArgumentError);
  expect(() => dict.set("c", {} as nn.Module)).toThrow(ArgumentError);
  dict.clear();
  expect(dict.size).toBe(0);
});

test("ParameterList and ParameterDict hold parameters, and make them of tensors", () => {
  const [p, t] = [new nn.Parameter(tensor([1])), tensor([2])];
  class Net extends nn.Module {
    list = new nn.ParameterList([p, t]);
    dict = new nn.ParameterDict({ left: t });
  }
  const net = new Net();
  expect(paths(net)).toEqual(["list.0", "list.1", "dict.left"]);
  expect(net.list.at(0)).toBe(p);
  expect(net.list.at(-1)).toBeInstanceOf(nn.Parameter);
  expect([...net.stateDict().keys()]).toEqual(["list.0", "list.1", "dict.left"]);
  net.list.append(t).extend([p]).set(0, t);
  expect([...net.list].map((q) => q.itemSync())).toEqual([2, 2, 2, 1]);
  expect([...net.list.slice(3)]).toEqual([p]);
  expect(() => net.list.at(4)).toThrow(IndexError);
  expect(() => net.list.append([1] as never)).toThrow(ArgumentError);
  net.dict.set("right", p);
  expect(net.dict.keys()).toEqual(["left", "right"]);
  expect(net.dict.pop("right")).toBe(p);
  expect(() => net.dict.get("right")).toThrow(/"right"; there are left/);
  expect(() => net.dict.set("a.b", p)).toThrow(ArgumentError);
});
