import { elements, freeze, frozenBy, rows, select, selectParts, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { SGD } from "thaw/optim";
import { type Parameter, tensor } from "thaw/tensor";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, IndexError, SelectorError } from "../../src/base/errors.ts";

class Network extends nn.Module {
  table = new nn.Embedding(6, 2);
  head = new nn.Linear(2, 6, { bias: false });
}

let net: Network;
beforeEach(() => {
  net = new Network();
});

/** What is frozen of a parameter, as text. */
const frozen = (p: Parameter = net.table.weight): string =>
  p.frozen ? "all" : (p.frozenRegion?.text ?? "none");
const named = (selector: Parameter | string | readonly unknown[]): Record<string, string> =>
  Object.fromEntries(
    [...selectParts(net, selector as string)].map(([path, { region }]) => [path, region?.text ?? "all"]),
  );

describe("selectors with an index", () => {
  test.each([
    ["table.weight[2:4]", { "table.weight": "[2:4]" }],
    ["table.weight[-2:]", { "table.weight": "[4:]" }],
    ["table.weight[::2]", { "table.weight": "[[0, 2, 4]]" }],
    ["table.weight[ [0, -1] ]", { "table.weight": "[[0, 5]]" }],
    ["table.weight[:]", { "table.weight": "all" }],
    ["table.weight[:, 1]", { "table.weight": "[:, 1]" }],
    ["table.weight[0, :]", { "table.weight": "[0]" }],
    ["table.weight[1, 1]", { "table.weight": "(1 of 12 elements)" }],
    ["*.weight[:2]", { "table.weight": "[:2]", "head.weight": "[:2]" }],
    [["table.weight[:2]", "table.weight[4:]"], { "table.weight": "[[:2, 4:]]" }],
    [["table.weight[:2]", "table.weight"], { "table.weight": "all" }],
    [["**", "!table.weight[:2]"], { "table.weight": "[2:]", "head.weight": "all" }],
    [["table.weight[:4]", "!table.weight[2:]"], { "table.weight": "[:2]" }],
    [["!table.weight[2:]"], { "table.weight": "[:2]", "head.weight": "all" }],
    [["table.weight[:3]", "!table.weight"], {}],
    [[rows("**.weight", [5, 1])], { "table.weight": "[[1, 5]]", "head.weight": "[[1, 5]]" }],
    [[rows("head.weight", [1], { dim: -1 })], { "head.weight": "[:, 1]" }],
    [
      [
        elements("table.weight", [
          [true, false],
          [false, false],
          [false, false],
          [false, false],
          [false, false],
          [false, true],
        ]),
      ],
      { "table.weight": "(2 of 12 elements)" },
    ],
  ])("%j", (selector, parts) => {
    expect(named(selector)).toEqual(parts);
  });

  test("select gives the parameters, and what named them first is known", () => {
    expect([...select(net, ["table.weight[0]", "table.weight[1]"]).values()]).toEqual([net.table.weight]);
    expect(selectParts(net, ["table.weight[0]", "table.*"]).get("table.weight")!.by).toBe(
      '"table.weight[0]"',
    );
  });

  test("a tied weight is cut under any of its paths", () => {
    net.head.weight = net.table.weight;
    expect(named("head.weight[3]")).toEqual({ "table.weight": "[3]" });
  });

  test.each([
    ["table.weight[6]", IndexError],
    ["table.weight[0:7]", IndexError],
    ["table.weight[[0, 6]]", IndexError],
    ["table.weight[", SelectorError],
    ["table.weight[]", SelectorError],
    ["table.weight[1:2:3:4]", SelectorError],
    ["table.weight[[[1]]]", SelectorError],
    ["table.weight[1.5]", SelectorError],
    ["table.weight[1][2]", SelectorError],
    ["nothing[1]", SelectorError],
  ] as const)("%s is refused", (selector, kind) => {
    expect(() => selectParts(net, selector)).toThrow(kind);
  });
});

describe("freezing some of a parameter", () => {
  test("adds up, is taken away in parts, and becomes all of it", () => {
    freeze(net, "table.weight[:2]");
    freeze(net, "table.weight[4:]");
    expect(frozen()).toBe("[[:2, 4:]]");
    unfreeze(net, "table.weight[1:5]");
    expect(frozen()).toBe("[[0, 5]]");
    freeze(net, "table.weight[1:5]");
    expect(frozen()).toBe("all");
    unfreeze(net, "table.weight[0]");
    expect(frozen()).toBe("[1:]");
    unfreeze(net, "**");
    expect(frozen()).toBe("none");
  });

  test("scopes nest: the innermost wins, and each puts back what it found", () => {
    freeze(net, "table.weight[:4]", () => {
      unfreeze(net, "table.weight[2:]", () => {
        expect(frozen()).toBe("[:2]");
        freeze(net, "**", () => expect(frozen()).toBe("all"));
        expect(frozen()).toBe("[:2]");
      });
      expect(frozen()).toBe("[:4]");
      expect(frozenBy(net.table.weight)).toBe('freeze(Network, "table.weight[:4]")');
    });
    expect(frozen()).toBe("none");
    expect(frozenBy(net.table.weight)).toBeNull();
  });

  test("a scope closed out of order errs, and changes nothing", () => {
    const outer = freeze(net, "table.weight[:2]");
    const inner = freeze(net, "table.weight[4:]");
    expect(() => outer[Symbol.dispose]()).toThrow(ArgumentError);
    expect(() => outer[Symbol.dispose]()).toThrow(/"table\.weight\[4:\]".* still holds table\.weight/);
    expect(frozen()).toBe("[[:2, 4:]]");
    inner[Symbol.dispose]();
    outer[Symbol.dispose]();
    expect(frozen()).toBe("none");
  });

  test("an index that does not fit one parameter freezes none", () => {
    expect(() => freeze(net, "*.weight[:, 5]")).toThrow(IndexError);
    expect([frozen(), frozen(net.head.weight)]).toEqual(["none", "none"]);
  });

  test("makes no state for what is frozen, and keeps the state of what was trained", () => {
    const optimizer = new SGD(net, { lr: 0.1, momentum: 0.9 });
    const give = (): void => {
      net.table.weight.grad = tensor(Array.from({ length: 12 }, () => 1)).reshape([6, 2]);
      optimizer.step();
    };
    freeze(net, "table.weight[:4]", give);
    const [only] = optimizer.parts(net.table.weight);
    expect(only!.region!.text).toBe("[4:]");
    expect(only!.state.momentumBuffer!.shape).toEqual([2, 2]);
    const before = [...only!.state.momentumBuffer!.dataSync()];
    freeze(net, "table.weight[4:]", give);
    const kept = optimizer.parts(net.table.weight).find(({ region }) => region!.text === "[4:]")!;
    expect([...kept.state.momentumBuffer!.dataSync()]).toEqual(before);
    expect(kept.state.step).toBe(1);
  });
});
