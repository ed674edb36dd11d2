import {
  AdapterError,
  ArgumentError,
  crossEntropy,
  linear,
  manualSeed,
  nn,
  optim,
  rand,
  randn,
  SelectorError,
  type Tensor,
  tensor,
  trainStep,
} from "thaw";
import { freeze, frozenBy, select } from "thaw/freeze";
import {
  deleteAdapter,
  disableAdapters,
  type LoraOptions,
  listAdapters,
  lora,
  mergeAdapters,
  mergeAndUnload,
  setAdapter,
  unmergeAdapters,
} from "thaw/models";
import { afterEach, beforeEach, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";

// What lora trains and leaves, on modules of one's own.

class Block extends nn.Module {
  up = new nn.Linear(6, 8);
  down = new nn.Linear(8, 6);
  norm = new nn.LayerNorm(6);
  forward(x: Tensor): Tensor {
    return this.norm.forward(x.add(this.down.forward(this.up.forward(x).relu())));
  }
}

class Network extends nn.Module {
  table = new nn.Embedding(11, 6, { paddingIdx: 0 });
  blocks = new nn.ModuleList([new Block(), new Block()]);
  classifier = new nn.Linear(6, 3);
  forward(x: Tensor): Tensor {
    let hidden = this.table.forward(x);
    for (const block of this.blocks) hidden = block.forward(hidden);
    return this.classifier.forward(hidden.mean(1));
  }
}

/** A network whose table is its head's too, as that of language models. */
class Tied extends nn.Module {
  table = new nn.Embedding(11, 6);
  middle = new nn.Linear(6, 6);
  head = new nn.Linear(6, 11);
  constructor() {
    super();
    this.head.weight = this.table.weight;
  }
  forward(x: Tensor): Tensor {
    return this.head.forward(this.middle.forward(this.table.forward(x)).tanh());
  }
}

const tokens = tensor(
  [
    [1, 2, 3, 0],
    [7, 5, 2, 9],
  ],
  { dtype: "i32" },
);
const targets = tensor([0, 2], { dtype: "i32" });

/** The bits of all that a model has, by path. */
const bitsOf = (model: nn.Module) =>
  new Map(
    [...model.stateDict()].map(([path, value]) => [
      path,
      Buffer.from(value.dataSync().buffer).toString("hex"),
    ]),
  );

/** Some steps of AdamW with decay, of all that a model has. */
async function train(model: nn.Module & { forward(x: Tensor): Tensor }, steps = 3) {
  const optimizer = new optim.AdamW(model, { lr: 0.05, weightDecay: 0.1 });
  const step = trainStep(optimizer, {
    module: model,
    loss: () => {
      const logits = model.forward(tokens);
      return logits.ndim === 2 ? crossEntropy(logits, targets) : logits.square().mean();
    },
    trains: ["**"],
    verify: true,
  });
  for (let i = 0; i < steps; i++) await step();
}

const moved = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] =>
  [...after].filter(([path, bits]) => before.get(path) !== bits).map(([path]) => path);

const { backend: usual } = settings;
beforeEach(() => {
  manualSeed(1);
});
afterEach(() => {
  settings.backend = usual;
});

test.each(["native", "wasm"] as const)("%s: adapters are trained, and nothing else", async (backend) => {
  settings.backend = backend;
  const model = lora(new Network(), {
    targetModules: ["up", "table"],
    modulesToSave: ["classifier"],
    rank: 2,
    dropout: 0.2,
  });
  const base = await disableAdapters(model, () => bitsOf(model));
  const before = bitsOf(model);
  await train(model);
  expect(moved(before, bitsOf(model)).sort()).toEqual([
    "blocks.0.up.lora_A.default.weight",
    "blocks.0.up.lora_B.default.weight",
    "blocks.1.up.lora_A.default.weight",
    "blocks.1.up.lora_B.default.weight",
    "classifier.bias",
    "classifier.weight",
    "table.lora_embedding_A.default",
    "table.lora_embedding_B.default",
  ]);
  const after = disableAdapters(model, () => bitsOf(model));
  const own = moved(base, after).filter((path) => !path.includes("lora_"));
  expect(own).toEqual([]);
});

