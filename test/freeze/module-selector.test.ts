import { freeze, type ModulePolicy, module, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW, SGD } from "thaw/optim";
import { Buffer as Buffered, capture, manualSeed, noGrad, randn, type Tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, SelectorError } from "../../src/base/errors.ts";
import { holdModule, modulesOf, releaseModule } from "../../src/freeze/module-selector.ts";
import { optimizers } from "../optim/optimizers.ts";

/** A module of a user's own that follows its inputs. */
class Seen extends nn.Module {
  largest = new Buffered(zeros([]));
  forward(x: Tensor): Tensor {
    if (this.training) noGrad(() => this.largest.update(this.largest.maximum(x.abs().amax())));
    return x;
  }
}

class Middle extends nn.Module {
  bn = new nn.BatchNorm1d(4);
  seen = new Seen();
  dropout = new nn.Dropout(0.5);
  forward(x: Tensor): Tensor {
    return this.dropout.forward(this.seen.forward(this.bn.forward(x)));
  }
}

class Network extends nn.Module {
  first = new nn.Linear(3, 4);
  middle = new Middle();
  second = new nn.Linear(4, 2);
  forward(x: Tensor): Tensor {
    return this.second.forward(this.middle.forward(this.first.forward(x)).tanh());
  }
}

let net: Network;
let x: Tensor;
beforeEach(() => {
  manualSeed(1);
  net = new Network();
  x = randn([6, 3]);
});

const hex = (t: Tensor): string => {
  const data = t.dataSync();
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");
};
/** The bits of all that a module keeps. */
const stateOf = (m: nn.Module): Record<string, string> =>
  Object.fromEntries([...m.stateDict()].map(([path, t]) => [path, hex(t)]));
const lossOf = (input: Tensor): Tensor => net.forward(input).square().mean();
const modes = (): Record<string, boolean> =>
  Object.fromEntries(net.namedModules().map(([path, m]) => [path, m.training]));

describe("freezing a module", () => {
  test.each(Object.entries(optimizers))("holds it still under %s, whatever train() says", (_, make) => {
    const fixed = randn([3, 4]);
    const scope = freeze(net, module("middle"));
    net.train();
    const before = stateOf(net.middle);
    const output = hex(net.middle.forward(fixed));
    const elsewhere = stateOf(net.first);
    const optimizer = make(net.parameters());
    for (let i = 0; i < 4; i++) {
      optimizer.zeroGrad();
      net.train();
      lossOf(randn([6, 3])).backward();
      optimizer.step();
    }
    expect(stateOf(net.middle)).toEqual(before);
    expect(hex(net.middle.forward(fixed))).toBe(output);
    expect(stateOf(net.first)).not.toEqual(elsewhere);
    scope[Symbol.dispose]();
    net.middle.forward(fixed);
    expect(stateOf(net.middle)).not.toEqual(before);
  });

  test("puts dropout in it off, and nothing outside", () => {
    freeze(net, module("middle"), () => {
      net.train();
      expect(net.middle.dropout.forward(x).dataSync()).toEqual(x.dataSync());
      expect(modes()).toMatchObject({ "": true, first: true, middle: false, "middle.bn": false });
    });
    expect(modes()).toMatchObject({ middle: true, "middle.bn": true });
  });

  test("in trainStep, called with it and without", async () => {
    const step = trainStep(new AdamW(net, { lr: 0.01 }), { loss: lossOf, trains: ["first.**", "second.**"] });
    net.train();
    const before = stateOf(net.middle);
    for (let i = 0; i < 3; i++) await freeze(net, module("middle"), () => step(x));
    expect(stateOf(net.middle)).toEqual(before);
    await step(x);
    const { "bn.numBatchesTracked": count, "bn.weight": weight } = stateOf(net.middle);
    expect(net.middle.bn.numBatchesTracked!.itemSync()).toBe(1);
    expect(count).not.toBe(before["bn.numBatchesTracked"]);
    expect(weight).toBe(before["bn.weight"]);
    await freeze(net, module("middle"), () => step(x));
    expect(net.middle.bn.numBatchesTracked!.itemSync()).toBe(1);
  });

  test("in trainStep's freezes", async () => {
    const step = trainStep(new AdamW(net, { lr: 0.01 }), {
      loss: lossOf,
      trains: "**",
      freezes: module("middle"),
    });
    net.train();
    const before = stateOf(net.middle);
    for (let i = 0; i < 3; i++) await step(x);
    expect(stateOf(net.middle)).toEqual(before);
    expect(net.middle.training).toBe(true);
  });

  test("in a captured function, which is recorded again for it", () => {
    const forward = capture((input: Tensor) => net.middle.forward(input));
    const fixed = randn([3, 4]);
    forward(fixed);
    const before = stateOf(net.middle);
    freeze(net, module("middle"), () => {
      forward(fixed);
      const output = hex(forward(fixed));
      expect(hex(forward(fixed))).toBe(output);
    });
    expect(stateOf(net.middle)).toEqual(before);
    forward(fixed);
    expect(net.middle.bn.numBatchesTracked!.itemSync()).toBe(2);
    expect(forward.variants).toBe(2);
  });
});

