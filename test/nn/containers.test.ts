import * as nn from "thaw/nn";
import { tensor } from "thaw/tensor";
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
