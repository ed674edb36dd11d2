import { lrScheduler, SGD } from "thaw/optim";
import { Parameter, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { StateDictError } from "../../src/base/errors.ts";

const {
  ConstantLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  MultiStepLR,
  PolynomialLR,
  SequentialLR,
  StepLR,
} = lrScheduler;
type Schedule = lrScheduler.LRScheduler;

const warm = (o: SGD) => new LinearLR(o, { startFactor: 0.1, totalIters: 4 });
const cosine = (o: SGD) => new CosineAnnealingLR(o, { TMax: 9, etaMin: 0.01 });
/** The schedules of one optimizer, which are stepped one after the other. */
const schedules: Record<string, (o: SGD) => Schedule[]> = {
  StepLR: (o) => [new StepLR(o, { stepSize: 2, gamma: 0.5 })],
  MultiStepLR: (o) => [new MultiStepLR(o, { milestones: [2, 5], gamma: 0.5 })],
  ExponentialLR: (o) => [new ExponentialLR(o, { gamma: 0.8 })],
  PolynomialLR: (o) => [new PolynomialLR(o, { totalIters: 8, power: 2 })],
  LambdaLR: (o) => [new LambdaLR(o, { lambda: (n) => 1 / (1 + n) })],
  ConstantLR: (o) => [new ConstantLR(o, { factor: 0.25, totalIters: 5 })],
  LinearLR: (o) => [warm(o)],
  CosineAnnealingLR: (o) => [cosine(o)],
  CosineAnnealingWarmRestarts: (o) => [new CosineAnnealingWarmRestarts(o, { T0: 3, TMult: 2 })],
  SequentialLR: (o) => [
    new SequentialLR(o, {
      schedules: [warm(o), cosine(o), new ExponentialLR(o, { gamma: 0.9 })],
      milestones: [4, 9],
    }),
  ],
  "SequentialLR in SequentialLR": (o) => [
    new SequentialLR(o, {
      schedules: [new SequentialLR(o, { schedules: [warm(o), cosine(o)], milestones: [3] }), warm(o)],
      milestones: [7],
    }),
  ],
  "two together": (o) => [warm(o), new ExponentialLR(o, { gamma: 0.9 })],
};

const rates = [1, 0.1, 1];
/** Three groups, told apart by the shapes of their parameters. */
const make = (order: readonly number[] = [0, 1, 2]) =>
  new SGD(order.map((i) => ({ params: new Parameter(zeros([i + 1])), lr: rates[i]! })));
const ratesOf = ({ paramGroups }: SGD, order: readonly number[] = [0, 1, 2]): number[] =>
  order.map((_, i) => paramGroups[order.indexOf(i)]!.lr);

/** In which order a program makes and loads what it resumes. */
const orders: Record<
  string,
  (o: SGD, state: object, make: () => Schedule[], load: (all: Schedule[]) => void) => Schedule[]
> = {
  "the optimizer loaded, then the schedule made and loaded": (o, state, make, load) => {
    o.loadStateDict(state as never);
    const all = make();
    load(all);
    return all;
  },
  "the schedule made, then the optimizer loaded, then the schedule": (o, state, make, load) => {
    const all = make();
    o.loadStateDict(state as never);
    load(all);
    return all;
  },
  "the schedule made and loaded, then the optimizer": (o, state, make, load) => {
    const all = make();
    load(all);
    o.loadStateDict(state as never);
    return all;
  },
  "the optimizer loaded before the schedule is made and again at the end": (o, state, make, load) => {
    o.loadStateDict(state as never);
    const all = make();
    load(all);
    o.loadStateDict(state as never);
    return all;
  },
  "the optimizer not loaded at all": (_o, _state, make, load) => {
    const all = make();
    load(all);
    return all;
  },
};

describe.each(Object.entries(schedules))("%s", (_, schedule) => {
  describe.each(Object.entries(orders))("resumed with %s", (_, resume) => {
    test.each([0, 1, 3, 4, 8, 11])(
      "after %i steps is where it was, and goes on as if never stopped",
      (steps) => {
        const straight = make();
        const first = schedule(straight);
        for (let i = 0; i < steps; i++) for (const s of first) s.step();
        const saved = first.map((s) => s.stateDict());
        const resumed = make();
        const second = resume(
          resumed,
          straight.stateDict(),
          () => schedule(resumed),
          (all) => {
            for (const [i, s] of all.entries()) s.loadStateDict(JSON.parse(JSON.stringify(saved[i])));
          },
        );
        expect(ratesOf(resumed)).toEqual(ratesOf(straight));
        for (let i = 0; i < 12; i++) {
          for (const s of [...first, ...second]) s.step();
          expect(ratesOf(resumed)).toEqual(ratesOf(straight));
        }
      },
    );
  });

  test("has groups in another order keep their rates, also one that a program has set by itself", () => {
    const named = (order: readonly number[]) => {
      const all = [0, 1, 2].map((i) => [`p${i}`, new Parameter(zeros([2]))] as const);
      return new SGD(order.map((i) => ({ params: [all[i]!], lr: rates[i]! })));
    };
    const order = [2, 0, 1];
    const straight = named([0, 1, 2]);
    const first = schedule(straight);
    for (let i = 0; i < 3; i++) for (const s of first) s.step();
    straight.paramGroups[2]!.lr = 0.77;
    const resumed = named(order);
    resumed.loadStateDict(straight.stateDict());
    const second = schedule(resumed);
    for (const [i, s] of second.entries()) s.loadStateDict(first[i]!.stateDict());
    expect(ratesOf(resumed, order)).toEqual(ratesOf(straight));
    for (const s of [...first, ...second]) s.step();
    expect(ratesOf(resumed, order)).toEqual(ratesOf(straight));
  });
});

test("a group that joined on the way has its own place in the schedule after resuming", () => {
  const start = () => new SGD([new Parameter(tensor([0]))], { lr: 1 });
  const straight = start();
  const first = new SequentialLR(straight, {
    schedules: [warm(straight), cosine(straight)],
    milestones: [4],
  });
  for (let i = 0; i < 2; i++) first.step();
  const late = { params: new Parameter(zeros([2])), lr: 0.5 };
  straight.addParamGroup(late);
  for (let i = 0; i < 4; i++) first.step();
  const resumed = start();
  resumed.addParamGroup({ params: new Parameter(zeros([2])), lr: 0.5 });
  resumed.loadStateDict(straight.stateDict());
  const second = new SequentialLR(resumed, { schedules: [warm(resumed), cosine(resumed)], milestones: [4] });
  second.loadStateDict(first.stateDict());
  for (let i = 0; i < 5; i++) {
    expect(second.getLastLr()).toEqual(first.getLastLr());
    first.step();
    second.step();
  }
});

describe("a state that does not fit is refused, and nothing changes:", () => {
  const optimizer = make();
  const schedule = new SequentialLR(optimizer, {
    schedules: [warm(optimizer), cosine(optimizer)],
    milestones: [4],
  });
  schedule.step();
  const state = schedule.stateDict();
  const before = JSON.stringify(state);
  const bad: Record<string, [unknown, string]> = {
    "of another class": [
      new StepLR(make(), { stepSize: 1 }).stateDict(),
      "the state is of StepLR, this is SequentialLR",
    ],
    "whose second part is of another class": [
      { ...state, schedules: [state.schedules![0], { schedule: "StepLR", lastEpoch: 0 }] },
      "the state is of StepLR, this is CosineAnnealingLR",
    ],
    "whose second part is broken": [
      { ...state, schedules: [state.schedules![0], { lastEpoch: -1 }] },
      "lastEpoch is -1",
    ],
    "of fewer parts": [{ ...state, schedules: [] }, "of 0 schedules in sequence, this of 2"],
    "without a position": [{ ...state, lastEpoch: undefined }, "lastEpoch is undefined"],
    "without rates": [{ ...state, rates: undefined }, "the state has no rates"],
    "of another number of groups": [
      { ...state, rates: state.rates!.slice(1) },
      "the state is of 2 groups, the optimizer has 3",
    ],
    "with a rate that cannot be": [
      { ...state, rates: [{ lr: Number.NaN, initialLr: 1 }, ...state.rates!.slice(1)] },
      "the rate of group 0 is no number",
    ],
    null: [null, "the state of SequentialLR is null"],
    "a number": [3, "the state of SequentialLR is 3"],
  };
  test.each(Object.entries(bad))("%s", (_, [given, message]) => {
    expect(() => schedule.loadStateDict(given as never)).toThrow(StateDictError);
    expect(() => schedule.loadStateDict(given as never)).toThrow(message);
    expect(JSON.stringify(schedule.stateDict())).toBe(before);
  });
});
