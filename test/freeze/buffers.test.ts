import { loadFromBytes, saveToBytes } from "thaw/checkpoint";
import { elements, freeze, frozenBy, module, rows, type Selector, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { EMA, SGD } from "thaw/optim";
import { Buffer, capture, manualSeed, ones, randn, type Tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, FreezeError, IndexError, SelectorError, ShapeError } from "../../src/base/errors.ts";

class Net extends nn.Module {
  linear = new nn.Linear(3, 4);
  bn = new nn.BatchNorm1d(4);
  memory = new Buffer(zeros([4, 2]));
  forward(x: Tensor): Tensor {
    this.memory.update(this.memory.add(1));
    return this.bn.forward(this.linear.forward(x));
  }
}

const hex = (t: Tensor): string[] => Array.from(new Uint32Array(t.dataSync().slice().buffer), String);
let net: Net;
let x: Tensor;
beforeEach(() => {
  manualSeed(7);
  net = new Net();
  x = randn([6, 3]);
});
const mean = (): string[] => hex(net.bn.runningMean!);
const memory = (): unknown => net.memory.toArraySync();
const run = (): unknown => net.forward(x).toArraySync();

describe("rows of a buffer", () => {
  test.each([
    ["a path", "bn.runningMean[:2]"],
    ["a glob that no parameter matches", "**.runningMean[[0, 1]]"],
    ["rows()", rows("bn.runningMean", [0, 1])],
    ["elements()", elements("bn.runningMean", [true, true, false, false])],
  ] as [string, Selector][])("that %s names rest, bit for bit, while the others follow", (_, selector) => {
    run();
    const before = mean();
    const free = new Net();
    free.loadStateDict(net.stateDict());
    freeze(net, selector as "**");
    for (let i = 0; i < 3; i++) {
      run();
      free.forward(x).toArraySync();
    }
    expect(mean().slice(0, 2)).toEqual(before.slice(0, 2));
    expect(mean().slice(2)).toEqual(hex(free.bn.runningMean!).slice(2));
    expect(mean()[2]).not.toBe(before[2]);
    expect(hex(net.bn.runningVar!)).toEqual(hex(free.bn.runningVar!));
    expect(net.parameters().some((p) => p.frozen || p.frozenRegion)).toBe(false);
  });

  test("are frozen in a scope, and follow again after it; scopes add up", () => {
    const scope = freeze(net, ["memory[:1]", "linear.**"]);
    expect([...scope.parameters.keys()]).toEqual(["linear.weight", "linear.bias"]);
    expect(scope.buffers).toEqual(new Map([["memory", net.memory]]));
    freeze(net, "memory[3]", () => {
      run();
      expect(memory()).toEqual([
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ]);
      expect(frozenBy(net.memory)).toBe(
        'freeze(Net, ["memory[:1]", "linear.**"]) and freeze(Net, "memory[3]")',
      );
      expect(() => scope[Symbol.dispose]()).toThrow(ArgumentError);
    });
    unfreeze(net, "memory[0]", () => run());
    run();
    expect(memory()).toEqual([
      [1, 1],
      [3, 3],
      [3, 3],
      [2, 2],
    ]);
    scope[Symbol.dispose]();
    run();
    expect(memory()).toEqual([
      [2, 2],
      [4, 4],
      [4, 4],
      [3, 3],
    ]);
    expect([net.memory.frozen, net.memory.frozenRegion, net.linear.weight.frozen]).toEqual([
      false,
      null,
      false,
    ]);
  });

  test("stay frozen in a module whose policy lets statistics follow, and all of it rests in one that is held", () => {
    freeze(net, net.memory);
    freeze(net, "bn.runningMean[0]");
    const before = mean();
    freeze(net, module("bn", { mode: "train", statistics: "update" }), () => run());
    expect(mean()[0]).toBe(before[0]);
    const middle = mean();
    expect(middle[1]).not.toBe(before[1]);
    freeze(net, module("bn"), () => run());
    expect(mean()).toEqual(middle);
    unfreeze(net, module("bn"), () => run());
    expect(mean()[0]).toBe(before[0]);
    expect(memory()).toEqual(zeros([4, 2]).toArraySync());
  });

  test("a captured function notices, and by hand they can be written all the same", () => {
    const step = capture(() => {
      net.memory.update(net.memory.add(1));
      return net.memory.sum();
    });
    expect(step().itemSync()).toBe(8);
    freeze(net, "memory[1:]");
    expect([step().itemSync(), step().itemSync()]).toEqual([10, 12]);
    unfreeze(net, "memory");
    expect(step().itemSync()).toBe(20);
    freeze(net, "memory");
    expect(step().itemSync()).toBe(20);
    net.memory.copy_(zeros([4, 2]));
    net.memory = ones([4, 2]) as Buffer;
    expect(memory()).toEqual(zeros([4, 2]).toArraySync());
  });

  test("in a step, with what it trains, and `verify` says who writes to them", async () => {
    const step = trainStep(new SGD(net, { lr: 0.1, momentum: 0.9 }), {
      loss: (input: Tensor) => net.forward(input).square().mean(),
      trains: "linear.**",
      freezes: ["memory[2:]", "bn.runningVar"],
      verify: true,
    });
    for (let i = 0; i < 4; i++) await step(x);
    expect(memory()).toEqual([
      [4, 4],
      [4, 4],
      [0, 0],
      [0, 0],
    ]);
    expect(net.bn.runningVar!.toArraySync()).toEqual([1, 1, 1, 1]);
    expect(mean()).not.toEqual(hex(zeros([4])));
    expect(net.memory.frozenRegion).toBe(null);
    const writes = trainStep(new SGD(net, { lr: 0.1 }), {
      loss: (input: Tensor) => {
        net.memory.assign(net.memory.add(1));
        return net.forward(input).square().mean();
      },
      trains: "linear.**",
      freezes: "memory[2:]",
      verify: true,
    });
    await expect(writes(x)).rejects.toThrow(FreezeError);
  });

  test("are part of a checkpoint, a clone and an average", () => {
    freeze(net, ["memory[1:]", "bn.runningMean"]);
    const other = new Net();
    loadFromBytes(saveToBytes({ module: net }), { module: other, frozen: true });
    for (const one of [other, net.clone()]) {
      expect(one.memory.frozenRegion!.text).toBe("[1:]");
      expect(one.bn.runningMean!.frozen).toBe(true);
      expect(one.bn.runningVar!.frozen).toBe(false);
    }
    const ema = new EMA(net, { decay: 0.5, buffers: "average" });
    net.memory.copy_(ones([4, 2]));
    ema.update();
    expect(ema.average.get(net.memory)!.toArraySync()).toEqual([
      [0.5, 0.5],
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });
});

describe("what names a buffer, and what does not", () => {
  test("a glob that matches parameters means those", () => {
    const scope = freeze(net, ["bn.**", "!bn.bias"]);
    expect([...scope.parameters.keys()]).toEqual(["bn.weight"]);
    expect(scope.buffers.size).toBe(0);
  });

  test("with parameters in one selector, and with exclusions of either, each is what it says", () => {
    const frozen = (selector: Selector): Record<string, string> =>
      freeze(net, selector as "**", () => {
        const all = [...net.namedParameters(), ...net.namedBuffers()];
        const what = all.map(([path, t]) => [path, t.frozen ? "all" : t.frozenRegion?.text] as const);
        return Object.fromEntries(what.filter(([, region]) => region !== undefined)) as Record<
          string,
          string
        >;
      });
    expect(frozen(rows(["linear.weight", "memory"], [0]))).toEqual({ "linear.weight": "[0]", memory: "[0]" });
    expect(frozen(rows(net.memory, [1, 2]))).toEqual({ memory: "[1:3]" });
    expect(frozen(["memory", "!linear.**"])).toEqual({ memory: "all" });
    expect(frozen(["memory", "bn.*", "!bn.bias", "!memory[0]"])).toEqual({
      memory: "[1:]",
      "bn.weight": "all",
    });
    expect(frozen(["memory[0]", "memory[2]"])).toEqual({ memory: "[[0, 2]]" });
    expect(() => frozen(["memory", "!linaer.**"])).toThrow(SelectorError);
    expect(() => frozen(rows("memory[0]", [1]))).toThrow(/names no element of memory/);
  });

  test.each([
    ["runningMena", SelectorError],
    ["memory[4]", IndexError],
    ["!memory", SelectorError],
  ] as const)("%s is an error, and nothing is frozen", (selector, kind) => {
    expect(() => freeze(net, ["linear.**", selector as string])).toThrow(kind);
    expect(net.linear.weight.frozen).toBe(false);
    expect(() => freeze(net, new Buffer(zeros([1])))).toThrow(/not part of Net/);
  });

  test("no step trains one", async () => {
    for (const trains of ["memory" as string, net.memory] as Selector[]) {
      const step = trainStep(new SGD(net, { lr: 0.1 }), {
        loss: (input: Tensor) => net.forward(input).sum(),
        trains: [trains],
      });
      await expect(step(x)).rejects.toThrow(/is a buffer: no step trains it/);
    }
  });

  test("an update of another shape is refused where some of it is frozen too", () => {
    freeze(net, "memory[0]");
    expect(() => net.memory.update(zeros([2, 2]))).toThrow(ShapeError);
  });
});
