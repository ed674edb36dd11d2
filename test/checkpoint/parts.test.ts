import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { Adam, EMA, lrScheduler, SGD } from "thaw/optim";
import { getRandomState, manualSeed, ones, randn, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError, CheckpointError, StateDictError, ThawError } from "../../src/base/errors.ts";
import {
  load,
  loadFromBytes,
  openTensors,
  parseSafetensors,
  save,
  saveAsync,
  saveToBytes,
  serializeSafetensors,
  writeSafetensors,
} from "../../src/checkpoint/index.ts";
import { DataLoader, mix, TensorDataset } from "../../src/data/index.ts";
import { temporaryFolder } from "./folder.ts";

const valuesOf = (net: nn.Module) => [...net.stateDict()].map(([path, t]) => [path, ...t.dataSync()]);

class Pair extends nn.Module {
  base = new nn.Linear(6, 5);
  head = new nn.Linear(5, 2);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.base.forward(x));
  }
}

/** Something of the user's own that counts. */
class Counter {
  count = 0;
  loads = 0;
  stateDict() {
    return {
      count: this.count,
      odd: { tensor: "text" },
      deep: [{ "=": 1 }, { number: "x" }, -0],
      none: null,
    };
  }
  loadStateDict(state: ReturnType<Counter["stateDict"]>) {
    if (state.count === 13) throw new StateDictError("loadStateDict: 13 is refused");
    expect(state).toEqual({ ...this.stateDict(), count: state.count });
    this.loads++;
    this.count = state.count;
  }
}

