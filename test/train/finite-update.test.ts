import * as nn from "thaw/nn";
import { Adam, AdamW, EMA, SGD } from "thaw/optim";
import {
  getRandomState,
  manualSeed,
  ones,
  Parameter,
  rand,
  setRandomState,
  type Tensor,
  tensor,
  where,
} from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { NonFiniteError } from "../../src/base/errors.ts";

class Net extends nn.Module {
  body = new nn.Linear(2, 3);
  bn = new nn.BatchNorm1d(3);
  head = new nn.Linear(3, 1);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.bn.forward(this.body.forward(x)));
  }
}
const x = tensor([
  [1, -2],
  [0.5, 3],
  [2, 1],
]);

/** Everything that a step could have changed, as text. */
const everything = (net: nn.Module, optimizer: { stateDict(): unknown }, ema?: EMA): string =>
  JSON.stringify([[...net.stateDict()], optimizer.stateDict(), ema?.stateDict()], (_, value) =>
    value?.toArraySync === undefined ? value : value.toArraySync(),
  );

describe.each([1, 3])("finite: true, after %i calls", (calls) => {
  test("refuses a rate that the dtype does not hold, and goes on with one that it does", async () => {
    const net = new Net();
    const optimizer = new AdamW(net, { lr: 1e-3 });
    const ema = new EMA(net, { decay: 0.5 });
    const step = trainStep(optimizer, {
      loss: (y: Tensor) => net.forward(y).square().mean(),
      trains: ["**"],
      finite: true,
      ema,
    });
    for (let i = 0; i < calls; i++) await step(x);
    optimizer.paramGroups[0]!.lr = 1e308;
    const before = everything(net, optimizer, ema);
    await expect(step(x)).rejects.toThrow(NonFiniteError);
    await expect(step(x)).rejects.toThrow(/would write a NaN or an infinity to body\.weight, /);
    expect(everything(net, optimizer, ema)).toBe(before);
    optimizer.paramGroups[0]!.lr = 1e-3;
    await step(x);
    expect(optimizer.state.get(net.head.weight)!.step).toBe(calls + 1);
    expect(everything(net, optimizer, ema)).not.toMatch(/null,null/);
  });

  test("refuses a moment that overflows, which leaves the parameter finite", async () => {
    const net = new nn.Linear(2, 1, { bias: false });
    const optimizer = new Adam(net, { lr: 1e-3 });
    const step = trainStep(optimizer, {
      loss: (y: Tensor) => net.forward(y).sum(),
      trains: ["weight"],
      finite: true,
    });
    for (let i = 0; i < calls; i++) await step(ones([1, 2]));
    const before = everything(net, optimizer);
    await expect(step(ones([1, 2]).mul(1e25))).rejects.toThrow("to weight (expAvgSq), though the loss");
    expect(everything(net, optimizer)).toBe(before);
  });

  test("refuses a running statistic that overflows", async () => {
    const net = new Net();
    const optimizer = new SGD(net, { lr: 1e-3 });
    const step = trainStep(optimizer, {
      loss: (y: Tensor) => net.head.forward(net.bn.forward(y)).mean(),
      trains: ["head.**"],
      finite: true,
    });
    const batch = tensor([
      [1, 2, 3],
      [3, 2, 1],
    ]);
    for (let i = 0; i < calls; i++) await step(batch);
    const before = everything(net, optimizer);
    await expect(step(batch.mul(1e30))).rejects.toThrow(NonFiniteError);
    expect(everything(net, optimizer)).toBe(before);
  });
});

test("of a NaN in the loss the first operation that made it is named, not the update", async () => {
  const net = new nn.Linear(2, 1);
  const step = trainStep(new SGD(net, { lr: 0.1 }), {
    loss: (y: Tensor) => net.forward(y).log().sum(),
    trains: ["**"],
    finite: true,
  });
  await expect(step(ones([1, 2]).mul(Number.NaN))).rejects.toThrow(/holds|produced/);
});

describe("what an update would have written", () => {
  class Two extends nn.Module {
    left = new Parameter(tensor([1]));
    right = new Parameter(tensor([1]));
  }
  /** Trains one of two by lot, and draws again afterwards; throws in the loss at a call, if one is given. */
  const byLot = (refused = Number.POSITIVE_INFINITY) => {
    const net = new Two();
    let computed = 0;
    return trainStep(new SGD(net, { lr: 1e10 }), {
      loss: (by: Tensor) => {
        if (++computed === refused) throw new Error("not once more");
        const lot = rand([]).lt(0.5);
        const other = net.left.sum().add(net.right.sum()).mul(0);
        return where(lot, net.left.sum(), net.right.sum()).mul(by).add(other).add(rand([]).mul(0));
      },
      trains: ["**"],
      finite: true,
    });
  };

  test.each([1, 2, 3, 4, 5, 6])("is named from the same random numbers, seed %i", async (seed) => {
    const step = byLot();
    await step(tensor(1e-20));
    manualSeed(seed);
    const state = getRandomState();
    const drawn = rand([]).lt(0.5).itemSync() ? "left" : "right";
    setRandomState(state);
    await expect(step(tensor(1e30))).rejects.toThrow(`a NaN or an infinity to ${drawn}, though`);
    expect(getRandomState()).toEqual(state);
  });

  test("is not named where the loss cannot be computed once more; the step has failed for the same reason", async () => {
    const step = byLot(2);
    await expect(step(tensor(1e30))).rejects.toThrow("to a parameter or its state, though the loss");
  });
});
