import { Adagrad, Adam, lrScheduler, SGD } from "thaw/optim";
import { capture, Parameter, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, CaptureError } from "../../src/base/errors.ts";

const {
  ChainedScheduler,
  CosineAnnealingWarmRestarts,
  CyclicLR,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  MultiplicativeLR,
  OneCycleLR,
  ReduceLROnPlateau,
  SequentialLR,
  StepLR,
} = lrScheduler;
const parameter = () => new Parameter(tensor([1, -2]));
const sgd = () => new SGD([parameter()], { lr: 0.1, momentum: 0.9 });

test.each([
  ["Adam's betas", (p: Parameter) => new Adam([p], { lr: 0.1 })],
  ["SGD's momentum", (p: Parameter) => new SGD([p], { lr: 0.1, momentum: 0.9 })],
])("a captured step follows cycled momenta, with one recording: %s", (_, makeOptimizer) => {
  const run = (captured: boolean) => {
    const p = parameter();
    const optimizer = makeOptimizer(p);
    const schedule = new OneCycleLR(optimizer, { maxLr: 0.5, totalSteps: 20, divFactor: 2 });
    const body = () => {
      optimizer.zeroGrad();
      p.mul(p).sum().backward();
      optimizer.step();
      schedule.step();
    };
    const step = captured ? capture(body) : body;
    const trail: number[][] = [];
    for (let i = 0; i < 12; i++) {
      step();
      const group = optimizer.paramGroups[0]!;
      trail.push([
        group.lr,
        "betas" in group ? group.betas[0] : group.momentum,
        ...(p.toArraySync() as number[]),
      ] as number[]);
    }
    if (captured) expect((step as unknown as { variants: number }).variants).toBe(1);
    return trail;
  };
  const trail = run(true);
  expect(trail).toEqual(run(false));
  expect(new Set(trail.map(([, momentum]) => momentum)).size).toBeGreaterThan(8);
});

test("rates that a negative factor makes are saved and loaded with the optimizer", () => {
  const [one, other] = [sgd(), sgd()];
  const schedule = new ExponentialLR(one, { gamma: -0.5 });
  schedule.step();
  expect(one.paramGroups[0]!.lr).toBe(-0.05);
  other.loadStateDict(one.stateDict());
  expect(other.paramGroups[0]!.lr).toBe(-0.05);
  const next = new ExponentialLR(other, { gamma: -0.5 });
  next.loadStateDict(schedule.stateDict());
  next.step();
  expect(other.paramGroups[0]!.lr).toBe(0.025);
  // By hand it is a mistake, as in a constructor.
  expect(() => void (one.paramGroups[0]!.lr = -1)).toThrow("SGD: lr is -1");
});

describe("a schedule made to go on with lastEpoch", () => {
  test("wants groups that a schedule has started", () => {
    const optimizer = sgd();
    const make = () => new StepLR(optimizer, { stepSize: 2, lastEpoch: 3 });
    expect(make).toThrow("StepLR: lastEpoch is 3, and group 0 has no initialLr to go on from");
    expect(optimizer.paramGroups[0]!.initialLr).toBeUndefined();
  });

  // What PyTorch gives for an lr of 0.4 that began at 1, with last_epoch=4, at the start and after each of three steps.
  test.each([
    ["StepLR", (o: SGD) => new StepLR(o, { stepSize: 5, gamma: 0.5, lastEpoch: 4 }), [0.2, 0.2, 0.2, 0.2]],
    ["ExponentialLR", (o: SGD) => new ExponentialLR(o, { gamma: 0.5, lastEpoch: 4 }), [0.4, 0.2, 0.1, 0.05]],
    ["LambdaLR", (o: SGD) => new LambdaLR(o, { lambda: (n) => n, lastEpoch: 4 }), [5, 6, 7, 8]],
    [
      "LinearLR",
      (o: SGD) => new LinearLR(o, { startFactor: 0.2, totalIters: 8, lastEpoch: 4 }),
      [0.4, 0.4571428571428572, 0.5142857142857143, 0.5714285714285714],
    ],
    [
      "CosineAnnealingWarmRestarts",
      (o: SGD) => new CosineAnnealingWarmRestarts(o, { T0: 6, TMult: 2, lastEpoch: 4 }),
      [0.0669872981077807, 1, 0.9829629131445341, 0.9330127018922194],
    ],
  ])("takes the rates that PyTorch's takes: %s", (_, make, rates) => {
    const optimizer = sgd();
    Object.assign(optimizer.paramGroups[0]!, { lr: 0.4, initialLr: 1 });
    const schedule = make(optimizer);
    for (const [i, rate] of rates.entries()) {
      expect(schedule.getLastLr()[0]!, `step ${i}`).toBeCloseTo(rate, 12);
      expect(schedule.lastEpoch).toBe(5 + i);
      schedule.step();
    }
  });
});

