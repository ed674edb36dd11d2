import * as nn from "thaw/nn";
import { Adam, EMA, lrScheduler, SGD } from "thaw/optim";
import { Parameter, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, ThawError } from "../../src/base/errors.ts";

const sgd = (lr = 1) => new SGD([new Parameter(tensor([0]))], { lr });
type Make = (optimizer: SGD, options: never) => unknown;
const classes = Object.fromEntries(
  Object.entries(lrScheduler)
    .filter(([name]) => name !== "LRScheduler")
    .map(([name, Schedule]) => [
      name,
      ((optimizer, options) =>
        new (Schedule as new (o: SGD, x: never) => unknown)(optimizer, options)) as Make,
    ]),
);

/** Options that are right, by schedule. */
const right: Record<string, Record<string, unknown>> = {
  StepLR: { stepSize: 2, gamma: 0.5 },
  MultiStepLR: { milestones: [2, 4], gamma: 0.5 },
  ExponentialLR: { gamma: 0.5 },
  PolynomialLR: { totalIters: 5, power: 2 },
  LambdaLR: { lambda: (n: number) => 1 / (1 + n) },
  MultiplicativeLR: { lambda: (n: number) => 1 / (1 + n) },
  ConstantLR: { factor: 0.5, totalIters: 5 },
  LinearLR: { startFactor: 0.5, endFactor: 1, totalIters: 5 },
  CosineAnnealingLR: { TMax: 5, etaMin: 0 },
  CosineAnnealingWarmRestarts: { T0: 5, TMult: 1, etaMin: 0 },
  CyclicLR: { baseLr: 0.1, maxLr: 1, stepSizeUp: 4, cycleMomentum: false },
  OneCycleLR: { maxLr: 1, pctStart: 0.3, cycleMomentum: false, totalSteps: 20 },
  ReduceLROnPlateau: { mode: "min", factor: 0.5, patience: 2, thresholdMode: "rel", cooldown: 1 },
};
/** Options that may be negative, as in PyTorch. */
const ofEitherSign = new Set(["gamma", "power", "etaMin", "baseLr", "maxLr"]);
const mayBe = (name: string, option: string, value: unknown): boolean =>
  (value === -1 && (ofEitherSign.has(option) || (name === "ReduceLROnPlateau" && option === "factor"))) ||
  (value === null && option === "totalSteps");
const required: Record<string, string[]> = {
  StepLR: ["stepSize"],
  MultiStepLR: ["milestones"],
  ExponentialLR: ["gamma"],
  LambdaLR: ["lambda"],
  CosineAnnealingLR: ["TMax"],
  CosineAnnealingWarmRestarts: ["T0"],
  MultiplicativeLR: ["lambda"],
  CyclicLR: ["baseLr", "maxLr"],
  OneCycleLR: ["maxLr"],
};

/** Fails in an error of thaw's that has these words, and leaves the rate. */
function refused(
  make: () => unknown,
  optimizer: { paramGroups: readonly { lr: number }[] },
  ...words: string[]
) {
  const before = JSON.stringify(optimizer.paramGroups.map((group) => ({ ...group, params: null })));
  let error: unknown = null;
  try {
    make();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ThawError);
  for (const word of words) expect((error as Error).message).toContain(word);
  expect(JSON.stringify(optimizer.paramGroups.map((group) => ({ ...group, params: null })))).toBe(before);
}

test("every schedule is among those whose options are tried", () => {
  expect([...Object.keys(right), "ChainedScheduler", "SequentialLR"].sort()).toEqual(
    Object.keys(classes).sort(),
  );
});

describe.each(Object.entries(right))("%s", (name, options) => {
  const make = (given: unknown, optimizer = sgd()) => classes[name]!(optimizer, given as never);
  const names = Object.keys(options);

  test("takes its options", () => {
    make(options);
  });

  test.each([
    ["of another name", { ...options, warmup: 3 }, ["warmup", "3"]],
    ["as a library in Python spells them", { ...options, step_size: 3 }, ["step_size"]],
  ])("names options %s, and those that there are", (_, given, words) => {
    const optimizer = sgd();
    refused(() => make(given, optimizer), optimizer, name, ...words, ...names);
  });

  test.each([[3], [null], ["gamma"], [[0.5]], [() => 1]])("wants an object, not %s", (given) => {
    const optimizer = sgd();
    refused(() => make(given, optimizer), optimizer, name, ...names);
  });

  test.each(
    names.flatMap((option) =>
      [Number.NaN, Number.POSITIVE_INFINITY, null, "2", {}, -1]
        .filter((value) => !mayBe(name, option, value))
        .map((v) => [option, v] as const),
    ),
  )("refuses %s: %s", (option, value) => {
    const optimizer = sgd();
    refused(() => make({ ...options, [option]: value }, optimizer), optimizer, name, option, "must be");
  });

  test.each(required[name] ?? [])("wants %s", (option) => {
    const { [option]: _, ...rest } = options;
    const optimizer = sgd();
    refused(() => make(rest, optimizer), optimizer, name, `${option} is missing`);
    refused(() => make({ ...rest, [option]: undefined }, optimizer), optimizer, name, option);
    refused(() => make(undefined, optimizer), optimizer, name, required[name]![0]!);
  });

  test.each([[null], [undefined], [{}], [[]], [new nn.Linear(1, 1)]])(
    "is of an optimizer, not of %s",
    (given) => {
      expect(() => classes[name]!(given as never, options as never)).toThrow(ArgumentError);
    },
  );
});

