import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freeze, rows } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW, SGD } from "thaw/optim";
import {
  getRandomState,
  manualSeed,
  Parameter,
  rand,
  Buffer as StateBuffer,
  type Tensor,
  tensor,
  zeros,
} from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test, vi } from "vitest";
import { ArgumentError, CheckpointError, StateDictError, ThawError } from "../../src/base/errors.ts";
import {
  load,
  loadFromBytes,
  openTensors,
  parseSafetensors,
  type SavedOptimizer,
  save,
  saveToBytes,
  serializeSafetensors,
} from "../../src/checkpoint/index.ts";
import { bitsOf } from "../../src/nn/bits.ts";
import { optimizers } from "../optim/optimizers.ts";
import { randomBelow } from "./bytes.ts";
import { temporaryFolder } from "./folder.ts";

class Net extends nn.Module {
  first = new nn.Linear(3, 4);
  dropout = new nn.Dropout(0.5);
  last = new nn.Linear(4, 2);
  seen = new StateBuffer(zeros([], { dtype: "i32" }));

  forward(x: ReturnType<typeof rand>) {
    return this.last.forward(this.dropout.forward(this.first.forward(x).tanh()));
  }
}

const bitsIn = (net: nn.Module): unknown =>
  [...net.stateDict()].map(([path, t]) => [
    path,
    t.dtype,
    [...bitsOf(t, "test")].map((x) => (Object.is(x, -0) ? "-0" : x)),
  ]);

/** Everything that an optimizer's state dict says, tensors as their shapes and bits. */
const stateOf = (optimizer: Pick<SavedOptimizer, "stateDict">): unknown => {
  const { state, ...rest } = optimizer.stateDict();
  const plain = (value: number | Tensor): unknown =>
    typeof value === "number" ? value : [value.shape, [...value.dataSync()]];
  const entries = Object.entries(state).map(([key, own]) => [
    key,
    Object.entries(own).map(([name, value]) => [name, plain(value)]),
  ]);
  return { entries, ...rest };
};

const x = tensor([
  [1, -2, 3],
  [0.5, 0, -1],
]);

describe("training goes on bit for bit", () => {
  test.each(Object.entries(optimizers))("%s, what is frozen included", (_, make) => {
    manualSeed(5);
    const make2 = (net: Net) => make(net.parameters()) as ReturnType<typeof make> & SavedOptimizer;
    const train = (net: Net, optimizer: ReturnType<typeof make2>, steps: number): void => {
      for (let i = 0; i < steps; i++) {
        optimizer.zeroGrad();
        net.forward(x).square().sum().backward();
        optimizer.step();
      }
    };
    const net = new Net();
    const optimizer = make2(net);
    train(net, optimizer, 2);
    freeze(net, ["first.weight", "last.weight[1]"]);
    train(net, optimizer, 1);
    const file = saveToBytes({ module: net, optimizer });
    train(net, optimizer, 3);
    const random = getRandomState();

    manualSeed(99);
    const other = new Net();
    const again = make2(other);
    train(other, again, 1);
    loadFromBytes(file, { module: other, optimizer: again, frozen: true });
    expect([other.first.weight.frozen, other.last.weight.frozenRegion]).toEqual([
      true,
      net.last.weight.frozenRegion,
    ]);
    train(other, again, 3);
    expect(bitsIn(other)).toEqual(bitsIn(net));
    expect(getRandomState()).toEqual(random);
    expect(stateOf(again)).toEqual(stateOf(optimizer));
  });

  test("a recorded step, with the rows of a parameter trained apart", async () => {
    const run = (net: nn.Linear, optimizer: AdamW) =>
      trainStep(optimizer, {
        loss: (row: number) =>
          net
            .forward(x)
            .add(rand([2, 4]))
            .square()
            .mean()
            .mul(row + 1),
        trains: (row) => [rows("weight", [row])],
      });
    manualSeed(3);
    const net = new nn.Linear(3, 4);
    const optimizer = new AdamW(net, { lr: 0.1 });
    const step = run(net, optimizer);
    for (const row of [0, 1, 0, 2]) await step(row);
    const path = join(temporaryFolder(), "net.safetensors");
    save(path, { module: net, optimizer });
    for (const row of [3, 0, 1]) await step(row);

    const other = new nn.Linear(3, 4);
    const again = new AdamW(other, { lr: 0.5 });
    const stepAgain = run(other, again);
    await stepAgain(1);
    load(path, { module: other, optimizer: again });
    for (const row of [3, 0, 1]) await stepAgain(row);
    expect(bitsIn(other)).toEqual(bitsIn(net));
    expect(stateOf(again)).toEqual(stateOf(optimizer));
  });
});