test("an adapter changes nothing as it begins, and its parts are drawn as PEFT draws them", async () => {
  const model = new Network();
  const before = await model.forward(tokens).data();
  lora(model, { targetModules: ["up", "table"], rank: 64, modulesToSave: ["classifier"] });
  expect(await model.forward(tokens).data()).toEqual(before);
  const down = model.getParameter("blocks.0.up.lora_A.default.weight" as string);
  const bound = 1 / Math.sqrt(6);
  expect(await down.abs().max().item()).toBeLessThanOrEqual(bound);
  expect(await down.std().item()).toBeCloseTo(bound / Math.sqrt(3), 1);
  expect(
    await model
      .getParameter("blocks.0.up.lora_B.default.weight" as string)
      .abs()
      .max()
      .item(),
  ).toBe(0);
  expect(
    await model
      .getParameter("table.lora_embedding_A.default" as string)
      .abs()
      .max()
      .item(),
  ).toBe(0);
  expect(
    await model
      .getParameter("table.lora_embedding_B.default" as string)
      .std()
      .item(),
  ).toBeCloseTo(1, 0);
  deleteAdapter(model, "default");
  lora(model, { targetModules: ["up"], initLoraWeights: "gaussian", rank: 64 });
  expect(
    await model
      .getParameter("blocks.0.up.lora_A.default.weight" as string)
      .std()
      .item(),
  ).toBeCloseTo(1 / 64, 2);
});

test("selectors name the parts, and what is frozen says by what", () => {
  const model = lora(new Network(), { targetModules: "all-linear" });
  expect([...select(model, "**.lora_*.**").keys()]).toHaveLength(8);
  expect(model.classifier).not.toHaveProperty("lora_A");
  expect(frozenBy(model.classifier.weight)).toBe("freeze(Network, the function outsideTheAdapter)");
});

test("targetModules names ends, whole paths, or what an expression matches; others are left out", () => {
  const pathsFor = (options: LoraOptions) => {
    const model = lora(new Network(), options);
    return model.namedModules().flatMap(([path]) => (path.endsWith(".lora_A") ? [path.slice(0, -7)] : []));
  };
  expect(pathsFor({ targetModules: ["up"] })).toEqual(["blocks.0.up", "blocks.1.up"]);
  expect(pathsFor({ targetModules: ["blocks.0.up"] })).toEqual(["blocks.0.up"]);
  expect(pathsFor({ targetModules: /blocks\.1\..*/, excludeModules: ["norm"] })).toEqual([
    "blocks.1.up",
    "blocks.1.down",
  ]);
  expect(pathsFor({ targetModules: "blocks\\.(?P<n>\\d+)\\.down" })).toEqual([
    "blocks.0.down",
    "blocks.1.down",
  ]);
  expect(pathsFor({ targetModules: ["up", "down"], excludeModules: ["blocks.0.up"] })).toHaveLength(3);
  expect(pathsFor({ targetModules: ["up", "down"], layersToTransform: 1, layersPattern: "blocks" })).toEqual([
    "blocks.1.up",
    "blocks.1.down",
  ]);
  // As in PEFT, without a pattern there is something before what stands before the number.
  expect(() => pathsFor({ targetModules: ["up"], layersToTransform: 1 })).toThrow(
    /that layersToTransform leave/,
  );
});

test("ranks and alphas go by pattern", () => {
  const model = lora(new Network(), {
    targetModules: ["up", "down"],
    rank: 4,
    alpha: 8,
    rankPattern: { "blocks.1.*": 2 },
    alphaPattern: { down: 3 },
    useRslora: true,
  });
  const rankOf = (path: string) => model.getParameter(`${path}.lora_A.default.weight` as string).shape[0];
  expect(["blocks.0.up", "blocks.0.down", "blocks.1.up", "blocks.1.down"].map(rankOf)).toEqual([4, 4, 2, 2]);
});