describe("what PyTorch refuses is refused, and says why:", () => {
  const two = () =>
    new SGD([
      { params: [parameter()], lr: 1 },
      { params: [parameter()], lr: 2 },
    ]);
  const plateau = () => {
    const optimizer = sgd();
    return [optimizer, new ReduceLROnPlateau(optimizer)] as const;
  };
  test.each<[string, () => unknown, string]>([
    [
      "functions for fewer groups",
      () => new LambdaLR(two(), { lambda: [(n) => n] }),
      "lambda has 1 values, the optimizer 2 groups",
    ],
    [
      "more",
      () => new MultiplicativeLR(sgd(), { lambda: [(n) => n, (n) => n] }),
      "lambda has 2 values, the optimizer 1",
    ],
    [
      "rates for fewer groups",
      () => new OneCycleLR(two(), { maxLr: [1], totalSteps: 3 }),
      "maxLr has 1 values",
    ],
    [
      "least rates for fewer groups",
      () => new ReduceLROnPlateau(two(), { minLr: [0] }),
      "minLr has 1 values",
    ],
    [
      "a factor of 1",
      () => new ReduceLROnPlateau(sgd(), { factor: 1 }),
      "factor is 1; it must be a number below 1",
    ],
    [
      "another mode",
      () => new ReduceLROnPlateau(sgd(), { mode: "low" as never }),
      'mode is "low"; it must be "min" or "max"',
    ],
    ["no steps", () => new OneCycleLR(sgd(), { maxLr: 1 }), "give totalSteps, or both of the others"],
    [
      "half of the steps",
      () => new OneCycleLR(sgd(), { maxLr: 1, epochs: 3 }),
      "epochs 3 and stepsPerEpoch null",
    ],
    [
      "a share above 1",
      () => new OneCycleLR(sgd(), { maxLr: 1, totalSteps: 3, pctStart: 1.5 }),
      "pctStart is 1.5",
    ],
    [
      "a cycle that begins with nothing",
      () => new OneCycleLR(sgd(), { maxLr: 1, totalSteps: 10, pctStart: 0.1 }),
      "divide by 0",
    ],
    [
      "no momentum to cycle",
      () => new CyclicLR(new Adagrad([parameter()]), { baseLr: 0, maxLr: 1 }),
      "neither momentum nor betas",
    ],
    ["a chain of none", () => new ChainedScheduler([]), "an array of 0 things"],
    [
      "a chain with a plateau",
      () => new ChainedScheduler([plateau()[1]]),
      "schedule 0 is a ReduceLROnPlateau",
    ],
    [
      "a chain over two optimizers",
      () => new ChainedScheduler([new StepLR(sgd(), { stepSize: 1 }), new StepLR(sgd(), { stepSize: 1 })]),
      "of another optimizer",
    ],
    [
      "a plateau in a sequence",
      () => {
        const [optimizer, schedule] = plateau();
        return new SequentialLR(optimizer, { schedules: [schedule], milestones: [] });
      },
      "whose step takes a metric",
    ],
    ["no metric", () => plateau()[1].step(), "the metric is undefined"],
    ["a metric of several", () => plateau()[1].step(zeros([2])), "a tensor of 2 elements"],
    [
      "an epoch before the first",
      () => new CosineAnnealingWarmRestarts(sgd(), { T0: 2 }).step(-1),
      "step(-1)",
    ],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });

  test("a step beyond the last of one cycle, and nothing has changed", () => {
    const optimizer = sgd();
    const schedule = new OneCycleLR(optimizer, { maxLr: 1, totalSteps: 2 });
    schedule.step();
    schedule.step();
    const before = [optimizer.paramGroups[0]!.lr, optimizer.paramGroups[0]!.momentum];
    expect(() => schedule.step()).toThrow("OneCycleLR: step 3 of a cycle of 2");
    expect([optimizer.paramGroups[0]!.lr, optimizer.paramGroups[0]!.momentum]).toEqual(before);
    expect(schedule.lastEpoch).toBe(2);
  });

  test("a metric inside a captured function, which would stay that of the recording", () => {
    const [optimizer, schedule] = plateau();
    const step = capture(() => schedule.step(1));
    expect(() => step()).toThrow(CaptureError);
    expect(optimizer.paramGroups[0]!.lr).toBe(0.1);
  });
});

test("a plateau takes a tensor of one element, and NaN as nothing better", () => {
  const optimizer = sgd();
  const schedule = new ReduceLROnPlateau(optimizer, { patience: 1, factor: 0.5 });
  for (const metric of [tensor(3), tensor([2]), Number.NaN, Number.POSITIVE_INFINITY]) schedule.step(metric);
  expect(optimizer.paramGroups[0]!.lr).toBe(0.05);
});

test("a chain is made in PyTorch's order of arguments, or in that of other schedules", () => {
  const optimizer = sgd();
  const parts = [
    new StepLR(optimizer, { stepSize: 1, gamma: 0.5 }),
    new ExponentialLR(optimizer, { gamma: 0.5 }),
  ];
  for (const chain of [
    new ChainedScheduler(parts, { optimizer }),
    new ChainedScheduler(optimizer, { schedules: parts }),
  ]) {
    const { lr } = optimizer.paramGroups[0]!;
    chain.step();
    expect(chain.getLastLr()).toEqual([lr * 0.25]);
  }
});

test("getLastLr is what a schedule set itself", () => {
  const optimizer = sgd();
  const [first, second] = [
    new StepLR(optimizer, { stepSize: 1 }),
    new ExponentialLR(optimizer, { gamma: 0.5 }),
  ];
  first.step();
  second.step();
  expect(first.getLastLr()[0]).toBeCloseTo(0.01, 12);
  expect(second.getLastLr()[0]).toBeCloseTo(0.005, 12);
});
