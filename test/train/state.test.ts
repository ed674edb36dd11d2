import * as nn from "thaw/nn";
import { AdamW, EMA, lrScheduler, SGD } from "thaw/optim";
import { full, manualSeed, rand, randn, type Tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { CheckpointError, StateDictError } from "../../src/base/errors.ts";
import { loadFromBytes, saveToBytes } from "../../src/checkpoint/index.ts";
import { freeze } from "../../src/freeze/index.ts";
import { trainStep } from "../../src/train/index.ts";

const bits = (net: nn.Module) => [...net.stateDict()].map(([path, t]) => [path, ...t.dataSync()]);

class Net extends nn.Module {
  body = new nn.Linear(3, 4);
  head = new nn.Linear(4, 2);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x).tanh());
  }
}

/** A run with everything that a checkpoint can hold; from another seed, another start. */
function makeRun(seed: number, accumulate = 3) {
  manualSeed(seed);
  const module = new Net();
  const optimizer = new AdamW(module, { lr: 0.05 });
  const schedule = new lrScheduler.CosineAnnealingLR(optimizer, { TMax: 20 });
  const ema = new EMA(module, { decay: 0.8, warmup: true });
  const step = trainStep(optimizer, {
    loss: (_part: string, x: Tensor) =>
      module
        .forward(x.add(rand(x.shape)))
        .square()
        .mean(),
    trains: (part) => ["head.weight[1]", ...(part === "all" ? ["body.**", "head.bias"] : ["body.bias"])],
    accumulate,
    clipNorm: 1,
    ema,
  });
  return { module, optimizer, schedule, ema, step };
}
type Run = ReturnType<typeof makeRun>;

const batches = (() => {
  manualSeed(77);
  return Array.from({ length: 16 }, () => randn([5, 3]));
})();

async function go(run: Run, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    await run.step(i % 2 === 0 ? "all" : "some", batches[i]!);
    if (i % 3 === 2) run.schedule.step();
  }
}

const look = ({ module, optimizer, schedule, ema, step }: Run) => ({
  bits: bits(module),
  updates: optimizer.stateDict().updates,
  lr: optimizer.paramGroups[0]!.lr,
  schedule: schedule.stateDict(),
  averages: Object.entries(ema.stateDict().averages).map(([path, t]) => [path, ...t.dataSync()]),
  counts: ema.stateDict().updates,
  report: step.report().parameters,
});

describe("a run goes on from a checkpoint as if it had never ended", () => {
  test.each([0, 1, 2, 3, 4, 5, 7])("after %i calls, in the middle of an update or not", async (at) => {
    const straight = makeRun(1);
    await go(straight, 0, at);
    const file = saveToBytes(straight);
    await go(straight, at, 12);
    // In a new program, and in one that has already run elsewhere.
    for (const before of [0, 4]) {
      const resumed = makeRun(2);
      await go(resumed, 3, 3 + before);
      loadFromBytes(file, resumed);
      await go(resumed, at, 12);
      expect(look(resumed)).toEqual(look(straight));
    }
  });

  test("also back in the same program", async () => {
    const run = makeRun(1);
    await go(run, 0, 4);
    const file = saveToBytes(run);
    await go(run, 4, 9);
    const first = look(run);
    loadFromBytes(file, run);
    await go(run, 4, 9);
    expect(look(run)).toEqual(first);
  });
});

