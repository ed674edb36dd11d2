import * as nn from "thaw/nn";
import { AdamW, EMA, SGD } from "thaw/optim";
import { manualSeed, ones, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { expect, test } from "vitest";
import { currentBackend } from "../../src/backends/index.ts";
import { IndexError } from "../../src/base/errors.ts";
import { loadFromBytes, saveToBytes } from "../../src/checkpoint/index.ts";
import { mseLoss } from "../../src/nn/index.ts";

class Net extends nn.Module {
  table = new nn.Embedding(5, 8);
  last = new nn.Linear(8, 3);

  forward(ids: Tensor): Tensor {
    return this.last.forward(this.table.forward(ids));
  }
}

const bits = (net: Net): string =>
  net
    .parameters()
    .map((p) => [...p.dataSync()].join())
    .join(";");

/** A network of a seed, all computed or all pending. */
function made(seed: number, computed: boolean): Net {
  manualSeed(seed);
  const net = new Net();
  if (computed) bits(net);
  return net;
}

test("loading takes what a model takes, and gives back the memory of what was there", () => {
  const net = made(1, true);
  const file = saveToBytes({ module: net });
  const held = currentBackend().memoryInUse();
  const saved = bits(net);
  const step = trainStep(new SGD(net, { lr: 0.1 }), {
    loss: (ids: Tensor) => mseLoss(net.forward(ids), ones([2, 3])),
    trains: ["**"],
  });
  const ids = tensor([1, 4], { dtype: "i32" });
  step(ids);
  step(ids);
  const after = currentBackend().memoryInUse();
  const trained = bits(net);
  for (let i = 0; i < 5; i++) {
    loadFromBytes(file, { module: net });
    expect(bits(net)).toBe(saved);
    expect(currentBackend().memoryInUse()).toBe(after);
    // A recorded step follows the weights to where they are now.
    step(ids);
    step(ids);
    expect(bits(net)).toBe(trained);
  }
  expect(after - held).toBeLessThan(2 ** 20);
});

test("the first values of a model just made are never computed where others are loaded", () => {
  const file = saveToBytes({ module: made(1, true) });
  const net = made(2, false);
  // What was asked for before means the values of before.
  const before = net.last.weight.mul(1).keep();
  loadFromBytes(file, { module: net });
  expect(bits(net)).toBe(bits(made(1, true)));
  expect([...before.dataSync()]).toEqual([...made(2, true).last.weight.dataSync()]);
});

test.each([true, false])("a load that fails leaves the model as it was (computed: %s)", (computed) => {
  const file = saveToBytes({ module: made(1, true) });
  const net = made(2, computed);
  const held = currentBackend().memoryInUse();
  const wrong = made(3, true).forward(tensor([70], { dtype: "i32" }).add(7));
  expect(() => loadFromBytes(file, { module: net })).toThrow(IndexError);
  expect(() => wrong.dataSync()).toThrow(IndexError);
  expect(bits(net)).toBe(bits(made(2, true)));
  expect(currentBackend().memoryInUse() - held).toBeLessThan(2 ** 16);
  loadFromBytes(file, { module: net });
  expect(bits(net)).toBe(bits(made(1, true)));
});

test("what is saved of optimizers and averages is not copied before it is written", () => {
  const net = made(1, true);
  const optimizer = new AdamW(net, { lr: 0.1 });
  const ema = new EMA(net, { decay: 0.9 });
  const step = trainStep(optimizer, {
    loss: (ids: Tensor) => mseLoss(net.forward(ids), ones([2, 3])),
    trains: ["**"],
    ema,
  });
  const ids = tensor([1, 4], { dtype: "i32" });
  step(ids);
  const live = optimizer.stateDict({ module: net, live: true });
  const copies = optimizer.stateDict({ module: net });
  const averages = [ema.stateDict({ live: true }), ema.stateDict()].map(
    (dict) => dict.averages["last.bias"]!,
  );
  const moments = [live, copies].map((dict) => dict.state["last.bias"]!.expAvg as Tensor);
  const before = moments[1]!.dataSync();
  const averagesBefore = averages[1]!.dataSync();
  expect(moments[0]!.dataSync()).toEqual(before);
  const file = saveToBytes({ module: net, optimizer, ema });
  step(ids);
  // What is live goes on with the training, copies do not.
  expect(moments[0]!.dataSync()).not.toEqual(before);
  expect(moments[1]!.dataSync()).toEqual(before);
  expect(averages[0]!.dataSync()).not.toEqual(averagesBefore);
  expect(averages[1]!.dataSync()).toEqual(averagesBefore);
  loadFromBytes(file, { module: net, optimizer, ema });
  expect((optimizer.stateDict({ module: net }).state["last.bias"]!.expAvg as Tensor).dataSync()).toEqual(
    before,
  );
  expect(ema.stateDict().averages["last.bias"]!.dataSync()).toEqual(averagesBefore);
});