describe("everything that has a state goes into one file, by name", () => {
  const make = (seed: number) => {
    manualSeed(seed);
    const module = new Pair();
    const critic = new nn.Linear(2, 1);
    return {
      module,
      critic,
      optimizer: new Adam(module, { lr: 0.1 }),
      forCritic: new SGD(critic, { lr: 0.1, momentum: 0.9 }),
      ema: new EMA(critic),
      loader: new DataLoader(new TensorDataset(randn([7, 6])), { batchSize: 2, shuffle: true }),
      counter: new Counter(),
    };
  };
  const run = async (parts: ReturnType<typeof make>, steps: number) => {
    const { module, critic, optimizer, forCritic, ema, loader, counter } = parts;
    while (counter.count < steps)
      for (const [x] of loader) {
        module.forward(x!).square().sum().backward();
        optimizer.step();
        optimizer.zeroGrad();
        critic.forward(module.forward(x!).detach()).square().sum().backward();
        forCritic.step();
        forCritic.zeroGrad();
        ema.update();
        if (++counter.count === steps) return;
      }
  };
  const look = ({ module, critic, ema, loader, counter }: ReturnType<typeof make>) => [
    valuesOf(module),
    valuesOf(critic),
    Object.values(ema.stateDict().averages).map((t) => [...t.dataSync()]),
    loader.stateDict(),
    counter.count,
  ];

  test("and comes back from it", async () => {
    const one = make(1);
    const { ema: _, ...withoutEma } = one;
    await run(one, 5);
    const file = saveToBytes(one);
    // In the middle of a pass the loop has been left: what follows is another pass.
    const other = make(1);
    await run(other, 2);
    loadFromBytes(file, other);
    expect(look(other)).toEqual(look(one));
    for (const parts of [one, other]) await run(parts, 9);
    expect(look(other)).toEqual(look(one));
    expect(() => loadFromBytes(saveToBytes(withoutEma), other)).toThrow(
      "has no state of `ema`; it has critic, forCritic, loader, counter",
    );
  });

  test("or not at all: whichever does not fit, nothing has changed", async () => {
    const one = make(1);
    await run(one, 5);
    const file = saveToBytes(one);
    const misfits: [string, (parts: ReturnType<typeof make>) => object][] = [
      ["the critic", () => ({ critic: new nn.Linear(3, 1) })],
      ["an optimizer of another kind", ({ critic }) => ({ forCritic: new Adam(critic) })],
      ["an optimizer of other parameters", ({ module }) => ({ forCritic: new SGD(module, { lr: 1 }) })],
      ["an average of another module", ({ module }) => ({ ema: new EMA(module) })],
      ["a loader", () => ({ loader: mix({ a: [1] }) })],
      [
        "what can only be tried",
        () => ({
          zlast: { stateDict: () => ({}), loadStateDict: () => expect.fail("it is not in the file") },
        }),
      ],
    ];
    for (const [, misfit] of misfits) {
      const other = make(2);
      await run(other, 3);
      const before = look(other);
      const { loads } = other.counter;
      expect(() => loadFromBytes(file, { ...other, ...misfit(other) })).toThrow(ThawError);
      expect(look(other)).toEqual(before);
      expect(other.counter.loads).toBe(loads);
    }
  });

  test("what can only be checked by loading it is put back, if another of that kind fails", async () => {
    const one = make(1);
    const second = new Counter();
    second.count = 13;
    await run(one, 5);
    const file = saveToBytes({ ...one, second });
    const other = make(2);
    await run(other, 3);
    const before = look(other);
    expect(() => loadFromBytes(file, { ...other, second: new Counter() })).toThrow("13 is refused");
    expect(look(other)).toEqual(before);
    expect(other.counter.loads).toBe(2);
  });

  test("a state that is no data is refused, with its place", () => {
    const { module } = make(1);
    const cases: [unknown, string][] = [
      [{ a: [() => 1] }, "own.a.0 cannot be saved: it is of type function"],
      [{ a: new Map() }, "own.a cannot be saved: it is of class Map"],
      [{ a: new Float32Array(2) }, "own.a cannot be saved: it is of class Float32Array"],
      [{ a: 1n }, "own.a cannot be saved: it is of type bigint"],
    ];
    for (const [state, message] of cases)
      expect(() => saveToBytes({ module, own: { stateDict: () => state, loadStateDict() {} } })).toThrow(
        message,
      );
    const round: { inner?: unknown } = {};
    round.inner = round;
    expect(() => saveToBytes({ module, own: { stateDict: () => round, loadStateDict() {} } })).toThrow(
      "nested too deeply, or in itself",
    );
    // @ts-expect-error: true or false
    expect(() => loadFromBytes(saveToBytes({ module }), { module, random: new Counter() })).toThrow(
      "random is the name of an option",
    );
    expect(() => saveToBytes({ module, optimiser: true })).toThrow(ArgumentError);
    expect(() => saveToBytes({ module, optimiser: true })).toThrow(
      "optimiser cannot be part of a checkpoint",
    );
  });

  test("what a hostile file says of a state is an error of the file, and changes nothing", async () => {
    const one = make(1);
    await run(one, 3);
    const file = saveToBytes(one);
    const bytes = parseSafetensors(file);
    const path = join(temporaryFolder(), "a");
    writeFileSync(path, file);
    const source = openTensors(path);
    source.close();
    const text = source.metadata.thaw!;
    const before = look(one);
    for (const name of ["forCritic", "ema", "loader", "counter", "critic"])
      for (const state of [null, 1, "x", [], {}, { state: null }, { epoch: {}, sources: null }, undefined]) {
        const record = JSON.parse(text);
        record.states[name] = state === undefined ? 5 : { ...record.states[name], state };
        const changed = serializeSafetensors(bytes, { metadata: { thaw: JSON.stringify(record) } });
        if (name === "counter" && state !== undefined) continue;
        expect(() => loadFromBytes(changed, one)).toThrow(ThawError);
        expect(look(one)).toEqual(before);
      }
  });
});

test("random numbers go on with whatever training goes on from", () => {
  const module = new nn.Linear(1, 1);
  manualSeed(8);
  const file = saveToBytes({ module, mine: new SGD(module, { lr: 1 }), critic: module });
  for (const [parts, seed] of [
    [{ mine: new SGD(module, { lr: 1 }) }, 8],
    [{ critic: module }, 9],
    [{ mine: new SGD(module, { lr: 1 }), random: false }, 9],
  ] as const) {
    manualSeed(9);
    loadFromBytes(file, { module, ...parts });
    expect(getRandomState().seed).toBe(seed);
  }
});

