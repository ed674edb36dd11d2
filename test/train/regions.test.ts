import { elements, freeze, rows } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW, SGD } from "thaw/optim";
import { capture, manualSeed, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { IndexError, SelectorError } from "../../src/base/errors.ts";

class Net extends nn.Module {
  table = new nn.Embedding(8, 3);
  head = new nn.Linear(3, 4);

  forward(indices: Tensor): Tensor {
    return this.head.forward(this.table.forward(indices));
  }
}

const make = (): Net => {
  manualSeed(3);
  return new Net();
};
const indices = tensor([0, 1, 2, 5, 5, 7], { dtype: "i32" });
const lossOf = (net: Net) => (at: Tensor) => net.forward(at).pow(2).mean();
/** The places of elements that differ in a bit. */
const movedOf = (before: ArrayLike<number>, after: ArrayLike<number>): number[] =>
  Array.from(before, (x, i) => (Object.is(x, after[i]) ? -1 : i)).filter((i) => i >= 0);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

const optimizers = {
  AdamW: (net: nn.Module) => new AdamW(net, { lr: 0.1, weightDecay: 0.5 }),
  "SGD with momentum": (net: nn.Module) => new SGD(net, { lr: 0.1, momentum: 0.9, weightDecay: 0.5 }),
};

describe.each(Object.entries(optimizers))("%s", (_, optimizerOf) => {
  test.each([
    ["rows", ["table.weight[:3]"], range(0, 9)],
    ["a list of rows", ["table.weight[[1, 5]]"], [...range(3, 6), ...range(15, 18)]],
    ["rows from the end", ["table.weight[-1]"], range(21, 24)],
    ["channels", ["table.weight[:, 1]"], range(0, 8).map((row) => row * 3 + 1)],
    ["a block", ["table.weight[0:2, 1:]"], [1, 2, 4, 5]],
    ["all but some", ["table.weight", "!table.weight[2:]"], range(0, 6)],
    ["several of one", ["table.weight[0]", "table.weight[5]"], [...range(0, 3), ...range(15, 18)]],
    ["rows()", [rows("table.weight", [7, 0])], [...range(0, 3), ...range(21, 24)]],
    ["elements()", [elements("table.weight", tensor(range(0, 24)).reshape([8, 3]).eq(4))], [4]],
  ])("trains %s and not a bit of the others", async (_, trains, places) => {
    const net = make();
    const optimizer = optimizerOf(net);
    const step = trainStep(optimizer, { loss: lossOf(net), trains, verify: true });
    const before = net.table.weight.dataSync();
    for (let i = 0; i < 5; i++) await step(indices);
    expect(movedOf(before, net.table.weight.dataSync())).toEqual(places);
    const [part] = optimizer.parts(net.table.weight);
    expect([...part!.region!.flat()]).toEqual(places);
    expect(step.report().parameters[0]!.bitsChangedWhileFrozen).toBe(0);
  });

  test("moves what it trains as training all of it does", async () => {
    const [net, whole] = [make(), make()];
    const [some, all] = [net, whole].map((n, i) =>
      trainStep(optimizerOf(n), {
        loss: lossOf(n),
        trains: i === 0 ? "table.weight[[1, 5]]" : "table.weight",
      }),
    );
    await some!(indices);
    await all!(indices);
    const [a, b] = [net.table.weight.dataSync(), whole.table.weight.dataSync()];
    for (const row of [1, 5])
      expect([...a.slice(row * 3, row * 3 + 3)]).toEqual([...b.slice(row * 3, row * 3 + 3)]);
  });

  test("freeze() of rows holds them still, whoever steps", () => {
    const net = make();
    const optimizer = optimizerOf(net);
    const loop = (): void => {
      optimizer.zeroGrad();
      lossOf(net)(indices).backward();
      optimizer.step();
    };
    loop();
    const before = net.table.weight.dataSync();
    freeze(net, "table.weight[2:]", () => {
      for (let i = 0; i < 3; i++) loop();
      capture(loop)();
    });
    expect(movedOf(before, net.table.weight.dataSync())).toEqual(range(0, 6));
    loop();
    expect(movedOf(before, net.table.weight.dataSync())).toEqual(range(0, 24));
  });

  test("trains less where rows of it are frozen besides", async () => {
    const net = make();
    const step = trainStep(optimizerOf(net), { loss: lossOf(net), trains: "table.weight[:4]" });
    const before = net.table.weight.dataSync();
    await freeze(net, "table.weight[1:]", () => step(indices));
    expect(movedOf(before, net.table.weight.dataSync())).toEqual([0, 1, 2]);
    await step(indices);
    expect(movedOf(before, net.table.weight.dataSync())).toEqual(range(0, 12));
  });
});

test("every part has a step count of its own, and is cut where regions overlap, every bit kept", async () => {
  const net = make();
  const optimizer = new AdamW(net, { lr: 0.1 });
  const step = trainStep(optimizer, {
    loss: (_: string, at: Tensor) => lossOf(net)(at),
    trains: (which) => [which],
  });
  const counts = (): Record<string, number> =>
    Object.fromEntries(
      optimizer.parts(net.table.weight).map(({ region, state }) => [region?.text ?? "all", state.step]),
    );
  await step("table.weight[:4]", indices);
  await step("table.weight[:4]", indices);
  expect(counts()).toEqual({ "[:4]": 2 });
  const before = optimizer.state.get(net.table.weight)!.expAvg.dataSync();
  await step("table.weight[2:6]", indices);
  expect(counts()).toEqual({ "[2:4]": 3, "[:2]": 2, "[4:6]": 1 });
  expect(optimizer.state.has(net.table.weight)).toBe(false);
  const kept = optimizer.parts(net.table.weight).find(({ region }) => region!.text === "[:2]")!;
  expect([...kept.state.expAvg.dataSync()]).toEqual([...before.slice(0, 6)]);
  await step("table.**", indices);
  expect(counts()).toEqual({ "[2:4]": 4, "[:2]": 3, "[4:6]": 2, "[6:]": 1 });
});

test("parts that were trained at other times take each the step of their own count", async () => {
  const [net, late, early] = [make(), make(), make()];
  const steps = [net, late, early].map((n) =>
    trainStep(new AdamW(n, { lr: 0.1 }), {
      loss: (_: string, at: Tensor) => lossOf(n)(at),
      trains: (which) => [which],
    }),
  );
  await steps[0]!("table.weight[:4]", indices);
  early.loadStateDict(make().stateDict());
  await steps[2]!("table.weight[:4]", indices);
  late.loadStateDict(net.stateDict());
  await steps[0]!("table.weight", indices);
  await steps[1]!("table.weight[4:]", indices);
  await steps[2]!("table.weight[:4]", indices);
  const [a, b, c] = [net, late, early].map((n) => n.table.weight.dataSync()) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  expect([...a.slice(12)]).toEqual([...b.slice(12)]);
  expect([...a.slice(0, 12)]).toEqual([...c.slice(0, 12)]);
});

test("states of parts go through a state dict, bit for bit", async () => {
  const [net, other] = [make(), make()];
  const [optimizer, loaded] = [new AdamW(net, { lr: 0.1 }), new AdamW(other, { lr: 0.1 })];
  const [step, again] = [
    [net, optimizer],
    [other, loaded],
  ].map(([n, o]) =>
    trainStep(o as AdamW, {
      loss: (_: string, at: Tensor) => lossOf(n as Net)(at),
      trains: (which) => [which],
    }),
  );
  const order = ["table.weight[:4]", "table.weight[2:6]", "table.weight[:, 0]", "head.**"];
  for (const which of order) await step!(which, indices);
  const dict = optimizer.stateDict();
  expect(Object.keys(dict.state)).toContain("table.weight(2 of 24 elements)#2");
  other.loadStateDict(net.stateDict());
  loaded.loadStateDict(dict);
  expect(JSON.stringify(loaded.stateDict())).toBe(JSON.stringify(dict));
  for (const which of [...order, "**"]) {
    await step!(which, indices);
    await again!(which, indices);
  }
  expect([...other.table.weight.dataSync()]).toEqual([...net.table.weight.dataSync()]);
  expect([...other.head.weight.dataSync()]).toEqual([...net.head.weight.dataSync()]);
});

test("a state dict whose states overlap, or lie outside, is refused whole", async () => {
  const net = make();
  const optimizer = new AdamW(net, { lr: 0.1 });
  const step = trainStep(optimizer, { loss: lossOf(net), trains: "table.weight[:4]" });
  await step(indices);
  const dict = optimizer.stateDict();
  const [key] = Object.keys(dict.state);
  const entry = dict.state[key!]!;
  const before = JSON.stringify(optimizer.stateDict());
  for (const [state, message] of [
    [{ ...dict.state, "table.weight[:2]": entry }, /is of elements that another state is of as well/],
    [{ [key!]: { ...entry, indices: tensor([0, 1, 2, 99], { dtype: "i32" }) } }, /is of no region/],
    [{ [key!]: { ...entry, dim: "rows" as unknown as number } }, /no dim, or no i32 indices/],
    [
      { [key!]: { ...entry, indices: tensor([0, 1], { dtype: "i32" }) } },
      /has shape \[4, 3\], the region \[2, 3\]/,
    ],
  ] as const) {
    expect(() => optimizer.loadStateDict({ ...dict, state })).toThrow(message);
    expect(JSON.stringify(optimizer.stateDict())).toBe(before);
  }
});

test("accumulation over calls that train other rows gives each its share", async () => {
  const [net, whole] = [make(), make()];
  const options = (n: Net) => ({
    loss: (_: string, at: Tensor) => lossOf(n)(at),
    accumulate: 2,
  });
  const step = trainStep(new SGD(net, { lr: 1 }), {
    ...options(net),
    trains: (which) => [`table.weight[${which}]`],
  });
  const all = trainStep(new SGD(whole, { lr: 1 }), { ...options(whole), trains: "table.weight" });
  const start = net.table.weight.dataSync();
  await step(":3", indices);
  expect(movedOf(start, net.table.weight.dataSync())).toEqual([]);
  await step("2:6", indices);
  for (const which of ["a", "b"]) await all(which, indices);
  const [a, full] = [net.table.weight.dataSync(), whole.table.weight.dataSync()];
  const share = (i: number): number => (a[i]! - start[i]!) / (full[i]! - start[i]!);
  // Rows 0 and 1 were trained by the first call alone, row 2 by both, row 5 by the second.
  for (const [row, part] of [
    [0, 0.5],
    [1, 0.5],
    [2, 1],
    [5, 0.5],
  ] as const)
    for (const i of range(row * 3, row * 3 + 3)) expect(share(i)).toBeCloseTo(part, 3);
  expect(movedOf(start, a).every((i) => i < 18)).toBe(true);
});

test("clipping measures only what is trained", async () => {
  const [net, other] = [make(), make()];
  const clipped = trainStep(new SGD(net, { lr: 1 }), {
    loss: lossOf(net),
    trains: "table.weight[5]",
    clipNorm: 0.01,
  });
  const free = trainStep(new SGD(other, { lr: 1 }), { loss: lossOf(other), trains: "table.weight[5]" });
  const start = net.table.weight.dataSync();
  await clipped(indices);
  await free(indices);
  const length = (n: Net): number => Math.hypot(...n.table.weight.dataSync().map((x, i) => x - start[i]!));
  expect(length(other)).toBeGreaterThan(0.02);
  expect(length(net)).toBeCloseTo(0.01, 4);
});

test("gradients that are kept have the parameter's shape, and zeros where it is frozen", async () => {
  const net = make();
  const step = trainStep(new SGD(net, { lr: 1 }), {
    loss: lossOf(net),
    trains: "table.weight[5]",
    keepGrads: true,
  });
  await step(indices);
  const grad = net.table.weight.grad!;
  expect(grad.shape).toEqual([8, 3]);
  expect(movedOf(new Float32Array(24), grad.dataSync())).toEqual([15, 16, 17]);
});

describe("errors", () => {
  test.each([
    ["table.weight[8]", IndexError, /8 is outside a dimension of 8/],
    ["table.weight[2:9]", IndexError, /9 is outside a dimension of 8/],
    ["table.weight[-9:]", IndexError, /-9 is outside/],
    ["table.weight[:, 0, 0]", IndexError, /3 dimensions for a tensor of shape \[8, 3\]/],
    ["table.weight[x]", SelectorError, /not an index/],
    ["table.weight[::-1]", SelectorError, /a step of -1/],
    ["table.weight[3:3]", SelectorError, /names no element/],
    ["tabel.weight[3]", SelectorError, /Nearest: table\.weight/],
  ] as const)("%s", async (trains, kind, message) => {
    const net = make();
    // As a string, or the compiler would object to the misspelt one.
    const step = trainStep(new SGD(net, { lr: 1 }), { loss: lossOf(net), trains: trains as string });
    const before = net.table.weight.dataSync();
    await expect(step(indices)).rejects.toThrow(kind);
    await expect(step(indices)).rejects.toThrow(message);
    expect(movedOf(before, net.table.weight.dataSync())).toEqual([]);
  });

  test("a mask that does not fit", () => {
    const net = make();
    const select = (mask: Parameters<typeof elements>[1]) => () =>
      freeze(net, elements("table.weight", mask), () => {});
    expect(select(tensor([1, 2]))).toThrow(/the mask is f32; it must be bool/);
    expect(select(tensor([true, false], { dtype: "bool" }))).toThrow(/table\.weight has shape \[8, 3\]/);
    expect(select([[false], [false]])).toThrow(/false everywhere/);
    expect(() => rows("table.weight", [])).toThrow(/no indices/);
    expect(() => freeze(net, rows("table.weight", [9]), () => {})).toThrow(/index 9/);
  });
});