test("a step plans no gradient of what is frozen: two thirds of the operations, as forward and back through it", () => {
  const stack = () => new nn.Sequential(...Array.from({ length: 4 }, () => new nn.Linear(256, 256)));
  const x = randn([64, 256]);
  const costOf = (model: nn.Sequential): number => {
    const optimizer = new optim.AdamW(model, { lr: 0.01 });
    const step = trainStep(optimizer, {
      module: model as nn.Module,
      loss: () => model.forward(x).square().mean(),
      trains: ["**"],
    });
    return step.explain().cost.flops;
  };
  const all = costOf(stack());
  const adapted = costOf(
    lora(stack(), { targetModules: ["0", "1", "2", "3"], rank: 2 }) as unknown as nn.Sequential,
  );
  // Of the first layer's input there is no gradient in either: 11 products against 7, and thin ones.
  expect(adapted / all).toBeLessThan(0.7);
});

test("BitFit: biases are trained, in copies", async () => {
  const model = lora(new Network(), { targetModules: [], bias: "all" });
  const before = bitsOf(model);
  const base = await disableAdapters(model, () => model.forward(tokens).data());
  await train(model);
  const changed = moved(before, bitsOf(model));
  expect(changed.length).toBe(7);
  expect(changed.every((path) => path.endsWith("bias"))).toBe(true);
  expect(await disableAdapters(model, () => model.forward(tokens).data())).toEqual(base);
  deleteAdapter(model, "default");
  expect(bitsOf(model)).toEqual(before);
});

test("several adapters: each is trained by itself, switched, and taken off", async () => {
  const model = new Network();
  const plain = bitsOf(model);
  freeze(model, "table.weight[:3]");
  const region = model.table.weight.frozenRegion;
  const base = await model.forward(tokens).data();
  lora(model, { targetModules: ["up"], modulesToSave: ["classifier"], adapterName: "one" });
  await train(model);
  const one = await model.forward(tokens).data();
  lora(model, { targetModules: ["down"], modulesToSave: ["classifier"], adapterName: "two", rank: 3 });
  expect(listAdapters(model)).toEqual({ names: ["one", "two"], active: "two", merged: false });
  expect(await model.forward(tokens).data()).toEqual(base);
  await train(model);
  const two = await model.forward(tokens).data();
  expect(two).not.toEqual(base);
  setAdapter(model, "one");
  expect(await model.forward(tokens).data()).toEqual(one);
  setAdapter(model, "two");
  expect(await model.forward(tokens).data()).toEqual(two);
  const copy = model.clone();
  setAdapter(copy, "one");
  expect(await copy.forward(tokens).data()).toEqual(one);
  expect(await model.forward(tokens).data()).toEqual(two);
  deleteAdapter(copy, "two");
  deleteAdapter(copy, "one");
  expect(bitsOf(copy)).toEqual(plain);
  deleteAdapter(model, "two");
  expect(listAdapters(model)).toEqual({ names: ["one"], active: null, merged: false });
  expect(await model.forward(tokens).data()).toEqual(base);
  expect(() => setAdapter(model, "two")).toThrow(/setAdapter: Network has no adapter "two"; it has "one"/);
  deleteAdapter(model, "one");
  expect(bitsOf(model)).toEqual(plain);
  expect(model.parameters().filter((p) => p.frozen)).toEqual([]);
  expect(model.table.weight.frozenRegion).toBe(region);
  expect(Object.hasOwn(model.classifier, "forward")).toBe(false);
});