test("the file holds parameters and buffers by path, and the optimizer's state by path", () => {
  const net = new nn.Linear(2, 1);
  const optimizer = new AdamW(net);
  net.weight.grad = zeros([1, 2]);
  optimizer.step();
  const path = join(temporaryFolder(), "net.safetensors");
  save(path, { module: net, optimizer, metadata: { epoch: "7" } });
  const source = openTensors(path);
  source.close();
  expect([...source.entries.keys()].sort()).toEqual([
    "bias",
    "optimizer.weight.expAvg",
    "optimizer.weight.expAvgSq",
    "weight",
  ]);
  expect(source.metadata.epoch).toBe("7");
  expect(JSON.parse(source.metadata.thaw!)).toMatchObject({
    format: 1,
    optimizer: {
      name: "AdamW",
      state: { weight: { step: 1, expAvg: { tensor: "optimizer.weight.expAvg" } } },
    },
  });
  expect(load(path, { module: new nn.Linear(2, 1) })).toEqual({
    missingKeys: [],
    unexpectedKeys: [],
    metadata: { epoch: "7" },
  });
});

test("numbers come back to the bit, those that JSON does not have as well", () => {
  const p = new nn.Linear(1, 1);
  const numbers = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0.1, 5e-324, 2 ** 53];
  let loaded: unknown;
  const optimizer: SavedOptimizer = {
    name: "Odd",
    stateDict: () => ({
      state: { weight: { step: -0, a: Number.NaN } },
      paramGroups: [{ params: ["weight"], numbers, nothing: null, flag: true, text: "é" }],
      updates: 3,
    }),
    loadStateDict: (dict) => {
      loaded = dict;
    },
  };
  loadFromBytes(saveToBytes({ module: p, optimizer }), { module: p, optimizer });
  expect(loaded).toEqual(optimizer.stateDict());
});

test("a module that has an optimizer among its fields keeps its names", () => {
  class Meta extends nn.Module {
    weight = new Parameter(tensor([1]));
    optimizer = new nn.ModuleDict({
      weight: new (class extends nn.Module {
        expAvg = new Parameter(tensor([2]));
      })(),
    });
  }
  const [net, other] = [new Meta(), new Meta()];
  const optimizer = new AdamW(net);
  net.weight.grad = tensor([1]);
  optimizer.step();
  const again = new AdamW(other);
  for (const p of other.parameters()) p.assign(zeros(p.shape));
  loadFromBytes(saveToBytes({ module: net, optimizer }), { module: other, optimizer: again });
  expect(bitsIn(other)).toEqual(bitsIn(net));
  expect(stateOf(again)).toEqual(stateOf(optimizer));
});

describe("tied weights", () => {
  class Tied extends nn.Module {
    embedding = new nn.Embedding(3, 2);
    head = new nn.Linear(2, 3, { bias: false });
    constructor() {
      super();
      this.head.weight = this.embedding.weight;
    }
  }
  test("are once in a file, under the first path, and one parameter again", () => {
    const [net, other] = [new Tied(), new Tied()];
    const file = saveToBytes({ module: net });
    expect([...parseSafetensors(file).keys()]).toEqual(["embedding.weight"]);
    loadFromBytes(file, { module: other });
    expect(bitsIn(other)).toEqual(bitsIn(net));
    expect(other.head.weight).toBe(other.embedding.weight);
  });
  test("may be under another path, or under all if they are the same", () => {
    const net = new Tied();
    const value = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    for (const paths of [["head.weight"], ["head.weight", "embedding.weight"]]) {
      net.embedding.weight.assign(zeros([3, 2]));
      const file = serializeSafetensors(new Map(paths.map((path) => [path, value])));
      loadFromBytes(file, { module: net });
      expect(net.embedding.weight.toArraySync()).toEqual(value.toArraySync());
    }
    const both = serializeSafetensors({ "head.weight": value, "embedding.weight": value.add(1) });
    expect(() => loadFromBytes(both, { module: net })).toThrow(
      "embedding.weight and head.weight are one parameter of Tied, and differ in the file",
    );
  });
});

test("random numbers go on with an optimizer, or if asked; what is frozen only if asked", () => {
  const net = new nn.Linear(2, 2);
  const optimizer = new SGD(net, { lr: 1 });
  freeze(net, "weight[0]");
  manualSeed(11);
  const file = saveToBytes({ module: net, optimizer });
  const other = new nn.Linear(2, 2);
  freeze(other, "bias");
  manualSeed(12);
  loadFromBytes(file, { module: other });
  expect(getRandomState().seed).toBe(12);
  loadFromBytes(file, { module: other, random: true });
  expect(getRandomState()).toEqual({ seed: 11, drawn: 0 });
  manualSeed(12);
  loadFromBytes(file, { module: other, optimizer: new SGD(other, { lr: 1 }), random: false });
  expect(getRandomState().seed).toBe(12);
  expect([other.bias!.frozen, other.weight.frozenRegion]).toEqual([true, null]);
  loadFromBytes(file, { module: other, frozen: true });
  expect([other.bias!.frozen, other.weight.frozenRegion?.text]).toEqual([false, "[0]"]);
});