describe("what is half accumulated", () => {
  const make = (accumulate = 2) => {
    const module = new nn.Linear(1, 1, { bias: false });
    nn.init.zeros_(module.weight);
    const optimizer = new SGD(module, { lr: 1 });
    const step = trainStep(optimizer, {
      loss: (x: Tensor) => module.forward(x).sum(),
      trains: ["**"],
      accumulate,
    });
    return { module, optimizer, step };
  };
  const batch = (value: number) => full([1, 1], value);

  test("is gone after a load, of the module alone too, and so are gradients", async () => {
    for (const alone of [false, true]) {
      const { module, optimizer, step } = make();
      const parts = alone ? { module } : { module, optimizer };
      const file = saveToBytes(parts);
      await step(batch(100));
      module.weight.grad = full([1, 1], 5);
      loadFromBytes(file, parts);
      expect(module.weight.grad).toBe(null);
      for (let i = 0; i < 2; i++) await step(batch(1));
      expect(module.weight.itemSync()).toBe(-1);
    }
  });

  test("is not lost without a word", async () => {
    const one = make();
    await one.step(batch(10));
    const { module, optimizer, step } = one;
    expect(() => saveToBytes({ module, optimizer })).toThrow(CheckpointError);
    expect(() => saveToBytes({ module, optimizer })).toThrow("1 of the 2 calls of an update");
    // Weights to use are weights to use.
    saveToBytes({ module });
    const file = saveToBytes({
      module,
      optimizer,
      inner: { stateDict: () => ({ of: step.stateDict() }), loadStateDict() {} },
    });
    const other = make();
    expect(() => loadFromBytes(file, { module: other.module, optimizer: other.optimizer })).toThrow(
      "whose gradients are in `inner`",
    );
    // Another network's has nothing to do with it.
    saveToBytes({ module: other.module, optimizer: other.optimizer });
  });

  test("does not go into a step of other rounds", async () => {
    const one = make();
    await one.step(batch(10));
    const file = saveToBytes(one);
    const other = make(4);
    for (let i = 0; i < 3; i++) await other.step(batch(7));
    expect(() => loadFromBytes(file, other)).toThrow(StateDictError);
    expect(() => loadFromBytes(file, other)).toThrow("which takes 2 (accumulate), and 4 here");
    await other.step(batch(7));
    expect(other.module.weight.itemSync()).toBe(-7);
  });

  test("can be made an update early, from the mean of what there is", async () => {
    const { module, step } = make(4);
    expect(await step.flush()).toBe(0);
    await step(batch(2));
    await step(batch(4));
    expect(await step.flush()).toBe(2);
    expect(module.weight.itemSync()).toBe(-3);
    expect(step.report().parameters[0]!.timesStepped).toBe(1);
    expect(await step.flush()).toBe(0);
    for (let i = 0; i < 4; i++) await step(batch(1));
    expect(module.weight.itemSync()).toBe(-4);
    await step(batch(8));
    freeze(module, "**");
    // What has been frozen since loses its sum, as in a round that is full.
    expect(await step.flush()).toBe(1);
    expect(module.weight.itemSync()).toBe(-4);
  });

  test("an early update clips, averages and frees as any other", async () => {
    const run = async (accumulate: number) => {
      const made = makeRun(3, accumulate);
      // Recorded and replayed; the schedule does not step between the last call and the flush.
      for (const from of [0, 2, 6]) {
        await go(made, from, from + 2);
        if (accumulate === 4) expect(await made.step.flush()).toBe(2);
      }
      const { report, ...rest } = look(made);
      return { ...rest, steps: report.map(({ trainedBy: _, ...counted }) => counted) };
    };
    expect(await run(4)).toEqual(await run(2));
  });
});

test("a report goes on: what moved is measured from where the run began", async () => {
  const one = makeRun(5, 1);
  await go(one, 0, 3);
  const before = one.step.report().parameters;
  const other = makeRun(6, 1);
  loadFromBytes(saveToBytes(one), other);
  expect(other.step.report().parameters).toEqual(before);
  expect(before.some(({ moved }) => moved!.norm > 0)).toBe(true);
  const net = new nn.Linear(3, 4);
  const step = trainStep(new SGD(net, { lr: 1 }), { loss: () => net.weight.sum(), trains: ["**"] });
  expect(() => step.loadStateDict(one.step.stateDict())).toThrow("what was reported of body.weight");
  expect(() => step.loadStateDict({})).toThrow("this is no state of a trainStep");
});