test("a step that was recorded follows the adapter that is active", async () => {
  const model = new Network();
  lora(model, { targetModules: ["up"], adapterName: "one", initLoraWeights: false });
  lora(model, { targetModules: ["up"], adapterName: "two", initLoraWeights: false });
  const optimizer = new optim.SGD(model, { lr: 0.1 });
  const step = trainStep(optimizer, {
    module: model,
    loss: () => crossEntropy(model.forward(tokens), targets),
    trains: ["**"],
  });
  for (const name of ["one", "two", "one"]) {
    setAdapter(model, name);
    const before = bitsOf(model);
    await step();
    const changed = moved(before, bitsOf(model));
    expect(changed.length).toBe(4);
    expect(changed.every((path) => path.includes(`.${name}.`))).toBe(true);
  }
});

test("a state dict has the parts, and brings them back", async () => {
  const [model, other] = [1, 2].map(() =>
    lora(new Network(), {
      targetModules: ["up", "table"],
      modulesToSave: ["classifier"],
      initLoraWeights: false,
    }),
  ) as [Network, Network];
  await train(model);
  other.loadStateDict(model.stateDict());
  expect(await other.forward(tokens).data()).toEqual(await model.forward(tokens).data());
});

test("a layer at two paths is adapted by either, once", async () => {
  class Twice extends nn.Module {
    first = new nn.Linear(3, 3);
    second = this.first;
    forward(x: Tensor): Tensor {
      return this.second.forward(this.first.forward(x));
    }
  }
  for (const path of ["first", "second"]) {
    const model = lora(new Twice(), { targetModules: [path], initLoraWeights: false });
    const x = randn([2, 3]);
    const live = await model.forward(x).data();
    expect(model.parameters()).toHaveLength(4);
    mergeAndUnload(model.eval());
    for (const [i, y] of (await model.forward(x).data()).entries()) expect(live[i]).toBeCloseTo(Number(y), 4);
  }
});

test("hooks and clones of adapted layers go on as they were", async () => {
  const model = new Network();
  const hook = model.classifier.registerForwardHook((_, __, out) => out.mul(2));
  const doubled = await model.forward(tokens).data();
  lora(model, { targetModules: ["classifier"], initLoraWeights: false });
  const copy = model.clone();
  expect(await copy.forward(tokens).data()).toEqual(await model.forward(tokens).data());
  deleteAdapter(model, "default");
  expect(await model.forward(tokens).data()).toEqual(doubled);
  hook.remove();
  expect(await model.forward(tokens).mul(2).data()).toEqual(doubled);
});

test.each([
  ["LoRA", {}],
  ["rsLoRA", { useRslora: true }],
  ["DoRA", { useDora: true }],
] as const)("%s merges into the weights, and comes out of them bit for bit", async (_, options) => {
  const model = lora(new Network(), {
    targetModules: ["up", "table"],
    modulesToSave: ["classifier"],
    rank: 2,
    ...options,
  });
  await train(model);
  model.eval();
  const before = bitsOf(model);
  const live = await model.forward(tokens).data();
  mergeAdapters(model);
  expect(listAdapters(model).merged).toBe(true);
  expect(moved(before, bitsOf(model)).sort()).toEqual([
    "blocks.0.up.weight",
    "blocks.1.up.weight",
    "table.weight",
  ]);
  const merged = await model.forward(tokens).data();
  for (const [i, x] of live.entries()) expect(merged[i]).toBeCloseTo(Number(x), 5);
  expect(() => model.train().forward(tokens)).toThrow(/training mode while an adapter is merged/);
  await expect(train(model)).rejects.toThrow(/training mode while an adapter is merged/);
  await expect(train(model.eval())).rejects.toThrow(/nothing|frozen/);
  model.eval();
  expect(() => mergeAdapters(model)).toThrow(/merged already/);
  expect(() => setAdapter(model, "default")).toThrow(/unmergeAdapters/);
  expect(() => lora(model, { targetModules: ["down"], adapterName: "other" })).toThrow(/unmergeAdapters/);
  unmergeAdapters(model);
  expect(bitsOf(model)).toEqual(before);
  await train(model);
  expect(moved(before, bitsOf(model)).length).toBeGreaterThan(6);
});

