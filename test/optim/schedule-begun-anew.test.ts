import * as nn from "thaw/nn";
import { Adam, LBFGS, lrScheduler, SGD } from "thaw/optim";
import { capture, type Tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { StateDictError } from "../../src/base/errors.ts";
import { loadFromBytes, saveToBytes } from "../../src/checkpoint/index.ts";

const s = lrScheduler;
type Schedule = lrScheduler.LRScheduler;
type Options = { lastEpoch?: number };

/** Schedules that stand alone: each is made anew, or from an epoch on. */
const single: Record<string, (o: SGD, options?: Options) => Schedule> = {
  StepLR: (o, x) => new s.StepLR(o, { stepSize: 2, gamma: 0.5, ...x }),
  MultiStepLR: (o, x) => new s.MultiStepLR(o, { milestones: [3, 6], gamma: 0.5, ...x }),
  ExponentialLR: (o, x) => new s.ExponentialLR(o, { gamma: 0.8, ...x }),
  PolynomialLR: (o, x) => new s.PolynomialLR(o, { totalIters: 30, power: 2, ...x }),
  LambdaLR: (o, x) => new s.LambdaLR(o, { lambda: (n) => 1 / (1 + n), ...x }),
  MultiplicativeLR: (o, x) => new s.MultiplicativeLR(o, { lambda: (n) => 1 - 0.1 / (1 + n), ...x }),
  ConstantLR: (o, x) => new s.ConstantLR(o, { factor: 0.25, totalIters: 5, ...x }),
  LinearLR: (o, x) => new s.LinearLR(o, { startFactor: 0.1, totalIters: 12, ...x }),
  CosineAnnealingLR: (o, x) => new s.CosineAnnealingLR(o, { TMax: 9, etaMin: 0.01, ...x }),
  CosineAnnealingWarmRestarts: (o, x) => new s.CosineAnnealingWarmRestarts(o, { T0: 2, TMult: 2, ...x }),
  CyclicLR: (o, x) => new s.CyclicLR(o, { baseLr: 0.1, maxLr: 1, stepSizeUp: 4, ...x }),
  OneCycleLR: (o, x) => new s.OneCycleLR(o, { maxLr: 1, totalSteps: 40, ...x }),
};
const all: Record<string, (o: SGD) => Schedule> = {
  ...single,
  ReduceLROnPlateau: (o) => new s.ReduceLROnPlateau(o, { patience: 1, factor: 0.5 }),
  SequentialLR: (o) =>
    new s.SequentialLR(o, {
      schedules: [new s.LinearLR(o, { totalIters: 4 }), new s.ExponentialLR(o, { gamma: 0.9 })],
      milestones: [4],
    }),
  ChainedScheduler: (o) =>
    new s.ChainedScheduler([new s.LinearLR(o, { totalIters: 9 }), new s.ExponentialLR(o, { gamma: 0.9 })]),
};

const make = () => {
  const module = new nn.Linear(1, 1);
  return { module, optimizer: new SGD(module, { lr: 1, momentum: 0.9 }) };
};
const move = (schedule: Schedule) =>
  schedule instanceof s.ReduceLROnPlateau ? schedule.step(1) : schedule.step();
const rate = ({ paramGroups }: SGD) => paramGroups[0]!.lr;
const update = ({ module, optimizer }: ReturnType<typeof make>) => {
  module.weight.grad = zeros([1, 1]);
  optimizer.step();
};

let warn: MockInstance<typeof console.warn>;
beforeEach(() => {
  warn = vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => vi.restoreAllMocks());
const said = (): string[] => warn.mock.calls.map(([text]) => String(text));

test("every schedule is here", () => {
  const known = Object.keys(lrScheduler).filter((name) => name !== "LRScheduler");
  expect(Object.keys(all).sort()).toEqual(known.sort());
});

describe.each(Object.entries(all))("%s", (name, makeSchedule) => {
  /** A run that has been saved after some steps. */
  const stopped = (steps = 3) => {
    const run = make();
    const schedule = makeSchedule(run.optimizer);
    for (let i = 0; i < steps; i++) move(schedule);
    return { ...run, schedule };
  };
  const expectSaidOnce = (): void => {
    expect(said()).toHaveLength(1);
    expect(said()[0]).toContain(`thaw: ${name} begins anew`);
    expect(said()[0]).toContain("schedule.loadStateDict()");
  };

  test("made on a loaded optimizer and stepped without its state, says once that it begins anew", () => {
    const before = stopped();
    const { optimizer } = make();
    optimizer.loadStateDict(before.optimizer.stateDict());
    const schedule = makeSchedule(optimizer);
    expect(said()).toEqual([]);
    for (let i = 0; i < 3; i++) move(schedule);
    expectSaidOnce();
  });

  test("says it where the optimizer is stepped first, too", () => {
    const run = make();
    run.optimizer.loadStateDict(stopped().optimizer.stateDict());
    const schedule = makeSchedule(run.optimizer);
    update(run);
    expectSaidOnce();
    move(schedule);
    expectSaidOnce();
  });

  test("made before the optimizer was loaded, says it when it is stepped without its state, and not before", () => {
    const { optimizer } = make();
    const schedule = makeSchedule(optimizer);
    optimizer.loadStateDict(stopped().optimizer.stateDict());
    expect(said()).toEqual([]);
    for (let i = 0; i < 3; i++) move(schedule);
    expectSaidOnce();
  });

  test("made before a state from before its first step was loaded, goes on in silence", () => {
    const run = make();
    const schedule = makeSchedule(run.optimizer);
    const before = stopped(0);
    run.optimizer.loadStateDict(before.optimizer.stateDict());
    for (let i = 0; i < 4; i++) {
      expect(rate(run.optimizer)).toBe(rate(before.optimizer));
      update(run);
      move(before.schedule);
      move(schedule);
    }
    expect(said()).toEqual([]);
  });

  test.each(["optimizer first", "schedule first", "made in between"])(
    "given its state, goes on as if never stopped, in silence: %s",
    (order) => {
      const straight = stopped();
      const state = JSON.parse(JSON.stringify(straight.schedule.stateDict()));
      const run = make();
      const dict = straight.optimizer.stateDict();
      if (order === "made in between") run.optimizer.loadStateDict(dict);
      const schedule = makeSchedule(run.optimizer);
      if (order === "optimizer first") run.optimizer.loadStateDict(dict);
      schedule.loadStateDict(state);
      if (order === "schedule first") run.optimizer.loadStateDict(dict);
      for (let i = 0; i < 12; i++) {
        expect(rate(run.optimizer)).toBe(rate(straight.optimizer));
        update(run);
        move(straight.schedule);
        move(schedule);
      }
      expect(said()).toEqual([]);
    },
  );

  test("in a checkpoint with everything is silent; left out of it, it says so", () => {
    const straight = stopped();
    const file = saveToBytes(straight);
    for (const withSchedule of [true, false]) {
      const { module, optimizer } = make();
      const schedule = makeSchedule(optimizer);
      loadFromBytes(file, withSchedule ? { module, optimizer, schedule } : { module, optimizer });
      expect(said()).toEqual([]);
      move(schedule);
      expect(said()).toHaveLength(withSchedule ? 0 : 1);
    }
  });

  test("on an optimizer that was never scheduled, or never loaded, is silent", () => {
    const run = make();
    run.optimizer.loadStateDict(make().optimizer.stateDict());
    const schedule = makeSchedule(run.optimizer);
    update(run);
    move(schedule);
    update(run);
    // Another one, in the middle of a run.
    move(makeSchedule(run.optimizer));
    expect(said()).toEqual([]);
  });
});

describe.each(Object.entries(single))("%s, told where it is", (_, makeSchedule) => {
  test.each([1, 2, 3, 4, 5, 6, 11])("after %i steps by lastEpoch, goes on as if never stopped", (steps) => {
    const straight = make();
    const first = makeSchedule(straight.optimizer);
    for (let i = 0; i < steps; i++) move(first);
    const run = make();
    run.optimizer.loadStateDict(straight.optimizer.stateDict());
    const second = makeSchedule(run.optimizer, { lastEpoch: steps - 1 });
    for (let i = 0; i < 12; i++) {
      expect(rate(run.optimizer)).toBeCloseTo(rate(straight.optimizer), 12);
      expect(second.lastEpoch).toBe(first.lastEpoch);
      update(run);
      move(first);
      move(second);
    }
    expect(said()).toEqual([]);
  });

  test("begins anew in silence where that is asked for", () => {
    const before = make();
    move(makeSchedule(before.optimizer));
    const run = make();
    run.optimizer.loadStateDict(before.optimizer.stateDict());
    move(makeSchedule(run.optimizer, { lastEpoch: -1 }));
    update(run);
    expect(said()).toEqual([]);
  });
});

/** An optimizer that was loaded from a run whose schedules had taken three steps. */
function resumed() {
  const before = make();
  const schedule = new s.StepLR(before.optimizer, { stepSize: 1 });
  for (let i = 0; i < 3; i++) schedule.step();
  const run = make();
  run.optimizer.loadStateDict(before.optimizer.stateDict());
  return { ...run, schedule };
}

test("several schedules are named together; the parts of one are not", () => {
  const { optimizer } = resumed();
  const warm = new s.LinearLR(optimizer);
  const decay = new s.ExponentialLR(optimizer, { gamma: 0.9 });
  warm.step();
  decay.step();
  expect(said()).toHaveLength(1);
  expect(said()[0]).toContain("thaw: LinearLR, ExponentialLR begin anew");
  const other = resumed();
  const parts = [new s.LinearLR(other.optimizer), new s.ExponentialLR(other.optimizer, { gamma: 0.9 })];
  const chain = new s.ChainedScheduler(parts);
  update(other);
  chain.step();
  expect(said()).toHaveLength(2);
  expect(said()[1]).toContain("thaw: ChainedScheduler begins anew");
});

test("a sequence says it with lastEpoch too, as its parts start from their first rates", () => {
  const { optimizer } = resumed();
  const parts = () => [new s.LinearLR(optimizer), new s.ExponentialLR(optimizer, { gamma: 0.9 })];
  const sequence = new s.SequentialLR(optimizer, { schedules: parts(), milestones: [5], lastEpoch: 2 });
  sequence.step();
  expect(said()).toHaveLength(1);
  expect(said()[0]).toContain("make SequentialLR with lastEpoch: -1 to begin anew");
});

test("one that is moved to an epoch goes on there in silence", () => {
  const { optimizer, schedule } = resumed();
  const again = new s.StepLR(optimizer, { stepSize: 1 });
  again.step(4);
  schedule.step();
  expect(again.getLastLr()[0]).toBeCloseTo(schedule.getLastLr()[0]!, 12);
  expect(said()).toEqual([]);
});

test("recorded steps, steps of trainStep and of LBFGS say it", async () => {
  const captured = resumed();
  const step = capture(() => update(captured));
  new s.StepLR(captured.optimizer, { stepSize: 1 });
  for (let i = 0; i < 3; i++) step();
  expect(said()).toHaveLength(1);
  const trained = resumed();
  const train = trainStep(trained.optimizer, {
    loss: (x: Tensor) => trained.module.forward(x).sum(),
    trains: ["**"],
  });
  new s.StepLR(trained.optimizer, { stepSize: 1 });
  for (let i = 0; i < 3; i++) await train(zeros([1, 1]));
  expect(said()).toHaveLength(2);
  const module = new nn.Linear(1, 1);
  const optimizer = new LBFGS(module);
  new s.StepLR(optimizer, { stepSize: 1 }).step();
  optimizer.loadStateDict(optimizer.stateDict());
  new s.StepLR(optimizer, { stepSize: 1 });
  optimizer.step(() => {
    optimizer.zeroGrad();
    const loss = module.weight.square().sum();
    loss.backward();
    return loss;
  });
  expect(said()).toHaveLength(3);
});

test("a state that was saved before schedules were noted in it is known by the rates that it brings", () => {
  const before = make();
  new s.StepLR(before.optimizer, { stepSize: 1 }).step();
  const { scheduled, ...dict } = before.optimizer.stateDict();
  expect(scheduled).toBe(true);
  for (const isMadeBefore of [true, false]) {
    const { optimizer } = make();
    const schedule = isMadeBefore ? new s.StepLR(optimizer, { stepSize: 1 }) : null;
    optimizer.loadStateDict(dict);
    (schedule ?? new s.StepLR(optimizer, { stepSize: 1 })).step();
  }
  expect(said()).toHaveLength(2);
});

test("a state that does not say it as true or false is refused", () => {
  const optimizer = new Adam(new nn.Linear(1, 1));
  const dict = { ...optimizer.stateDict(), scheduled: "no" as never };
  expect(() => optimizer.loadStateDict(dict)).toThrow(StateDictError);
  expect(() => optimizer.loadStateDict(dict)).toThrow("whether it is scheduled is no");
});