test("SequentialLR says what is wrong with its parts", () => {
  const optimizer = sgd();
  const one = new lrScheduler.StepLR(optimizer, { stepSize: 1 });
  const two = new lrScheduler.StepLR(optimizer, { stepSize: 1 });
  const three = new lrScheduler.StepLR(optimizer, { stepSize: 1 });
  const make = (options: unknown) => () => new lrScheduler.SequentialLR(optimizer, options as never);
  refused(
    make({ schedulers: [one, two], milestones: [1] }),
    optimizer,
    "SequentialLR",
    "schedulers",
    "schedules",
  );
  refused(make({ schedules: [one, two] }), optimizer, "milestones is missing");
  refused(make({ schedules: [one, optimizer], milestones: [1] }), optimizer, "an array of schedules");
  refused(make({ schedules: one, milestones: [] }), optimizer, "an array of schedules");
  refused(make({ schedules: [one, two], milestones: [1.5] }), optimizer, "milestones is [1.5]");
  refused(make({ schedules: [one, two, three], milestones: [5, 2] }), optimizer, "they must rise");
});

test("a rate that a function makes wrong is refused, and the schedule stays where it was", () => {
  const optimizer = sgd();
  const schedule = new lrScheduler.LambdaLR(optimizer, {
    lambda: (n) => (n === 2 ? Number.NaN : 1 / (1 + n)),
  });
  schedule.step();
  refused(() => schedule.step(), optimizer, "LambdaLR: lambda(2) is NaN");
  expect(schedule.lastEpoch).toBe(1);
});

describe("an optimizer's options", () => {
  const wrong = [Number.NaN, -1, Number.POSITIVE_INFINITY, "0.1", null, {}];
  const make = () => sgd();

  test.each(wrong)("a rate of %s is refused wherever it is set", (value) => {
    const lr = value as never;
    const p = new Parameter(tensor([0]));
    const optimizer = make();
    refused(() => new SGD([p], { lr }), optimizer, "SGD: lr is");
    refused(() => optimizer.addParamGroup({ params: p, lr }), optimizer, "SGD: lr is");
    expect(optimizer.paramGroups).toHaveLength(1);
    refused(() => void (optimizer.paramGroups[0]!.lr = lr), optimizer, "SGD: lr is");
    for (const option of ["weightDecay", "eps"] as const)
      refused(() => new Adam([p], { [option]: value }), optimizer, `Adam: ${option} is`);
    refused(() => new Adam([p], { betas: [lr, 0.9] }), optimizer, "Adam: betas is");
    refused(() => new SGD([p], { momentum: lr }), optimizer, "SGD: momentum is");
  });

  test("of names that there are not are refused, and what is no object", () => {
    const p = new Parameter(tensor([0]));
    const optimizer = make();
    refused(
      () => new SGD([p], { learningRate: 0.1 } as never),
      optimizer,
      "learningRate",
      "0.1",
      "lr, momentum",
    );
    refused(() => new SGD([{ params: p, learning_rate: 0.1 } as never]), optimizer, "learning_rate");
    refused(() => new SGD([p], 0.1 as never), optimizer, "SGD: its options are 0.1; give an object: { lr, ");
    refused(() => new SGD([p], null as never), optimizer, "SGD: its options are null");
    expect(() => new EMA(new nn.Linear(1, 1), 0.9 as never)).toThrow("EMA: its options are 0.9");
    expect(() => Object.assign(optimizer.paramGroups[0]!, { learningRate: 0.1 })).toThrow(TypeError);
  });
});

test("an option that is an object, or refers to itself, is shown by its class or its fields", () => {
  const circular: Record<string, unknown> = { lr: 1 };
  circular.self = circular;
  const net = new nn.Linear(1, 1);
  expect(() => new SGD(net, { lr: circular as never })).toThrow("lr is { lr, self }; it must be");
  expect(() => new SGD(net, { lr: net as never })).toThrow("lr is a Linear; it must be");
  expect(() => new lrScheduler.SequentialLR(sgd(), [sgd(), { milestones: [1] }] as never)).toThrow(
    "its options are [a SGD,{ milestones }]; give an object",
  );
});
