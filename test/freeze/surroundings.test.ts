import { elements, freeze, module, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW, clipGradNorm_, clipGradValue_, EMA, SGD } from "thaw/optim";
import { manualSeed, Parameter, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";

/** Two parameters, whose gradients a loss gives them directly. */
class Pair extends nn.Module {
  held = new Parameter(
    tensor([
      [1, 2],
      [3, 4],
    ]),
  );
  free = new Parameter(tensor([1, 1]));

  /** A loss whose gradients are `a` and `b`. */
  loss(a: number[][], b: number[]): Tensor {
    return this.held
      .mul(tensor(a))
      .sum()
      .add(this.free.mul(tensor(b)).sum());
  }
}

const values = (t: Tensor): number[] => [...t.dataSync()];
const huge = [
  [3e4, 4e4],
  [0, 0],
];
const nan = [
  [Number.NaN, 0],
  [0, 0],
];

describe("clipping's norm contains what the step trains, and nothing else", () => {
  test.each([
    ["huge", huge],
    ["NaN", nan],
  ])("in a trainStep, whatever the gradient of what is frozen would be: %s", async (_, gradient) => {
    const net = new Pair();
    const optimizer = new SGD(net, { lr: 1 });
    const step = trainStep(optimizer, {
      loss: () => net.loss(gradient, [3, 4]),
      trains: "free",
      clipNorm: 1,
    });
    await step();
    // (3, 4) has norm 5: it is a fifth of it that is taken away.
    expect(values(net.free)).toEqual([expect.closeTo(1 - 0.6, 5), expect.closeTo(1 - 0.8, 5)]);
    expect(values(net.held)).toEqual([1, 2, 3, 4]);
  });

  test("in a trainStep, of a region only that region", async () => {
    const net = new Pair();
    const step = trainStep(new SGD(net, { lr: 1 }), {
      loss: () =>
        net.loss(
          [
            [Number.NaN, 1e9],
            [3, 4],
          ],
          [0, 0],
        ),
      trains: ["held[1]", "free"],
      clipNorm: 1,
    });
    await step();
    expect(values(net.held)).toEqual([1, 2, expect.closeTo(3 - 0.6, 5), expect.closeTo(4 - 0.8, 5)]);
  });

  test("by hand, what is frozen when clipGradNorm_ is called neither counts nor changes", () => {
    const net = new Pair();
    net.loss(nan, [3, 4]).backward();
    net.held.frozen = true;
    expect(clipGradNorm_(net.parameters(), 1).itemSync()).toBe(5);
    expect(values(net.held.grad!)[0]).toBeNaN();
    clipGradValue_(net.parameters(), 0.5);
    expect(values(net.held.grad!)[0]).toBeNaN();
    expect(values(net.free.grad!)).toEqual([0.5, 0.5]);
  });

  test("by hand, of a parameter of which a region is frozen the rest counts", () => {
    const net = new Pair();
    net
      .loss(
        [
          [Number.NaN, 1e9],
          [3, 4],
        ],
        [0, 12],
      )
      .backward();
    freeze(net, "held[0]");
    expect(clipGradNorm_(net.parameters(), 1).itemSync()).toBe(13);
  });

  test("by hand, what is frozen only after clipping has counted: freeze before", () => {
    const net = new Pair();
    net
      .loss(
        [
          [0, 0],
          [3, 4],
        ],
        [0, 12],
      )
      .backward();
    expect(clipGradNorm_(net.parameters(), 1).itemSync()).toBe(13);
    freeze(net, "held", () => new SGD(net, { lr: 1 }).step());
    expect(values(net.held)).toEqual([1, 2, 3, 4]);
    expect(values(net.free)).toEqual([1, expect.closeTo(1 - 12 / 13, 5)]);
  });
});

describe("accumulation over the calls of a round", () => {
  /** A step of two calls a round that trains what it is told, by plain descent. */
  function rounds(calls: number) {
    const net = new Pair();
    const optimizer = new SGD(net, { lr: 1 });
    const step = trainStep(optimizer, {
      loss: (_: readonly string[], a: Tensor, b: Tensor) => net.held.mul(a).sum().add(net.free.mul(b).sum()),
      trains: (names) => [...names],
      accumulate: calls,
    });
    const call = (names: readonly string[], a: number[][], b = [0, 0]): Promise<number> =>
      step(names, tensor(a), tensor(b));
    return { net, optimizer, call };
  }
  const both = ["held", "free"];
  const ones = [
    [1, 1],
    [1, 1],
  ];

  test("what one of its calls trains is trained by the round, with that call's share of the mean", async () => {
    const { net, call } = rounds(2);
    await call(both, ones, [1, 1]);
    await call(["free"], ones, [1, 1]);
    expect(values(net.held)).toEqual([0.5, 1.5, 2.5, 3.5]);
    expect(values(net.free)).toEqual([0, 0]);
  });

  test("what is frozen at its last call is not updated, loses its sum, and does not get it back", async () => {
    const { net, optimizer, call } = rounds(2);
    await call(both, nan, [1, 1]);
    await freeze(net, "held", () => call(both, nan, [1, 1]));
    expect(values(net.held)).toEqual([1, 2, 3, 4]);
    expect(optimizer.state.has(net.held)).toBe(false);
    expect(values(net.free)).toEqual([0, 0]);
    await call(both, ones);
    await call(both, ones);
    expect(values(net.held)).toEqual([0, 1, 2, 3]);
    expect(optimizer.state.get(net.held)).toEqual({ step: 1 });
  });

  test("what is frozen at a call between keeps the sum it had, and goes on with it when it is thawed", async () => {
    const { net, call } = rounds(4);
    await call(both, ones, [1, 1]);
    await freeze(net, "held", async () => {
      await call(both, nan, [1, 1]);
      await call(both, nan, [1, 1]);
    });
    await call(both, ones, [1, 1]);
    // Two of four calls.
    expect(values(net.held)).toEqual([0.5, 1.5, 2.5, 3.5]);
  });

  test("of a region that is frozen at the last call the sum is dropped, and that of the rest is not", async () => {
    const { net, call } = rounds(2);
    await call(both, [
      [Number.NaN, Number.NaN],
      [1, 1],
    ]);
    await freeze(net, "held[0]", () => call(both, ones));
    expect(values(net.held)).toEqual([1, 2, 2, 3]);
    await call(both, ones);
    await call(both, ones);
    expect(values(net.held)).toEqual([0, 1, 1, 2]);
  });

  test("and it is not in the norm that clips the rest", async () => {
    const net = new Pair();
    const step = trainStep(new SGD(net, { lr: 1 }), {
      loss: (a: Tensor) => net.held.mul(a).sum(),
      trains: "held",
      accumulate: 2,
      clipNorm: 1,
    });
    await step(
      tensor([
        [Number.NaN, 1e9],
        [3, 4],
      ]),
    );
    await freeze(net, "held[0]", () =>
      step(
        tensor([
          [Number.NaN, 1e9],
          [3, 4],
        ]),
      ),
    );
    expect(values(net.held)).toEqual([1, 2, expect.closeTo(3 - 0.6, 5), expect.closeTo(4 - 0.8, 5)]);
  });

  test("by hand, a gradient that was there when its parameter froze stays, and counts after unfreezing unless zeroed", () => {
    const net = new Pair();
    const optimizer = new SGD(net, { lr: 1 });
    net.loss(ones, [1, 1]).backward();
    freeze(net, "held", () => {
      net.loss(ones, [1, 1]).backward();
      expect(values(net.held.grad!)).toEqual([1, 1, 1, 1]);
      optimizer.step();
    });
    expect(values(net.held)).toEqual([1, 2, 3, 4]);
    expect(values(net.free)).toEqual([-1, -1]);
    optimizer.step();
    expect(values(net.held)).toEqual([0, 1, 2, 3]);
  });
});

describe("tied weights are one parameter", () => {
  class Tied extends nn.Module {
    first = new nn.Linear(2, 2, { bias: false });
    second = new nn.Linear(2, 2, { bias: false });
    constructor() {
      super();
      this.second.weight = this.first.weight;
    }
    forward(x: Tensor): Tensor {
      return this.second.forward(this.first.forward(x).tanh());
    }
  }

  test("frozen under one path it is frozen under all, with what flows through the other", async () => {
    manualSeed(1);
    const net = new Tied();
    const other = new Parameter(tensor([1, 1]));
    const optimizer = new AdamW([...net.parameters(), other]);
    const before = values(net.first.weight);
    freeze(net, "second.weight", () => {
      net
        .forward(tensor([[1, 2]]))
        .mul(other)
        .sum()
        .backward();
      optimizer.step();
    });
    expect(values(net.first.weight)).toEqual(before);
    expect(optimizer.state.has(net.first.weight)).toBe(false);
    expect(optimizer.state.get(other)!.step).toBe(1);
  });

  test("trained under one path it is trained with the gradients of all", async () => {
    manualSeed(1);
    const [net, whole] = [new Tied(), new Tied()];
    whole.loadStateDict(net.stateDict());
    for (const [one, trains] of [
      [net, "second.weight"],
      [whole, "**"],
    ] as const)
      await trainStep(new SGD(one, { lr: 1 }), {
        loss: (x: Tensor) => one.forward(x).sum(),
        trains: trains as "**",
      })(tensor([[1, 2]]));
    expect(values(net.first.weight)).toEqual(values(whole.first.weight));
  });
});

describe("a parameter frozen in a module is not a frozen module", () => {
  class Normed extends nn.Module {
    bn = new nn.BatchNorm1d(2);
    dropout = new nn.Dropout(0.5);
    output = new nn.Linear(2, 1);
    forward(x: Tensor): Tensor {
      return this.output.forward(this.dropout.forward(this.bn.forward(x)));
    }
  }
  const x = tensor([
    [1, 2],
    [3, 5],
    [-1, 0],
  ]);

  test.each([
    ["its parameters by path: statistics and dropout go on", "bn.**", false],
    ["the module: statistics hold still", module("bn"), true],
  ])("freezing %s", async (_, selector, holds) => {
    manualSeed(1);
    const net = new Normed();
    const optimizer = new AdamW(net, { lr: 0.1 });
    const step = trainStep(optimizer, { loss: (x: Tensor) => net.forward(x).sum(), trains: "**" });
    await step(x);
    const all = (): number[] => [...values(net.bn.weight!), ...values(net.bn.bias!)];
    const [weights, mean] = [all(), values(net.bn.runningMean!)];
    await freeze(net, selector as "**", () => step(x));
    expect(all()).toEqual(weights);
    if (holds) expect(values(net.bn.runningMean!)).toEqual(mean);
    else expect(values(net.bn.runningMean!)).not.toEqual(mean);
    expect(optimizer.state.get(net.bn.weight!)!.step).toBe(1);
    expect(optimizer.state.get(net.output.weight)!.step).toBe(2);
  });

  test("dropout draws as many numbers, frozen weights or not, so that what comes after is the same", async () => {
    const drawn = async (trains: string): Promise<number[]> => {
      manualSeed(1);
      const net = new Normed();
      const make = (names: string) =>
        trainStep(new SGD(net, { lr: 0 }), {
          loss: (x: Tensor) => net.forward(x).sum(),
          trains: names as "**",
        });
      await make(trains)(x);
      return values(net.dropout.forward(tensor([1, 1, 1, 1, 1, 1, 1, 1])));
    };
    expect(await drawn("output.**")).toEqual(await drawn("**"));
  });
});

describe("what is saved while something is frozen", () => {
  test("has its state as it was, and none of what never trained; loaded it goes on from there", async () => {
    const net = new Pair();
    const optimizer = new AdamW(net, { lr: 0.1 });
    const step = trainStep(optimizer, {
      loss: (_: string) =>
        net.loss(
          [
            [1, 2],
            [3, 4],
          ],
          [1, 2],
        ),
      trains: (name) => [name],
    });
    await step("free");
    expect(Object.keys(optimizer.stateDict().state)).toEqual(["free"]);
    await step("held");
    for (let i = 0; i < 3; i++) await step("free");
    const { state } = optimizer.stateDict();
    expect([state.held!.step, state.free!.step]).toEqual([1, 4]);

    const copy = new Pair();
    copy.loadStateDict(net.stateDict());
    const resumed = new AdamW(copy, { lr: 0.1 });
    resumed.loadStateDict(optimizer.stateDict());
    for (const [one, using] of [
      [net, optimizer],
      [copy, resumed],
    ] as const)
      await trainStep(using, {
        loss: () =>
          one.loss(
            [
              [1, 2],
              [3, 4],
            ],
            [1, 2],
          ),
        trains: "held",
      })();
    expect(values(copy.held)).toEqual(values(net.held));
    expect(resumed.state.get(copy.held)!.step).toBe(2);
  });
});

describe("an average of the weights", () => {
  const gradients = [
    [1, 1],
    [1, 1],
  ];

  test.each([
    ["holds what a trainStep leaves out, and follows the rest", "hold", [1, 2, 3, 4]],
    ["goes on towards the value where it is to track what is frozen", "track", [1.5, 2.5, 3.5, 4.5]],
  ] as const)("%s", async (_, frozen, expected) => {
    const net = new Pair();
    const ema = new EMA(net, { decay: 0.5, frozen });
    net.held.assign(
      tensor([
        [2, 3],
        [4, 5],
      ]),
    );
    await trainStep(new SGD(net, { lr: 1 }), {
      loss: () => net.loss(gradients, [1, 1]),
      trains: "free",
      ema,
    })();
    expect(values(ema.average.get(net.held)!)).toEqual(expected);
    expect(values(ema.average.get(net.free)!)).toEqual([0.5, 0.5]);
  });

  test("holds the rows that a trainStep leaves out", async () => {
    const net = new Pair();
    const ema = new EMA(net, { decay: 0.5 });
    net.held.assign(
      tensor([
        [2, 3],
        [4, 5],
      ]),
    );
    const step = trainStep(new SGD(net, { lr: 1 }), {
      loss: () => net.loss(gradients, [1, 1]),
      trains: "held[1]",
      ema,
    });
    await step();
    expect(values(ema.average.get(net.held)!)).toEqual([1, 2, 3, 4]);
    await step();
    expect(values(ema.average.get(net.held)!)).toEqual([1, 2, 2.5, 3.5]);
  });

  test("by hand holds what is frozen while it is updated, and follows all that is not", () => {
    const net = new Pair();
    const ema = new EMA(net, { decay: 0.5 });
    net.held.assign(
      tensor([
        [2, 3],
        [4, 5],
      ]),
    );
    freeze(net, "held[0]", () => ema.update());
    expect(values(ema.average.get(net.held)!)).toEqual([1, 2, 3.5, 4.5]);
    // Without a scope it knows of no freezing: a parameter that had no gradient follows too.
    ema.update();
    expect(values(ema.average.get(net.held)!)).toEqual([1.5, 2.5, 3.75, 4.75]);
  });
});

describe("groups", () => {
  test("a rate of 0 is not a frozen group: its state goes on, and steps are counted", () => {
    const net = new Pair();
    const optimizer = new AdamW([{ params: [net.held], lr: 0 }, { params: [net.free] }]);
    for (let i = 0; i < 2; i++) {
      optimizer.zeroGrad();
      net
        .loss(
          [
            [1, 1],
            [1, 1],
          ],
          [1, 1],
        )
        .backward();
      optimizer.step();
    }
    expect(values(net.held)).toEqual([1, 2, 3, 4]);
    expect(optimizer.state.get(net.held)!.step).toBe(2);
  });
});

test("elements frozen one by one stay, under decay and momentum, while their neighbours move", async () => {
  const net = new Pair();
  const optimizer = new AdamW(net, { lr: 0.1, weightDecay: 0.5 });
  const step = trainStep(optimizer, {
    loss: () =>
      net.loss(
        [
          [1, 1],
          [1, 1],
        ],
        [1, 1],
      ),
    trains: "**",
  });
  await step();
  const before = values(net.held);
  freeze(net, elements("held", [true, false, false, true]));
  await step();
  const after = values(net.held);
  expect([after[0], after[3]]).toEqual([before[0], before[3]]);
  expect([after[1] === before[1], after[2] === before[2]]).toEqual([false, false]);
  expect(optimizer.parts(net.held).map(({ region, state }) => [region!.numel, state.step])).toEqual([
    [2, 2],
    [2, 1],
  ]);
  unfreeze(net, "held");
  await step();
  expect(optimizer.parts(net.held).map(({ state }) => state.step)).toEqual([3, 2]);
});