test("averages in use are not taken for the weights, nor weights put where they would be lost", async () => {
  const module = new nn.Linear(2, 2);
  const optimizer = new SGD(module, { lr: 0.1 });
  const ema = new EMA(module, { decay: 0.5 });
  const step = trainStep(optimizer, { loss: () => module.weight.square().sum(), trains: ["weight"], ema });
  await step();
  const file = saveToBytes({ module, optimizer, ema, step });
  ema.use(() => {
    for (const parts of [{ optimizer }, { ema }, { step }])
      expect(() => saveToBytes({ module, ...parts })).toThrow(
        "the averages of an EMA are in place of the weights",
      );
    expect(() => loadFromBytes(file, { module })).toThrow(CheckpointError);
    const other = new nn.Linear(2, 2);
    saveToBytes({ module: other, optimizer: new SGD(other, { lr: 1 }) });
  });
  // The module alone holds what there is: so averages are exported.
  const exported = parseSafetensors(ema.use(() => saveToBytes({ module })));
  expect([...exported.get("weight")!.dataSync()]).toEqual([...ema.average.get(module.weight)!.dataSync()]);
  await ema.use(async () => {
    await Promise.resolve();
    expect(() => saveToBytes({ module, optimizer })).toThrow(CheckpointError);
  });
  loadFromBytes(file, { module, optimizer, ema, step });
});

test("a schedule made after, or before, goes on where it was", async () => {
  const make = () => {
    const module = new nn.Linear(1, 1);
    const optimizer = new SGD(module, { lr: 1 });
    const schedule = new lrScheduler.SequentialLR(optimizer, {
      schedules: [
        new lrScheduler.LinearLR(optimizer, { totalIters: 3 }),
        new lrScheduler.ExponentialLR(optimizer, { gamma: 0.5 }),
      ],
      milestones: [3],
    });
    return { module, optimizer, schedule };
  };
  for (let at = 0; at < 6; at++) {
    const [one, other] = [make(), make()];
    for (let i = 0; i < at; i++) one.schedule.step();
    loadFromBytes(saveToBytes(one), other);
    for (let i = 0; i < 4; i++) {
      expect(other.optimizer.paramGroups[0]!.lr).toBe(one.optimizer.paramGroups[0]!.lr);
      one.schedule.step();
      other.schedule.step();
    }
  }
});

describe("a base that is referred to", () => {
  const make = () => {
    manualSeed(4);
    const module = new Pair();
    const folder = temporaryFolder();
    const base = join(folder, "weights.safetensors");
    writeSafetensors(base, module.stateDict());
    freeze(module, "base.**");
    const optimizer = new Adam(module);
    const step = trainStep(optimizer, {
      loss: (x: Tensor) => module.forward(x).square().mean(),
      trains: ["head.weight"],
    });
    return { module, optimizer, step, folder, base };
  };

  test("is not written again, and must be what it was", async () => {
    const { module, optimizer, step, folder, base } = make();
    await step(ones([1, 6]));
    const path = join(folder, "run.safetensors");
    for (let i = 0; i < 2; i++) {
      save(path, { module, optimizer, base });
      const source = openTensors(path);
      source.close();
      expect([...source.entries.keys()].filter((name) => !name.startsWith("optimizer"))).toEqual([
        "head.weight",
      ]);
    }
    const other = new Pair();
    load(path, { module: other, optimizer: new Adam(other) });
    expect(valuesOf(other)).toEqual(valuesOf(module));

    // Elsewhere, or not at all.
    mkdirSync(join(folder, "moved"));
    renameSync(base, join(folder, "moved", "w.safetensors"));
    const before = valuesOf(other);
    for (const p of other.parameters()) p.assign(p.add(1));
    const after = valuesOf(other);
    expect(() => load(path, { module: other })).toThrow(CheckpointError);
    expect(() => load(path, { module: other })).toThrow(
      /refers to "weights.safetensors" for 3 of its tensors, which cannot be read/,
    );
    expect(valuesOf(other)).toEqual(after);
    load(path, { module: other, base: join(folder, "moved", "w.safetensors") });
    expect(valuesOf(other)).toEqual(before);
    loadFromBytes(readFileSync(path), {
      module: other,
      base: readFileSync(join(folder, "moved", "w.safetensors")),
    });
    expect(() => loadFromBytes(readFileSync(path), { module: other })).toThrow("and no base was given");

    // Another one, by a bit.
    const bytes = readFileSync(join(folder, "moved", "w.safetensors"));
    const dataStart = 8 + Number(bytes.readBigUInt64LE());
    bytes[dataStart]! ^= 1;
    writeFileSync(base, bytes);
    expect(() => load(path, { module: other })).toThrow("which is another: the checksum of");
    writeSafetensors(base, { "base.weight": module.base.weight });
    expect(() => load(path, { module: other })).toThrow('which has no "');
  });

  test("holds nothing that has been written to since, frozen or not", async () => {
    const { module, base, folder } = make();
    const path = join(folder, "run.safetensors");
    const inFile = () => {
      save(path, { module, base });
      const source = openTensors(path);
      source.close();
      return [...source.entries.keys()].sort();
    };
    expect(inFile()).toEqual([]);
    module.base.bias!.assign(module.base.bias!.add(1));
    expect(inFile()).toEqual(["base.bias"]);
    module.base.bias!.assign(module.base.bias!.sub(1));
    module.base.weight.assign(module.base.weight.mul(-1));
    expect(inFile()).toContain("base.weight");
    const other = new Pair();
    load(path, { module: other });
    expect(valuesOf(other)).toEqual(valuesOf(module));
    // The file has changed, and not the module.
    const copy = new Pair();
    writeSafetensors(base, copy.stateDict());
    expect(inFile()).toEqual(["base.bias", "base.weight", "head.bias", "head.weight"]);
  });

  test("is not the checkpoint itself, nor a path that a file names", () => {
    const { module, base, folder } = make();
    const before = readFileSync(base);
    expect(() => save(base, { module, base })).toThrow("a checkpoint cannot refer to itself");
    expect(readFileSync(base)).toEqual(before);
    const path = join(folder, "run.safetensors");
    save(path, { module, base });
    const source = openTensors(path);
    source.close();
    for (const name of ["../weights.safetensors", "/etc/passwd", "..", "a\\b", 5]) {
      const record = JSON.parse(source.metadata.thaw!);
      record.base.name = name;
      writeSafetensors(path, {}, { metadata: { thaw: JSON.stringify(record) } });
      expect(() => load(path, { module })).toThrow("what it refers to is not the name of a file beside it");
    }
  });
});