test("says when another arithmetic goes on", () => {
  const net = new nn.Linear(1, 1);
  const optimizer = new SGD(net, { lr: 1 });
  const file = saveToBytes({ module: net, optimizer });
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  loadFromBytes(file, { module: net, optimizer });
  expect(warn).not.toHaveBeenCalled();
  const text = Buffer.from(file).toString("latin1");
  const elsewhere = text.replace(/arithmetic\\":\\"\w/, 'arithmetic\\":\\"Z');
  loadFromBytes(Buffer.from(elsewhere, "latin1"), { module: net, checksums: false });
  expect(warn).not.toHaveBeenCalled();
  loadFromBytes(Buffer.from(elsewhere, "latin1"), { module: net, optimizer, checksums: false });
  expect(warn).toHaveBeenCalledWith(
    expect.stringMatching(/^thaw: The checkpoint was made with Z.*may differ\.$/),
  );
  warn.mockRestore();
  // How many threads there are says nothing of it.
  expect(text).not.toMatch(/threads?/);
});

test("not strict: what fits by path is loaded, and the rest is named, of whatever dtype it is", () => {
  const net = new nn.Linear(2, 1);
  const file = serializeSafetensors({ weight: tensor([[1, 2]]), other: tensor([1]) });
  expect(() => loadFromBytes(file, { module: net })).toThrow(StateDictError);
  expect(loadFromBytes(file, { module: net, strict: false })).toEqual({
    missingKeys: ["bias"],
    unexpectedKeys: ["other"],
    metadata: {},
  });
  expect(net.weight.toArraySync()).toEqual([[1, 2]]);
});

