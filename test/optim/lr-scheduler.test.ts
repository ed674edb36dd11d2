import { lrScheduler, SGD } from "thaw/optim";
import { capture, Parameter, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, StateDictError } from "../../src/base/errors.ts";
import { readFixture } from "../oracle/fixture.ts";

interface Part {
  schedule: string;
  options: Record<string, unknown>;
}
interface Case extends Part {
  lr: number;
  rates: number[];
}
const { schedules } = readFixture<{ schedules: Case[] }>("layers.json.gz");

const optimizer = (lr = 0.1) => new SGD([new Parameter(tensor([0]))], { lr });

function make(sgd: SGD, { schedule, options }: Part): lrScheduler.LRScheduler {
  const Schedule = (
    lrScheduler as unknown as Record<string, new (sgd: SGD, options: object) => lrScheduler.LRScheduler>
  )[schedule]!;
  const inner = options.schedules as Part[] | undefined;
  return new Schedule(sgd, inner ? { ...options, schedules: inner.map((part) => make(sgd, part)) } : options);
}

const rates = (sgd: SGD, schedule: lrScheduler.LRScheduler, steps: number): number[] =>
  Array.from({ length: steps }, () => {
    const { lr } = sgd.paramGroups[0]!;
    schedule.step();
    return lr;
  });

describe.each(schedules.map((c) => [`${c.schedule} ${JSON.stringify(c.options)}`, c] as const))(
  "%s",
  (_, c) => {
    test("sets the rates that PyTorch's does", () => {
      const sgd = optimizer(c.lr);
      const got = rates(sgd, make(sgd, c), c.rates.length);
      for (const [i, rate] of c.rates.entries())
        expect(Math.abs(got[i]! - rate), `step ${i}`).toBeLessThan(1e-8);
    });

    test("goes on from its state dict", () => {
      const [one, other] = [optimizer(c.lr), optimizer(c.lr)];
      const [before, after] = [make(one, c), make(other, c)];
      rates(one, before, 13);
      after.loadStateDict(before.stateDict());
      other.loadStateDict(one.stateDict());
      expect(rates(other, after, 20)).toEqual(rates(one, before, 20));
    });
  },
);

test("every group has its own rate", () => {
  const [p, q] = [new Parameter(tensor([0])), new Parameter(tensor([0]))];
  const sgd = new SGD([
    { params: p, lr: 1 },
    { params: q, lr: 4 },
  ]);
  const schedule = new lrScheduler.StepLR(sgd, { stepSize: 1, gamma: 0.5 });
  schedule.step();
  expect(schedule.getLastLr()).toEqual([0.5, 2]);
});

test("LambdaLR multiplies the first rate", () => {
  const sgd = optimizer(2);
  const schedule = new lrScheduler.LambdaLR(sgd, { lambda: (step) => 1 / (1 + step) });
  expect(rates(sgd, schedule, 3)).toEqual([2, 1, 2 / 3]);
});

test("inside a recorded step it moves on at every replay", () => {
  const p = new Parameter(tensor([0]));
  const sgd = new SGD([p], { lr: 1 });
  const schedule = new lrScheduler.ExponentialLR(sgd, { gamma: 0.5 });
  const step = capture(() => {
    p.sum().backward();
    sgd.step();
    schedule.step();
  });
  for (let i = 0; i < 4; i++) step();
  expect(p.toArraySync()).toEqual([-(1 + 0.5 + 0.25 + 0.125)]);
  expect(schedule.lastEpoch).toBe(4);
  expect(step.variants).toBe(1);
});

test("says what is wrong with its options", () => {
  const { CosineAnnealingLR, LinearLR, SequentialLR, StepLR } = lrScheduler;
  expect(() => new StepLR(optimizer(), { stepSize: 0 })).toThrow(
    "StepLR: stepSize is 0; it must be a whole number of at least 1",
  );
  expect(() => new CosineAnnealingLR(optimizer(), { TMax: 1.5 })).toThrow("TMax is 1.5");
  expect(() => new LinearLR(optimizer(), { startFactor: 0 })).toThrow(
    "LinearLR: startFactor is 0; it must be a number from",
  );
  const sgd = optimizer();
  const step = new StepLR(sgd, { stepSize: 1 });
  expect(() => new SequentialLR(sgd, { schedules: [step], milestones: [1] })).toThrow(
    "1 schedules and 1 milestones",
  );
  expect(() => new SequentialLR(optimizer(), { schedules: [step], milestones: [] })).toThrow(ArgumentError);
  expect(() => step.loadStateDict({ lastEpoch: -1 })).toThrow(StateDictError);
});
