import fc from "fast-check";
import { elements, freeze, frozenBy, rows, type Selector, select, selectParts, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { SGD } from "thaw/optim";
import { ones, type Parameter, tensor, zeros } from "thaw/tensor";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, IndexError, SelectorError, ShapeError } from "../../src/base/errors.ts";

class Network extends nn.Module {
  table = new nn.Embedding(6, 2);
  head = new nn.Linear(2, 6);
}

let net: Network;
beforeEach(() => {
  net = new Network();
  net.parameters();
});

/** What is frozen of a parameter, as text. */
const frozen = (p: Parameter = net.table.weight): string =>
  p.frozen ? "all" : (p.frozenRegion?.text ?? "none");
const named = (selector: Selector): Record<string, string> =>
  Object.fromEntries(
    [...selectParts(net, selector)].map(([path, { region }]) => [path, region?.text ?? "all"]),
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
    ["table.weight[[1, 3:5]]", { "table.weight": "[[1, 3:5]]" }],
    ["*.weight[:2]", { "table.weight": "[:2]", "head.weight": "[:2]" }],
    [["table.weight[:2]", "table.weight[4:]"], { "table.weight": "[[:2, 4:]]" }],
    [["table.weight[:2]", "table.weight"], { "table.weight": "all" }],
    [["**", "!table.weight[:2]"], { "table.weight": "[2:]", "head.weight": "all", "head.bias": "all" }],
    [["table.weight[:4]", "!table.weight[2:]"], { "table.weight": "[:2]" }],
    [["!table.weight[2:]"], { "table.weight": "[:2]", "head.weight": "all", "head.bias": "all" }],
    [["table.weight[:3]", "!table.weight"], {}],
    [["table.weight[:3]", "!table.weight[:4]"], {}],
    [["!table.weight", "table.weight[:3]", "head.bias"], { "head.bias": "all" }],
    [rows(["table.weight[:3]", "head.weight"], [2, 4]), { "table.weight": "[2]", "head.weight": "[[2, 4]]" }],
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

  const third = Array.from({ length: 12 }, (_, i) => i === 2);
  test.each<[Selector, Error]>([
    [
      "table.weight[0:7]",
      new IndexError(
        "table.weight[0:7]: 7 is outside a dimension of 6, of a tensor of shape [6, 2]; bounds there are 0 to 6",
      ),
    ],
    [
      "**[:, 1]",
      new IndexError("head.bias[:, 1]: an index of 2 dimensions for a tensor of shape [6]; give at most 1"),
    ],
    [
      ["**", "!table.weight[3:3]"],
      new SelectorError(
        "table.weight[3:3] names no element of a tensor of shape [6, 2]. A slice holds what is from its start up to, and without, its end.",
      ),
    ],
    [
      "tabel.weight[1]",
      new SelectorError(
        '"tabel.weight[1]" selects no parameter of Network. Nearest: table.weight, head.weight, head.bias.',
      ),
    ],
    [
      "!tabel.weight[1]",
      new SelectorError(
        '"!tabel.weight[1]" selects no parameter of Network. Nearest: table.weight, head.weight, head.bias.',
      ),
    ],
    [
      "table[1]",
      new SelectorError(
        '"table[1]" selects no parameter of Network. "table" is a module; its parameters are "table.**".',
      ),
    ],
    [
      rows("tabel.weight", [1]),
      new SelectorError(
        '"tabel.weight" selects no parameter of Network. Nearest: table.weight, head.weight, head.bias.',
      ),
    ],
    [
      rows("table.weight", [5, 6]),
      new IndexError(
        'rows("table.weight", [5, 6]): index 6 is outside dimension 0 of table.weight, of shape [6, 2]; indices there are 0 to 5',
      ),
    ],
    [
      rows("table.weight", [-1]),
      new IndexError(
        'rows("table.weight", [-1]): index -1 is outside dimension 0 of table.weight, of shape [6, 2]; indices there are 0 to 5',
      ),
    ],
    [
      rows("**", [0], { dim: -2 }),
      new IndexError(
        'rows("**", [0], { dim: -2 }): head.bias of shape [6] has no dimension -2; its dimensions are 0 to 0',
      ),
    ],
    [
      rows("table.weight[:2]", [4, 5]),
      new SelectorError(
        'rows("table.weight[:2]", [4, 5]) names no element of table.weight: the inner selector names only table.weight[:2].',
      ),
    ],
    [
      rows(["table.weight", "!table.**"], [1]),
      new SelectorError(
        'rows(["table.weight", "!table.**"], [1]) selects no parameter of Network. Paths there: table.weight, head.weight, head.bias.',
      ),
    ],
    [
      elements("table.weight", tensor([[true, false]])),
      new ShapeError(
        'elements("table.weight", 1 of 2): the mask has shape [1, 2], table.weight has shape [6, 2]; they must be the same',
      ),
    ],
    [
      elements("table.weight", [true, false]),
      new ShapeError(
        'elements("table.weight", 1 of 2): the mask has shape [2], table.weight has shape [6, 2]; they must be the same',
      ),
    ],
    [
      elements("table.weight", [third.slice(0, 6), third.slice(6)]),
      new ShapeError(
        'elements("table.weight", 1 of 12): the mask has shape [2, 6], table.weight has shape [6, 2]; they must be the same',
      ),
    ],
    [
      elements("**", third),
      new ShapeError(
        'elements("**", 1 of 12): the mask has shape [12], head.bias has shape [6]; they must be the same',
      ),
    ],
  ])("%s is refused", (selector, error) => {
    expect(() => selectParts(net, selector)).toThrow(error);
  });

  test.each<[string, () => unknown, Error]>([
    ["no rows", () => rows("table.weight", []), new SelectorError("rows: no indices; name at least one")],
    [
      "a mask of numbers",
      () => elements("table.weight", zeros([6, 2])),
      new DTypeError(
        "elements: the mask is f32; it must be bool, as a comparison such as weight.ne(0) gives",
      ),
    ],
    [
      "a mask of nothing",
      () => elements("table.weight", zeros([6, 2], { dtype: "bool" })),
      new SelectorError("elements: the mask is false everywhere; it names nothing"),
    ],
    [
      "a ragged mask",
      () => elements("table.weight", [[true, false], [true]]),
      new ArgumentError(
        "elements: an array of 1 at depth 1 of the mask; it must be booleans, in arrays that are equally long at each depth, or a bool tensor",
      ),
    ],
    [
      "numbers in arrays",
      () => elements("table.weight", [[1, 0]] as unknown as boolean[][]),
      new ArgumentError(
        "elements: a number at depth 2 of the mask; it must be booleans, in arrays that are equally long at each depth, or a bool tensor",
      ),
    ],
  ])("%s is refused at once", (_, make, error) => {
    expect(make).toThrow(error);
  });

  test("a mask is booleans in one line, nested, or a tensor, and of all is all", () => {
    const nested = Array.from({ length: 6 }, (_, i) => third.slice(2 * i, 2 * i + 2));
    const [only] = [elements("table.weight", third), elements("table.weight", nested)].map(
      (one) => selectParts(net, one).get("table.weight")!.region,
    );
    for (const mask of [third, nested, tensor(nested)])
      expect(selectParts(net, elements("table.weight", mask)).get("table.weight")!.region).toBe(only);
    expect(only!.flat()).toEqual(Int32Array.of(2));
    expect(named(elements("table.weight", ones([6, 2], { dtype: "bool" })))).toEqual({
      "table.weight": "all",
    });
  });

  test("parameters of another network are refused, and nothing is frozen", () => {
    const other = new Network();
    other.parameters();
    for (const selector of [rows(other.table, [1]), ["table.weight[0]", rows(other.table.weight, [1])]]) {
      expect(() => freeze(net, selector)).toThrow(SelectorError);
      expect(() => freeze(net, selector)).toThrow(
        / selects no parameter of Network\. It is not part of Network\.$/,
      );
    }
    expect([frozen(), frozen(other.table.weight)]).toEqual(["none", "none"]);
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

  test("scopes that overlap put back what each of them found", () => {
    net.table.weight.frozenRegion = selectParts(net, "table.weight[5]").get("table.weight")!.region;
    freeze(net, "table.weight[:3]", () => {
      freeze(net, "table.weight[2:]", () => {
        expect(frozen()).toBe("all");
        unfreeze(net, "table.weight[:, 0]", () => {
          expect(frozen()).toBe("[:, 1]");
          freeze(net, "table.weight[0]", () => expect(frozen()).toBe("(7 of 12 elements)"));
          expect(frozen()).toBe("[:, 1]");
        });
        expect(frozen()).toBe("all");
      });
      expect(frozen()).toBe("[[:3, 5]]");
    });
    expect(frozen()).toBe("[5]");
  });

  test("at random, whatever is opened and closed as nested, each moment is that of the innermost for each element", () => {
    const region = fc.constantFrom("[:2]", "[1:4]", "[[0, 5]]", "[:, 0]", "[3:, 1]", "[:]", "[2]");
    const scopes = fc.array(fc.tuple(fc.boolean(), region), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(scopes, (all) => {
        const { table } = new Network();
        const { weight } = table;
        const held = new Set<number>();
        const now = (): number[] => {
          if (weight.frozen) return Array.from({ length: 12 }, (_, i) => i);
          return [...(weight.frozenRegion?.flat() ?? [])];
        };
        const open = ([first, ...rest]: typeof all): void => {
          if (first === undefined) return;
          const [freezes, index] = first;
          const before = [...held];
          const named = selectParts(table, `weight${index}`).get("weight")!.region?.flat();
          for (const place of named ?? Array.from({ length: 12 }, (_, i) => i))
            if (freezes) held.add(place);
            else held.delete(place);
          (freezes ? freeze : unfreeze)(table, `weight${index}`, () => {
            expect(now()).toEqual([...held].sort((a, b) => a - b));
            open(rest);
          });
          held.clear();
          for (const place of before) held.add(place);
          expect(now()).toEqual([...held].sort((a, b) => a - b));
        };
        open(all);
        expect([weight.frozen, weight.frozenRegion, frozenBy(weight)]).toEqual([false, null, null]);
      }),
    );
  });

  test("tells by what: each scope or call by which some is frozen still", () => {
    const { weight } = net.table;
    freeze(net, "table.weight[:2]");
    freeze(net, "table.weight[4:]");
    expect(frozenBy(weight)).toBe(
      'freeze(Network, "table.weight[:2]") and freeze(Network, "table.weight[4:]")',
    );
    unfreeze(net, "table.weight[5]");
    expect(frozenBy(weight)).toBe(
      'freeze(Network, "table.weight[:2]") and freeze(Network, "table.weight[4:]")',
    );
    unfreeze(net, "table.weight[4]");
    expect(frozenBy(weight)).toBe('freeze(Network, "table.weight[:2]")');
    freeze(net, ["**", "!head.**"], () =>
      expect(frozenBy(weight)).toBe('freeze(Network, ["**", "!head.**"])'),
    );
    expect(frozenBy(weight)).toBe('freeze(Network, "table.weight[:2]")');
    unfreeze(net, "**");
    expect(frozenBy(weight)).toBeNull();
    weight.frozen = true;
    expect(frozenBy(weight)).toBeNull();
    freeze(net, "table.weight");
    weight.frozen = false;
    expect(frozenBy(weight)).toBeNull();
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