test("a trained head is part of what is merged, and stays when the adapters go", async () => {
  const model = lora(new Network(), { targetModules: ["up"], modulesToSave: ["classifier"], bias: "all" });
  await train(model);
  model.eval();
  const live = await model.forward(tokens).data();
  const head = await model.classifier.weight.data();
  const plain = mergeAndUnload(model);
  const merged = await plain.forward(tokens).data();
  for (const [i, x] of live.entries()) expect(merged[i]).toBeCloseTo(Number(x), 5);
  expect(await plain.classifier.weight.data()).toEqual(head);
  expect([...plain.stateDict().keys()]).toEqual([...new Network().stateDict().keys()]);
  expect(plain.parameters().some((p) => p.frozen)).toBe(false);
  await train(plain);
});

test("a tied weight has its adapter at all its places, trained, merged and not", async () => {
  const model = lora(new Tied(), { targetModules: ["table"], initLoraWeights: false, rank: 2 });
  model.eval();
  const base = await disableAdapters(model, () => model.forward(tokens).data());
  expect(await model.forward(tokens).data()).not.toEqual(base);
  // What the head computes with is what the table has.
  const rows = model.table.forward(tensor([...Array(11).keys()], { dtype: "i32" }));
  const x = randn([4, 6]);
  const difference = model.head.forward(x).sub(linear(x, rows, model.head.bias));
  expect(await difference.abs().max().item()).toBeLessThan(1e-5);
  await train(model);
  model.eval();
  const live = await model.forward(tokens).data();
  mergeAdapters(model);
  expect(model.head.weight).toBe(model.table.weight);
  const merged = await model.forward(tokens).data();
  for (const [i, y] of live.entries()) expect(merged[i]).toBeCloseTo(Number(y), 4);
  mergeAndUnload(model);
  expect(model.head.weight).toBe(model.table.weight);
});

test("a tied weight that an adapter reaches at one place only is not merged, and nothing drifts", async () => {
  const model = lora(new Tied(), {
    targetModules: ["head"],
    ensureWeightTying: false,
    initLoraWeights: false,
  });
  model.eval();
  const before = bitsOf(model);
  expect(() => mergeAdapters(model)).toThrow(
    /the weight of head is also table\.weight, which the adapter "default" leaves as it is/,
  );
  expect(bitsOf(model)).toEqual(before);
  expect(() => lora(new Tied(), { targetModules: ["table"], useDora: true })).toThrow(/useDora/);
  expect(() => lora(new Tied(), { targetModules: [], modulesToSave: ["head"] })).toThrow(/name both/);
  const both = lora(new Tied(), { targetModules: ["middle"], modulesToSave: ["head", "table"] });
  await train(both);
  expect(both.head.weight).toBe(both.table.weight);
});

test("rows of tables are trained alone, tied or not", async () => {
  const tied = lora(new Tied(), { targetModules: [], trainableTokenIndices: { table: [7, 2] } });
  const rowsBefore = await tied.table.weight.data();
  await train(tied);
  expect(tied.head.weight).toBe(tied.table.weight);
  const rowsAfter = await tied.table.weight.data();
  const changed = [...Array(11).keys()].filter((row) =>
    [...Array(6).keys()].some((i) => rowsBefore[row * 6 + i] !== rowsAfter[row * 6 + i]),
  );
  expect(changed).toEqual([2, 7]);

  const untied = new Tied();
  untied.head.weight = new nn.Parameter(rand([11, 6]));
  lora(untied, { targetModules: ["middle"], trainableTokenIndices: { table: [2], head: [3, 4] } });
  const before = bitsOf(untied);
  await train(untied);
  expect(moved(before, bitsOf(untied)).sort()).toEqual([
    "head.weight",
    "middle.lora_A.default.weight",
    "middle.lora_B.default.weight",
    "table.weight",
  ]);
  expect(untied.head.weight.frozenRegion?.text).toBe("[[:3, 5:]]");
});