describe("a load that fails changes nothing", () => {
  // biome-ignore lint/suspicious/noExplicitAny: what a hostile file may hold
  type Loose = Record<string, any>;

  /** A module and its optimizer, and everything that a load could change of them. */
  function subject() {
    manualSeed(21);
    const net = new nn.Linear(2, 2);
    const optimizer = new AdamW(net, { lr: 0.5 });
    for (const p of net.parameters()) p.grad = p.detach();
    optimizer.step();
    freeze(net, "weight[0]");
    const look = () => [
      bitsIn(net),
      net.parameters().map((p) => [p.frozen, p.frozenRegion]),
      stateOf(optimizer),
      getRandomState(),
    ];
    return { net, optimizer, look };
  }
  /** A checkpoint with its record changed. */
  function withRecord(file: Uint8Array, change: (record: Loose) => unknown): Uint8Array {
    const path = join(temporaryFolder(), "a.safetensors");
    writeFileSync(path, file);
    const source = openTensors(path);
    source.close();
    const record = JSON.parse(source.metadata.thaw!);
    const changed = change(record) ?? record;
    const thaw = typeof changed === "string" ? changed : JSON.stringify(changed);
    return serializeSafetensors(parseSafetensors(file), { metadata: { thaw } });
  }
  const records: Record<string, [(record: Loose) => unknown, string]> = {
    "no object": [() => [], "it is not an object"],
    "another format": [
      (r) => ({ ...r, format: 2 }),
      "it has format 2, and this version of thaw reads format 1",
    ],
    "no random state": [(r) => ({ ...r, random: { seed: 1 } }), "its random state is not two whole numbers"],
    "a frozen set that is a list": [(r) => ({ ...r, frozen: [] }), "it has no frozen set"],
    "a frozen parameter that is not there": [
      (r) => ({ ...r, frozen: { other: "all" } }),
      "says that other was frozen",
    ],
    "a frozen region outside": [
      (r) => ({ ...r, frozen: { bias: { dim: 3, text: "", indices: r.frozen.weight.indices } } }),
      "to be frozen of bias is not in it",
    ],
    "frozen by half": [
      (r) => ({ ...r, frozen: { bias: "half" } }),
      "frozen of bias is neither all nor a region",
    ],
    "another optimizer": [
      (r) => void (r.optimizer.name = "SGD"),
      "has the state of SGD, and the optimizer is AdamW",
    ],
    "no optimizer": [(r) => void delete r.optimizer, "has no optimizer's state"],
    "a tensor that is not there": [
      (r) => void (r.optimizer.state.weight.expAvg = { tensor: "no" }),
      "refers to the tensor no, which is not in the file",
    ],
    "a state that is text": [
      (r) => void (r.optimizer.state.weight.expAvg = "x"),
      "the state of weight is not numbers",
    ],
    "a state of nothing": [
      (r) => void (r.optimizer.state.weight = null),
      "the state of weight is not numbers",
    ],
    "groups that are none": [
      (r) => void (r.optimizer.paramGroups = [null]),
      "groups do not say what parameters",
    ],
    "groups of what is no name": [(r) => void (r.optimizer.paramGroups[0].params = 5), "groups do not say"],
    "a rate that cannot be": [(r) => void (r.optimizer.paramGroups[0].lr = -1), "lr is -1"],
    "a state of another shape": [
      (r) => {
        const { weight, bias } = r.optimizer.state;
        [weight.expAvg, bias.expAvg] = [bias.expAvg, weight.expAvg];
      },
      "expAvg of weight has shape [2]",
    ],
    "what is nested deeply": [
      () => `{"format":1,"random":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
      "it is nested too deeply",
    ],
    "more values than any record has": [
      () => `[${"0,".repeat(5_000_000)}0]`,
      "it has more than 4194304 values",
    ],
    "what is no JSON": [() => "{", "it is not JSON"],
  };
  test.each(Object.entries(records))("the record: %s", (_, [change, message]) => {
    const { net, optimizer, look } = subject();
    const file = withRecord(saveToBytes({ module: net, optimizer }), change);
    for (const p of net.parameters()) p.assign(p.mul(2));
    manualSeed(22);
    const before = look();
    const run = () => loadFromBytes(file, { module: net, optimizer, frozen: true });
    expect(run).toThrow(ThawError);
    expect(run).toThrow(message);
    expect(look()).toEqual(before);
  });

  test("a module of another shape, and what is weights alone", () => {
    const { net, optimizer, look } = subject();
    const other = new nn.Linear(3, 2);
    const cases: [Uint8Array, string][] = [
      [
        saveToBytes({ module: other, optimizer: new AdamW(other) }),
        "weight is f32[2, 3], the module has f32[2, 2]",
      ],
      [serializeSafetensors(net.stateDict()), "has no optimizer's state"],
    ];
    const before = look();
    for (const [file, message] of cases) {
      expect(() => loadFromBytes(file, { module: net, optimizer })).toThrow(message);
      expect(look()).toEqual(before);
    }
    expect(() => loadFromBytes(cases[1]![0], { module: net, frozen: true })).toThrow(CheckpointError);
  });

  test("a file cut off anywhere, or with any byte changed", () => {
    const { net, optimizer, look } = subject();
    const file = saveToBytes({ module: net, optimizer });
    manualSeed(30);
    const before = look();
    for (let length = 0; length < file.length; length += 1 + (length % 7)) {
      expect(() => loadFromBytes(file.subarray(0, length), { module: net, optimizer })).toThrow(ThawError);
      expect(look()).toEqual(before);
    }
    const below = randomBelow(3);
    // Where it was made may be what was changed.
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    for (let i = 0; i < 1000; i++) {
      const changed = file.slice();
      const at = below(file.length);
      changed[at] = below(256);
      try {
        loadFromBytes(changed, { module: net, optimizer, frozen: true });
        // A value, or a name that says nothing, was changed: it is whole, and in its place.
        loadFromBytes(file, { module: net, optimizer, frozen: true });
        manualSeed(30);
      } catch (error) {
        if (!(error instanceof ThawError)) throw error;
      }
      expect(look()).toEqual(before);
    }
    warn.mockRestore();
  });
});

test("what cannot be saved is told", () => {
  const net = new nn.Linear(1, 1);
  expect(() => saveToBytes({ module: net, metadata: { thaw: "x" } })).toThrow("is the checkpoint's own");
  const path = join(temporaryFolder(), "a.safetensors");
  save(path, { module: net });
  expect(() => save(join(path, "b"), { module: net })).toThrow(ThawError);
  expect(readFileSync(path).length).toBeGreaterThan(0);
});

test("a checkpoint may have any name; what is no index is not read as one", () => {
  const path = join(temporaryFolder(), "net.json");
  const module = new nn.Linear(2, 3);
  save(path, { module });
  expect(() => load(path, { module: new nn.Linear(2, 3) })).not.toThrow();
});

test.each([
  ["nothing", undefined, "module is undefined; give the module: { module: net }"],
  ["a module that is not among options", new nn.Linear(1, 1), "module is undefined"],
  ["a state dict", { module: new nn.Linear(1, 1).stateDict() }, "module is a "],
  [
    "text as an optimizer",
    { module: new nn.Linear(1, 1), optimizer: "Adam" },
    "optimizer is Adam, which has no stateDict()",
  ],
])("%s is no checkpoint to save or load", (_, given, message) => {
  const path = join(temporaryFolder(), "a.safetensors");
  save(path, { module: new nn.Linear(1, 1) });
  for (const run of [save, load]) {
    expect(() => run(path, given as never)).toThrow(ArgumentError);
    expect(() => run(path, given as never)).toThrow(message);
  }
});