describe("freezing weights only", () => {
  test("leaves the statistics, the mode and dropout", () => {
    const { bn, seen } = net.middle;
    freeze(net, "middle.bn.weight");
    const optimizer = new SGD(net, { lr: 0.1, weightDecay: 0.1 });
    const before = stateOf(net.middle);
    lossOf(x).backward();
    optimizer.step();
    const after = stateOf(net.middle);
    expect(after["bn.weight"]).toBe(before["bn.weight"]);
    for (const moved of [
      "bn.bias",
      "bn.runningMean",
      "bn.runningVar",
      "bn.numBatchesTracked",
      "seen.largest",
    ])
      expect(after[moved], moved).not.toBe(before[moved]);
    expect(bn.training).toBe(true);
    expect(seen.largest.held).toBe(false);
  });

  test.each(["middle.bn.**", "**"] as const)("of a whole module by %s too", (selector) => {
    freeze(net, selector);
    net.forward(x);
    expect(net.middle.bn.numBatchesTracked!.itemSync()).toBe(1);
  });
});

describe("policies", () => {
  const moves = (policy: Partial<ModulePolicy>) => {
    const before = stateOf(net.middle);
    freeze(net, module("middle", policy), () => {
      lossOf(x).backward();
      new SGD(net, { lr: 0.1 }).step();
    });
    return Object.entries(stateOf(net.middle)).flatMap(([path, bits]) =>
      bits === before[path] ? [] : [path],
    );
  };
  const statistics = ["bn.runningMean", "bn.runningVar", "bn.numBatchesTracked", "seen.largest"];
  const weights = ["bn.weight", "bn.bias"];

  test.each<[Partial<ModulePolicy>, string[]]>([
    [{}, []],
    [{ mode: "train" }, []],
    [{ mode: "keep" }, []],
    [{ mode: "keep", statistics: "update" }, statistics],
    [{ mode: "train", statistics: "update" }, statistics],
    [{ mode: "eval", statistics: "update" }, []],
    [{ parameters: "keep" }, weights],
    [{ mode: "train", statistics: "update", parameters: "keep" }, [...weights, ...statistics]],
  ])("%o", (policy, expected) => expect(moves(policy).sort()).toEqual([...expected].sort()));

  test("train holds in eval()", () => {
    freeze(net, module("middle", { mode: "train" }), () => {
      net.eval();
      expect(modes()).toMatchObject({ "": false, middle: true, "middle.dropout": true });
    });
    expect(modes()).toMatchObject({ middle: false, "middle.dropout": false });
  });

  test("keep follows train() and eval()", () =>
    freeze(net, module("middle", { mode: "keep" }), () => {
      expect(net.eval().middle.training).toBe(false);
      expect(net.train().middle.training).toBe(true);
    }));

  test("an unknown one errs", () => {
    expect(() => module("bn", { mode: "off" as "eval" })).toThrow(
      'module: mode is "off"; it is one of "eval", "train", "keep"',
    );
    expect(() => module("bn", { dropout: "off" } as object)).toThrow(ArgumentError);
    expect(() => module("!bn")).toThrow('module: "!bn" excludes; a module selector only names');
  });
});