test("f16 layers have parts of f32, and f64 ones of f64", async () => {
  for (const [dtype, parts] of [
    ["f16", "f32"],
    ["f64", "f64"],
  ] as const) {
    const model = lora(new nn.Sequential(new nn.Linear(4, 3)).to(dtype), {
      targetModules: ["0"],
      initLoraWeights: false,
    });
    const out = model.forward(randn([2, 4]).to(dtype));
    expect(out.dtype).toBe(parts);
    expect(model.getParameter("0.lora_A.default.weight" as string).dtype).toBe(parts);
    const live = await out.sum().item();
    expect(Number.isFinite(live)).toBe(true);
    mergeAdapters(model.eval());
    expect(model.getParameter("0.weight" as string).dtype).toBe(dtype);
  }
});

test("options that cannot be, and targets that do not fit, are named, and change nothing", () => {
  const cases: [LoraOptions, new (...args: never[]) => Error, RegExp][] = [
    [
      { targetModules: ["querry"] },
      AdapterError,
      /targetModules \["querry"\] names no layer of Network.*end with.*up/,
    ],
    [
      { targetModules: ["norm"] },
      AdapterError,
      /blocks\.0\.norm is LayerNorm, which can have no low-rank parts/,
    ],
    [
      { targetModules: ["up"], modulesToSave: ["score"] },
      AdapterError,
      /modulesToSave names "score".*Nearest/,
    ],
    [
      { targetModules: ["up"], modulesToSave: ["blocks"], bias: "all" },
      AdapterError,
      /that modulesToSave leave/,
    ],
    [{ targetModules: [] }, AdapterError, /there is nothing to train/],
    [{ targetModules: ["up"], rank: 0 }, ArgumentError, /rank is 0; a rank is a whole number from 1 on/],
    [{ targetModules: ["up"], dropout: 1 }, ArgumentError, /dropout is 1/],
    [{ targetModules: "([" }, ArgumentError, /is no expression/],
    [{ targetModules: /up/i }, ArgumentError, /flags/],
    [
      { targetModules: /.*up/, layersToTransform: [0] },
      ArgumentError,
      /layersToTransform goes with an array/,
    ],
    [{ targetModules: ["up"], adapterName: "a.b" }, ArgumentError, /adapterName/],
    [
      { targetModules: ["up"], r: 4 } as LoraOptions,
      ArgumentError,
      /there is no option r; there is targetModules, rank/,
    ],
    [
      { targetModules: [], trainableTokenIndices: { table: [11] } },
      AdapterError,
      /has 11; its table has rows 0 to 10/,
    ],
    [
      { targetModules: ["table"], trainableTokenIndices: { table: [1] } },
      AdapterError,
      /table is among targetModules, and its weight is trained itself/,
    ],
  ];
  for (const [options, kind, message] of cases) {
    const model = new Network();
    const before = bitsOf(model);
    const attempt = () => lora(model, options);
    expect(attempt).toThrow(kind);
    expect(attempt).toThrow(message);
    expect(bitsOf(model)).toEqual(before);
    expect(model.parameters().some((p) => p.frozen)).toBe(false);
  }
  const model = lora(new Network(), { targetModules: ["up"] });
  expect(() => lora(model, { targetModules: ["down"] })).toThrow(/has an adapter "default"/);
  expect(listAdapters(model).active).toBe("default");
  expect(() => mergeAdapters(new Network())).toThrow(
    /mergeAdapters: Network has no adapter; lora\(model, …\) adds one/,
  );
  expect(() => unmergeAdapters(model)).toThrow(/none is merged|no adapter is merged/);
  expect(() => select(model, "**.lora_C.**" as string)).toThrow(SelectorError);
});