describe("saveAsync", () => {
  test("writes what was there at the call, however training goes on", async () => {
    const module = new nn.Linear(64, 64);
    const optimizer = new Adam(module, { lr: 0.1 });
    const step = trainStep(optimizer, { loss: () => module.weight.square().sum(), trains: ["**"] });
    await step();
    const folder = temporaryFolder();
    save(join(folder, "at-once"), { module, optimizer, step });
    const written = saveAsync(join(folder, "behind"), { module, optimizer, step });
    for (let i = 0; i < 5; i++) await step();
    module.weight.assign(ones([64, 64]));
    await written;
    expect(readFileSync(join(folder, "behind"))).toEqual(readFileSync(join(folder, "at-once")));
  });

  test("saves that come after it, of either kind, are the last; a load sees them", async () => {
    const module = new nn.Linear(1, 1, { bias: false });
    const path = join(temporaryFolder(), "a");
    const value = (x: number) => module.weight.assign(tensor([[x]]));
    value(1);
    const first = saveAsync(path, { module });
    value(2);
    save(path, { module });
    value(3);
    load(path, { module });
    expect(module.weight.itemSync()).toBe(2);
    value(4);
    const second = saveAsync(path, { module });
    value(0);
    load(path, { module });
    expect(module.weight.itemSync()).toBe(4);
    await Promise.all([first, second]);
  });

  test("a target that cannot be is told", async () => {
    const module = new nn.Linear(1, 1);
    await expect(saveAsync("/dev/full", { module })).rejects.toThrow("a device");
    expect(statSync("/dev/full").isCharacterDevice()).toBe(true);
  });
});

test("a file from before there were checksums loads", () => {
  const module = new nn.Linear(2, 1);
  const optimizer = new SGD(module, { lr: 0.5 });
  const record = {
    format: 1,
    arithmetic: "somewhere",
    random: { seed: 3, drawn: 4 },
    frozen: {},
    optimizer: { name: "SGD", ...optimizer.stateDict() },
  };
  const file = serializeSafetensors(module.stateDict(), {
    metadata: { thaw: JSON.stringify(record), mine: "1" },
  });
  const other = new nn.Linear(2, 1);
  const { metadata } = loadFromBytes(file, { module: other, random: true });
  expect([valuesOf(other), metadata]).toEqual([valuesOf(module), { mine: "1" }]);
});