describe("scopes", () => {
  test("the innermost wins, and each is undone", () => {
    const { bn } = net.middle;
    const state = () => [bn.training, bn.runningMean!.held, bn.weight!.frozen];
    freeze(net, module("middle"), () => {
      expect(state()).toEqual([false, true, true]);
      freeze(net, module("middle.bn", { mode: "train", statistics: "update" }), () => {
        expect(state()).toEqual([true, false, true]);
        expect(net.middle.dropout.training).toBe(false);
        freeze(net, module("middle", { mode: "keep" }), () => expect(state()).toEqual([true, true, true]));
        expect(state()).toEqual([true, false, true]);
      });
      expect(state()).toEqual([false, true, true]);
      unfreeze(net, module("middle.bn"), () => {
        net.train();
        expect(state()).toEqual([true, false, false]);
        net.eval();
        expect(state()).toEqual([false, false, false]);
      });
      expect(state()).toEqual([false, true, true]);
    });
    // What eval() said inside holds afterwards.
    expect(state()).toEqual([false, false, false]);
  });

  test("without a function it lasts until unfreeze", () => {
    freeze(net, module("middle"));
    expect(modes()).toMatchObject({ middle: false });
    unfreeze(net, module("middle"));
    expect(modes()).toMatchObject({ middle: true });
    expect(net.middle.bn.runningMean!.held).toBe(false);
  });

  test("closed out of order, one errs and changes nothing", () => {
    const outer = freeze(net, module("middle"));
    const inner = freeze(net, module("middle.dropout", { mode: "train" }));
    expect(() => outer[Symbol.dispose]()).toThrow(
      'The scope of freeze(Network, module("middle")) was closed out of order: freeze(Network, ' +
        'module("middle.dropout", { mode: "train" })), opened after it, still holds Dropout.',
    );
    expect(modes()).toMatchObject({ middle: false, "middle.dropout": true });
    expect(net.middle.bn.weight!.frozen).toBe(true);
    inner[Symbol.dispose]();
    outer[Symbol.dispose]();
    outer[Symbol.dispose]();
    expect(modes()).toMatchObject({ middle: true, "middle.dropout": true });
  });

  test("several of one call, and what is named twice", () => {
    freeze(net, [module("middle"), module("middle.*"), "first.weight"], () => {
      expect(modes()).toMatchObject({ middle: false, "middle.bn": false });
      expect(net.first.weight.frozen).toBe(true);
    });
    expect(modes()).toMatchObject({ middle: true, "middle.bn": true });
    expect(net.middle.bn.runningMean!.held).toBe(false);
    expect(net.first.weight.frozen).toBe(false);
  });

  test("a selector that names nothing leaves all as it was", () => {
    expect(() => freeze(net, [module("middle"), module("midle" as string)])).toThrow(SelectorError);
    expect(modes()).toMatchObject({ middle: true });
    expect(net.middle.bn.weight!.frozen).toBe(false);
  });

  test("by hand", () => {
    const undo = holdModule(net.middle, module("middle").policy);
    expect(net.middle.dropout.training).toBe(false);
    const release = releaseModule(net.middle.dropout);
    expect(net.middle.dropout.training).toBe(true);
    expect(undo).toThrow("holdModule(Middle) was closed out of order: releaseModule(Dropout)");
    release();
    expect(net.middle.dropout.training).toBe(false);
    undo();
    undo();
    expect(net.middle.dropout.training).toBe(true);
  });
});

describe("modulesOf", () => {
  const named = (target: string | nn.Module): string[] => [...modulesOf(net, module(target)).keys()];

  test("by path, glob or module", () => {
    expect(named("middle.bn")).toEqual(["middle.bn"]);
    expect(named("middle.*")).toEqual(["middle.bn", "middle.seen", "middle.dropout"]);
    expect(named("**.dropout")).toEqual(["middle.dropout"]);
    expect(named(net.middle)).toEqual(["middle"]);
    expect(named(net)).toEqual([""]);
  });

  test("a tied module is one", () => {
    const shared = new nn.BatchNorm1d(2);
    const pair = new nn.ModuleList([shared, shared]);
    expect([...modulesOf(pair, module("1")).keys()]).toEqual(["0"]);
  });

  test("errors say what there is", () => {
    expect(() => named("middle.bm")).toThrow(
      'module("middle.bm") selects no module of Network. Nearest: middle.bn, ',
    );
    expect(() => named("middle.bn.weight")).toThrow(
      'module("middle.bn.weight") selects no module of Network. "middle.bn.weight" is a parameter; freeze it by its path',
    );
    expect(() => named(new nn.Dropout())).toThrow(
      "module(Dropout) selects no module of Network. It is not part of",
    );
    expect(() => modulesOf(new nn.Dropout(), module("x"))).toThrow("It has no modules inside.");
  });
});

describe("a held buffer", () => {
  test("is written by assign, copy_ and loadStateDict, not by update", () => {
    const { largest } = net.middle.seen;
    freeze(net, module("middle.seen"), () => {
      largest.update(zeros([]).add(3));
      expect(largest.itemSync()).toBe(0);
      largest.assign(zeros([]).add(4));
      expect(largest.itemSync()).toBe(4);
      net.middle.seen.loadStateDict({ largest: zeros([]).add(5) });
      expect(largest.itemSync()).toBe(5);
    });
    largest.update(zeros([]).add(6));
    expect(largest.itemSync()).toBe(6);
  });
});
