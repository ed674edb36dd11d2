import { loadFromBytes, saveToBytes } from "thaw/checkpoint";
import { select } from "thaw/freeze";
import * as nn from "thaw/nn";
import { Adam, AdamW, type GroupOptions, type OptimizerParams, SGD } from "thaw/optim";
import { ones, Parameter, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { StateDictError } from "../../src/base/errors.ts";
import { Region } from "../../src/tensor/region.ts";

type Options = { lr: number };
type Groups = OptimizerParams<Options & object>;

class Net extends nn.Module {
  body = new nn.Linear(3, 3);
  a = new nn.Linear(3, 1);
  b = new nn.Linear(3, 1);
}

const nameOf = (net: nn.Module, p: Parameter): string =>
  net.namedParameters({ removeDuplicate: false }).find(([, other]) => other === p)?.[0] ?? "?";

/** Gives every parameter of `paths` a gradient of its own size, and steps. */
function train(net: nn.Module, optimizer: { step(): void }, paths: readonly string[]): void {
  for (const [i, [path, p]] of net.namedParameters().entries())
    p.grad = paths.some((start) => path.startsWith(`${start}.`)) ? ones(p.shape).mul(i + 1) : null;
  optimizer.step();
}

/** The first moments by path, as one number each. */
const moments = (net: nn.Module, { state }: Adam): Record<string, number> =>
  Object.fromEntries([...state].map(([p, { expAvg }]) => [nameOf(net, p), Number(expAvg.sum().itemSync())]));
const rates = (net: nn.Module, { paramGroups }: Adam): Record<string, number> =>
  Object.fromEntries(paramGroups.flatMap(({ lr, params }) => params.map((p) => [nameOf(net, p), lr])));

const lr = { body: 1e-4, a: 1e-2, b: 1e-3 };
/** Ways to give an optimizer the parts of a network. */
const ways: Record<string, (net: Net, part: "body" | "a" | "b") => GroupOptions<Options>> = {
  modules: (net, part) => ({ params: net[part], lr: lr[part] }),
  "lists of parameters": (net, part) => ({ params: [net[part].weight, net[part].bias!], lr: lr[part] }),
  "what a part's parameters() gives": (net, part) => ({ params: net[part].parameters(), lr: lr[part] }),
  selections: (net, part) => ({ params: select(net, `${part}.**`), lr: lr[part] }),
  "selections in the parts": (net, part) => ({ params: select(net[part], "**"), lr: lr[part] }),
};

describe.each(Object.entries(ways))("an optimizer made of %s", (_, group) => {
  const make = (net: Net, order: readonly ("body" | "a" | "b")[]): Adam =>
    new Adam(order.map((part) => group(net, part)) as Groups as never);

  test.each(["nothing", "the network", "one part"])(
    "goes on from a file with its groups in another order, %s being walked before",
    (walked) => {
      const walk = (net: Net): unknown =>
        walked === "nothing" ? null : (walked === "one part" ? net.a : net).namedParameters();
      const [net, again] = [new Net(), new Net()];
      const optimizer = make(net, ["body", "a", "b"]);
      walk(net);
      train(net, optimizer, ["body", "a"]);
      const bytes = saveToBytes({ module: net, optimizer });
      const resumed = make(again, ["b", "body", "a"]);
      if (walked === "one part") again.b.parameters();
      loadFromBytes(bytes, { module: again, optimizer: resumed });
      expect(moments(again, resumed)).toEqual(moments(net, optimizer));
      expect(Object.keys(moments(again, resumed))).toHaveLength(4);
      expect(rates(again, resumed)).toEqual(rates(net, optimizer));
      for (const [n, o] of [
        [net, optimizer],
        [again, resumed],
      ] as const)
        train(n, o, ["a", "b"]);
      expect(moments(again, resumed)).toEqual(moments(net, optimizer));
      expect([...again.stateDict()].map(([, t]) => t.toArraySync())).toEqual(
        [...net.stateDict()].map(([, t]) => t.toArraySync()),
      );
    },
  );

  test("goes back to its own state dict, whatever has come to be since", () => {
    const net = new Net();
    const optimizer = make(net, ["body", "a", "b"]);
    train(net, optimizer, ["a"]);
    const dict = optimizer.stateDict();
    const before = moments(net, optimizer);
    net.namedParameters();
    train(net, optimizer, ["body", "a", "b"]);
    optimizer.loadStateDict(dict);
    expect(moments(net, optimizer)).toEqual(before);
  });

  test("without a module to name it from, is right or an error", () => {
    const [net, again] = [new Net(), new Net()];
    const optimizer = make(net, ["body", "a", "b"]);
    train(net, optimizer, ["a"]);
    const resumed = make(again, ["body", "b", "a"]);
    let error: unknown = null;
    try {
      resumed.loadStateDict(optimizer.stateDict());
    } catch (thrown) {
      error = thrown;
    }
    if (error === null) expect(moments(again, resumed)).toEqual(moments(net, optimizer));
    else {
      expect(error).toBeInstanceOf(StateDictError);
      expect(resumed.state.size).toBe(0);
      expect((error as Error).message).toContain("{ module }");
      // What it advises works.
      resumed.loadStateDict(optimizer.stateDict({ module: net }), { module: again });
      expect(moments(again, resumed)).toEqual(moments(net, optimizer));
    }
  });
});

test("all parameters of a module in one list have the paths of that module", () => {
  const [net, again] = [new Net(), new Net()];
  const optimizer = new Adam(net.parameters());
  train(net, optimizer, ["a"]);
  const resumed = new Adam([...again.parameters()].reverse());
  resumed.loadStateDict(optimizer.stateDict());
  expect(moments(again, resumed)).toEqual(moments(net, optimizer));
  expect([...optimizer.namedParameters().keys()]).toContain("body.weight");
});

describe("parameters of no module", () => {
  const pair = () => [new Parameter(tensor([1, 2])), new Parameter(tensor([3, 4]))] as const;
  const stepped = (optimizer: Adam, p: Parameter): Adam => {
    p.grad = ones(p.shape);
    optimizer.step();
    return optimizer;
  };

  test("of one shape cannot be told apart by their places; with names they can, in any order", () => {
    const [p, q] = pair();
    const [r, s] = pair();
    const dict = stepped(new Adam([p, q]), p).stateDict();
    expect(() => new Adam([s, r]).loadStateDict(dict)).toThrow(
      "0.0 and 0.1 have no names, or not each its own, and are all f32[2]: nothing tells which is which",
    );
    const alike = (a: Parameter, b: Parameter) =>
      new Adam([
        ["w", a],
        ["w", b],
      ]);
    expect(() => alike(s, r).loadStateDict(stepped(alike(p, q), p).stateDict())).toThrow(
      /or not each its own/,
    );
    const named = stepped(
      new Adam([
        ["p", p],
        ["q", q],
      ]),
      p,
    );
    const resumed = new Adam([
      ["q", s],
      ["p", r],
    ]);
    resumed.loadStateDict(named.stateDict());
    expect(resumed.state.has(r)).toBe(true);
    expect(resumed.state.has(s)).toBe(false);
  });

  test("of shapes that differ are found by their places, and refused at others", () => {
    const make = () => [new Parameter(zeros([2])), new Parameter(zeros([3]))] as const;
    const [p, q] = make();
    const [r, s] = make();
    const dict = stepped(new Adam([p, q]), p).stateDict();
    const resumed = new Adam([r, s]);
    resumed.loadStateDict(dict);
    expect(resumed.state.has(r)).toBe(true);
    expect(() => new Adam([s, r]).loadStateDict(dict)).toThrow(
      "0.0 has shape [2] in the state dict, and [3] here",
    );
    expect(() => new Adam([r]).loadStateDict(dict)).toThrow("0.1, which the optimizer's has not");
  });

  test("go back to a state dict of their own by what they are, not by their names", () => {
    const [p, q] = pair();
    const dict = stepped(new Adam([p, q]), q).stateDict();
    const other = new Adam([q, p]);
    other.loadStateDict(dict);
    expect(other.state.has(q)).toBe(true);
    expect(other.state.has(p)).toBe(false);
  });
});

test("two towers of one class are not taken for each other", () => {
  const towers = () => [new nn.Linear(2, 2), new nn.Linear(2, 2)] as const;
  const [student, teacher] = towers();
  const [other, another] = towers();
  const optimizer = new Adam([...student.parameters(), ...teacher.parameters()]);
  student.weight.grad = ones([2, 2]);
  optimizer.step();
  const resumed = new Adam([...another.parameters(), ...other.parameters()]);
  expect(() => resumed.loadStateDict(optimizer.stateDict())).toThrow(StateDictError);
  expect(resumed.state.size).toBe(0);
});

describe("tied weights", () => {
  class Model extends nn.Module {
    table = new nn.Embedding(4, 3);
    output = new nn.Linear(3, 4, { bias: false });
  }
  const tie = (model: Model): Model => {
    model.output.weight = model.table.weight;
    return model;
  };
  const stepped = (model: Model, optimizer: Adam, ...paths: string[]): Uint8Array => {
    train(model, optimizer, paths);
    return saveToBytes({ module: model, optimizer });
  };

  test("tied after the optimizer was made go on where they are tied before it, and the other way", () => {
    for (const first of [true, false]) {
      const [model, again] = [new Model(), new Model()];
      if (!first) tie(model);
      const optimizer = new Adam(model);
      tie(model);
      const bytes = stepped(model, optimizer, "table");
      if (first) tie(again);
      const resumed = new Adam(again);
      tie(again);
      loadFromBytes(bytes, { module: again, optimizer: resumed });
      expect(resumed.state.get(again.table.weight)!.expAvg.toArraySync()).toEqual(
        optimizer.state.get(model.table.weight)!.expAvg.toArraySync(),
      );
      expect(resumed.state.size).toBe(1);
    }
  });

  test("that had a state each before they were tied keep that of the weight that stayed", () => {
    const model = new Model();
    const optimizer = new Adam(model);
    train(model, optimizer, ["table", "output"]);
    tie(model);
    const bytes = stepped(model, optimizer, "table");
    const again = tie(new Model());
    const resumed = new Adam(again);
    loadFromBytes(bytes, { module: again, optimizer: resumed });
    expect(resumed.state.get(again.table.weight)!.step).toBe(2);
    // In the process where it is still there, the other state is not lost either.
    const dict = optimizer.stateDict();
    expect(Object.keys(dict.state)).toEqual(["table.weight", "former:output.weight"]);
    optimizer.loadStateDict(dict);
    expect(optimizer.state.size).toBe(2);
  });

  test("saved apart and loaded into one, or the other way, are named", () => {
    const [apart, tied] = [new Model(), tie(new Model())];
    const [one, other] = [new Adam(apart), new Adam(tied)];
    train(apart, one, ["table", "output"]);
    train(tied, other, ["table"]);
    expect(() => new Adam(tie(new Model())).loadStateDict(one.stateDict())).toThrow(
      "table.weight and output.weight are one parameter here (tied weights), and two in the state dict",
    );
    const fresh = new Adam(new Model());
    expect(() => fresh.loadStateDict(other.stateDict())).toThrow(
      "output.weight is tied to table.weight in the state dict, and a parameter of its own here: tie it before",
    );
    expect(fresh.state.size).toBe(0);
  });

  test("are found by any of their paths", () => {
    class Turned extends nn.Module {
      output = new nn.Linear(3, 4, { bias: false });
      table = new nn.Embedding(4, 3);
    }
    const model = tie(new Model());
    const optimizer = new Adam(model);
    train(model, optimizer, ["table"]);
    const turned = tie(new Turned());
    const resumed = new Adam(turned);
    resumed.loadStateDict(optimizer.stateDict());
    expect(resumed.state.get(turned.table.weight)!.step).toBe(1);
  });
});

describe("replaced parameters", () => {
  test("are of no concern to a file, and what took their place is told where it has no group", () => {
    const net = new Net();
    const optimizer = new Adam(net);
    train(net, optimizer, ["a", "b"]);
    net.a = new nn.Linear(3, 1);
    optimizer.addParamGroup({ params: select(net, "a.**"), lr: 0.5 });
    train(net, optimizer, ["a", "b"]);
    const bytes = saveToBytes({ module: net, optimizer });
    const again = new Net();
    const resumed = new Adam([
      { params: again.a, lr: 1 },
      { params: [...again.body.parameters(), ...again.b.parameters()], lr: 1 },
    ]);
    loadFromBytes(bytes, { module: again, optimizer: resumed });
    expect(moments(again, resumed)).toEqual({
      "a.weight": moments(net, optimizer)["a.weight"],
      "a.bias": moments(net, optimizer)["a.bias"],
      "b.weight": moments(net, optimizer)["b.weight"],
      "b.bias": moments(net, optimizer)["b.bias"],
    });
    expect(rates(again, resumed)["a.weight"]).toBe(0.5);
    expect(resumed.state.get(again.a.weight)!.step).toBe(1);
    again.b = new nn.Linear(3, 1);
    expect(() => loadFromBytes(bytes, { module: again, optimizer: resumed })).toThrow(
      "b.weight, b.bias of the module came after this optimizer was made: make it again, or add them with addParamGroup",
    );
  });

  test("what was not in the optimizer that was saved is told", () => {
    const net = new Net();
    const optimizer = new Adam(net);
    net.b = new nn.Linear(3, 1);
    train(net, optimizer, ["a"]);
    const again = new Net();
    expect(() =>
      loadFromBytes(saveToBytes({ module: net, optimizer }), { module: again, optimizer: new Adam(again) }),
    ).toThrow("b.weight of the state dict had been replaced in its module after the optimizer was made");
  });
});

describe("nothing is loaded from", () => {
  const net = new Net();
  const optimizer = new Adam(net);
  train(net, optimizer, ["a", "b"]);
  const dict = optimizer.stateDict();
  const weight = dict.state["a.weight"]!;
  const withState = (state: object) => ({ ...dict, state: { ...dict.state, "a.weight": state } });
  const cases: Record<string, [object, string]> = {
    "a state that lacks a moment": [
      withState({ step: 1, expAvg: weight.expAvg }),
      "the state of a.weight is cut short: it has no expAvgSq",
    ],
    "a state with an entry of another class": [
      withState({ ...weight, momentumBuffer: weight.expAvg }),
      "the state of a.weight has momentumBuffer, which is none of this optimizer's",
    ],
    "a step that is no count": [withState({ ...weight, step: 1.5 }), "step of a.weight is 1.5"],
    "a moment that is a number": [withState({ ...weight, expAvg: 3 }), "expAvg of a.weight is a number"],
    "no state at all where one should be": [withState(null as never), "the state of a.weight is null"],
    "another class with the same options": [{ ...dict, name: "AdamW" }, "it is the state of AdamW"],
    "a group without its rate": [
      { ...dict, paramGroups: [{ ...dict.paramGroups[0]!, lr: undefined }] },
      "group 0 does not say lr",
    ],
    "a first rate that cannot be": [
      { ...dict, paramGroups: [{ ...dict.paramGroups[0]!, initialLr: "1" }] },
      "group 0: initialLr is 1; it must be a number",
    ],
    "a parameter that is there twice": [
      { ...dict, paramGroups: [dict.paramGroups[0]!, dict.paramGroups[0]!] },
      "it has body.weight twice",
    ],
    "groups that are cut in another way": [
      {
        ...dict,
        paramGroups: [
          { ...dict.paramGroups[0]!, params: ["a.weight", "a.bias"] },
          { ...dict.paramGroups[0]!, params: ["b.weight", "b.bias", "body.weight", "body.bias"] },
        ],
      },
      "it has 2 parameter groups, the optimizer 1",
    ],
    null: [null as never, "it is not the state dict of an optimizer"],
  };
  test.each(Object.entries(cases))("%s", (_, [bad, message]) => {
    const again = new Net();
    const fresh = new Adam(again, { lr: 0.7 });
    expect(() => fresh.loadStateDict(bad as never)).toThrow(message);
    expect(() => fresh.loadStateDict(bad as never)).toThrow(StateDictError);
    expect(fresh.state.size).toBe(0);
    expect(fresh.paramGroups[0]!.lr).toBe(0.7);
    expect(fresh.updates).toBe(0);
  });
});

test("an option that came on after the last step is saved with what it needs", () => {
  const make = () => {
    const net = new nn.Linear(2, 1);
    return { net, optimizer: new SGD(net, { lr: 0.1 }) };
  };
  const [one, other] = [make(), make()];
  other.net.loadStateDict(one.net.stateDict());
  const step = ({ net, optimizer }: ReturnType<typeof make>): void => {
    for (const p of net.parameters()) p.grad = ones(p.shape);
    optimizer.step();
  };
  step(one);
  one.optimizer.paramGroups[0]!.momentum = 0.9;
  other.net.loadStateDict(one.net.stateDict());
  other.optimizer.loadStateDict(one.optimizer.stateDict());
  for (const run of [one, other]) {
    step(run);
    step(run);
  }
  expect(other.net.weight.toArraySync()).toEqual(one.net.weight.toArraySync());
});

test("parts of a parameter go to the parameter of the same path", () => {
  const make = (turned: boolean) => {
    const net = new Net();
    const groups = [{ params: net.a }, { params: net.b }];
    return { net, optimizer: new AdamW(turned ? groups.reverse() : groups) };
  };
  const [one, other] = [make(false), make(true)];
  const { weight } = one.net.a;
  const region = Region.along(weight.shape, 1, Int32Array.of(0, 2));
  one.optimizer.update(new Map([[weight, ones([1, 2]).node]]), new Map([[weight, region]]));
  const bytes = saveToBytes({ module: one.net, optimizer: one.optimizer });
  loadFromBytes(bytes, { module: other.net, optimizer: other.optimizer });
  expect(other.optimizer.parts(other.net.a.weight).map((part) => part.region)).toEqual([region]);
  expect(other.optimizer.parts(other.net.b.weight)).toHaveLength(0);
});