describe("names of another module's paths", () => {
  class Wrapped extends nn.Module {
    wrapped = new Pair();
    forward(x: Tensor): Tensor {
      return this.wrapped.forward(x);
    }
  }
  class Renamed extends nn.Module {
    body = new nn.Linear(6, 5);
    head = new nn.Linear(5, 2);
    forward(x: Tensor): Tensor {
      return this.head.forward(this.body.forward(x));
    }
  }
  const make = (module: nn.Module & { forward(x: Tensor): Tensor }) => {
    const biases = module.namedParameters().filter(([path]) => path.endsWith("bias"));
    const weights = module.namedParameters().filter(([path]) => path.endsWith("weight"));
    const optimizer = new Adam(
      weights.map(([, p]) => p),
      { lr: 0.1 },
    );
    const forBiases = new SGD(
      biases.map(([, p]) => p),
      { lr: 0.1, momentum: 0.9 },
    );
    const critic = new nn.Sequential(new nn.Linear(6, 5), new nn.Linear(5, 2));
    const forCritic = new SGD(critic, { lr: 0.1, momentum: 0.9 });
    const ema = new EMA(module, { decay: 0.5 });
    const emaOfCritic = new EMA(critic);
    const step = trainStep(optimizer, {
      module,
      loss: (x: Tensor) => module.forward(x).square().mean(),
      trains: [/weight$/],
      accumulate: 2,
      ema,
    });
    return { module, optimizer, forBiases, critic, forCritic, ema, emaOfCritic, step };
  };
  const go = async (parts: ReturnType<typeof make>, calls: number) => {
    const { module, forBiases, critic, forCritic, step } = parts;
    for (let i = 0; i < calls; i++) {
      await step(ones([3, 6]));
      for (const [net, optimizer] of [
        [module, forBiases],
        [critic, forCritic],
      ] as const) {
        optimizer.zeroGrad();
        (net as Pair)
          .forward(ones([2, 6]))
          .square()
          .sum()
          .backward();
        optimizer.step();
      }
    }
  };
  const bits = ({ module, critic, ema, optimizer, forBiases, step }: ReturnType<typeof make>) =>
    [...module.parameters(), ...critic.parameters(), ...ema.average.values()]
      .map((t) => [...t.dataSync()])
      .concat([...optimizer.state.values()].map(({ expAvgSq }) => [...(expAvgSq as Tensor).dataSync()]))
      .concat([...forBiases.state.values()].map((state) => [...(state.momentumBuffer as Tensor).dataSync()]))
      .concat(step.report().parameters.map(({ timesStepped }) => [timesStepped]));

  test.each([
    ["prefix", () => new Pair(), { prefix: "wrapped." }],
    [
      "rename",
      () => new Renamed(),
      { rename: (path: string) => path.replace("wrapped.base", "body").replace("wrapped.", "") },
    ],
  ] as const)("are translated in all that takes part, by %s; others are left", async (_, here, options) => {
    const from = make(new Wrapped());
    await go(from, 3);
    const bytes = saveToBytes(from);
    const into = make(here());
    await go(into, 2);
    loadFromBytes(bytes, { ...into, ...options });
    expect(bits(into)).toEqual(bits(from));
    await go(from, 2);
    await go(into, 2);
    expect(bits(into)).toEqual(bits(from));
  });
});

test("two modules of one class, each with an optimizer, go into one file; the second's names are its own", () => {
  const make = () => {
    const [module, critic] = [new Pair(), new Pair()];
    critic.head = new nn.Linear(5, 6);
    module.head = new nn.Linear(5, 6);
    return { module, critic, optimizer: new Adam(module), forCritic: new Adam(critic, { lr: 0.2 }) };
  };
  const go = ({ module, critic, optimizer, forCritic }: ReturnType<typeof make>) => {
    for (let i = 0; i < 2; i++) {
      critic
        .forward(module.forward(ones([2, 6])))
        .square()
        .mean()
        .backward();
      for (const one of [optimizer, forCritic]) {
        one.step();
        one.zeroGrad();
      }
    }
    return [...valuesOf(module), ...valuesOf(critic)];
  };
  const from = make();
  go(from);
  const bytes = saveToBytes(from);
  const into = make();
  loadFromBytes(bytes, into);
  expect(Object.keys(into.forCritic.stateDict({ module: into.module }).state)).toContain("head.weight");
  expect(go(into)).toEqual(go(from));
});
