import { freeze, module, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW, EMA, type EMAOptions, SGD } from "thaw/optim";
import { capture, full, manualSeed, ones, Parameter, randn, type Tensor, tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, CaptureError, IndexError, StateDictError } from "../../src/base/errors.ts";

class Network extends nn.Module {
  first = new nn.Linear(3, 4);
  bn = new nn.BatchNorm1d(4);
  second = new nn.Linear(4, 2);
  forward(x: Tensor): Tensor {
    return this.second.forward(this.bn.forward(this.first.forward(x)).tanh());
  }
}

let net: Network;
beforeEach(() => {
  manualSeed(3);
  net = new Network();
});

const hex = (t: Tensor): string => {
  const data = t.dataSync();
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");
};
const bitsOf = (m: nn.Module): Record<string, string> =>
  Object.fromEntries([...m.stateDict()].map(([path, t]) => [path, hex(t)]));
const averagesOf = (ema: EMA): Record<string, string> =>
  Object.fromEntries(Object.entries(ema.stateDict().averages).map(([path, t]) => [path, hex(t)]));
const numbersOf = (t: Tensor): number[] => Array.from(t.dataSync(), Number);
const lossOf = (x: Tensor): Tensor => net.forward(x).square().mean();

/** A module with one weight, whose values are set by hand. */
class Weight extends nn.Module {
  weight = new nn.Linear(1, 4, { bias: false }).weight;
}
/** What an average of ones is after values of `values`, by `decay`. */
const expected = (values: number[], decay: number): number =>
  values.reduce((average, value) => average + (1 - decay) * (value - average), 1);

function weightOfOnes(options: EMAOptions): { p: Parameter; ema: EMA; set: (value: number) => void } {
  const holder = new Weight();
  nn.init.ones_(holder.weight);
  const p = holder.weight;
  return { p, ema: new EMA(holder, options), set: (value) => p.assign(full([4, 1], value)) };
}
const average = (ema: EMA, p: Parameter): number[] => numbersOf(ema.average.get(p)!);

describe("update", () => {
  test("lets the present values enter", () => {
    const { p, ema, set } = weightOfOnes({ decay: 0.9 });
    for (const value of [2, 3, -1]) {
      set(value);
      ema.update();
    }
    for (const a of average(ema, p)) expect(a).toBeCloseTo(expected([2, 3, -1], 0.9), 6);
    expect(ema.stateDict().updates).toEqual({ weight: 3 });
  });

  test("warms up", () => {
    const { p, ema, set } = weightOfOnes({ decay: 0.15, warmup: true });
    set(2);
    ema.update();
    expect(average(ema, p)[0]).toBeCloseTo(1.9, 6);
    set(0);
    ema.update();
    // 2 / 11 is more than the decay.
    expect(average(ema, p)[0]).toBeCloseTo(1.9 * 0.15, 6);
  });

  test("in a captured function takes a new decay, and counts, without another recording", () => {
    const { p, ema } = weightOfOnes({ decay: 0.5 });
    const call = capture((value: Tensor) => {
      p.assign(value);
      ema.update();
    });
    for (const [value, decay] of [
      [2, 0.5],
      [3, 0.9],
      [4, 0.9],
    ] as const) {
      ema.decay = decay;
      call(full([4, 1], value));
    }
    const next = (a: number, value: number, decay: number) => a + (1 - decay) * (value - a);
    expect(average(ema, p)[0]).toBeCloseTo(next(next(next(1, 2, 0.5), 3, 0.9), 4, 0.9), 6);
    expect(call.variants).toBe(1);
    expect(ema.stateDict().updates.weight).toBe(3);
  });

  test("captured or not gives the same bits, warm-up included", () => {
    const run = (wrap: (fn: (x: Tensor) => void) => (x: Tensor) => void) => {
      manualSeed(5);
      net = new Network();
      const optimizer = new AdamW(net, { lr: 0.05 });
      const ema = new EMA(net, { decay: 0.9, warmup: true, buffers: "average" });
      const step = wrap((x) => {
        optimizer.zeroGrad();
        lossOf(x).backward();
        optimizer.step();
        ema.update();
      });
      for (let i = 0; i < 4; i++) step(randn([5, 3]));
      return { averages: averagesOf(ema), updates: ema.stateDict().updates };
    };
    const eager = run((fn) => fn);
    expect(run((fn) => capture(fn))).toEqual(eager);
    expect(eager.updates["first.weight"]).toBe(4);
    // An integer is copied, and not averaged.
    expect(eager.updates["bn.numBatchesTracked"]).toBe(0);
  });

  test("is undone with a step that fails", async () => {
    const ema = new EMA(net, { decay: 0.9 });
    const step = trainStep(new SGD(net, { lr: 0.1 }), {
      loss: (x: Tensor, y: Tensor) => nn.crossEntropy(net.forward(x), y),
      trains: "**",
      ema,
    });
    const good = tensor([0, 1], { dtype: "i32" });
    await step(randn([2, 3]), good);
    const before = averagesOf(ema);
    await expect(step(randn([2, 3]), tensor([0, 9], { dtype: "i32" }))).rejects.toThrow(IndexError);
    expect(averagesOf(ema)).toEqual(before);
    expect(ema.stateDict().updates["first.weight"]).toBe(1);
    await step(randn([2, 3]), good);
    expect(ema.stateDict().updates["first.weight"]).toBe(2);
  });

  test("of storage dtypes computes in f32", () => {
    const half = new Parameter(ones([4], { dtype: "bf16" }));
    const ema = new EMA(Object.assign(new nn.Identity(), { half }), { decay: 0.999 });
    half.assign(full([4], 2, { dtype: "bf16" }));
    ema.update();
    expect(ema.average.get(half)!.dtype).toBe("f32");
    expect(average(ema, half)[0]).toBeCloseTo(1.001, 6);
    expect(ema.use(() => half.dtype)).toBe("bf16");
    expect(numbersOf(half)).toEqual([2, 2, 2, 2]);
  });
});

describe("what is frozen", () => {
  test("is held bit for bit, even where it is written to", () => {
    const { p, ema, set } = weightOfOnes({ decay: 0.9 });
    set(2);
    ema.update();
    const before = hex(ema.average.get(p)!);
    p.frozen = true;
    set(5);
    for (let i = 0; i < 3; i++) ema.update();
    expect(hex(ema.average.get(p)!)).toBe(before);
    expect(ema.stateDict().updates.weight).toBe(1);
    p.frozen = false;
    ema.update();
    expect(average(ema, p)[0]).toBeCloseTo(expected([2, 5], 0.9), 6);
  });

  test("is approached with track", () => {
    const { p, ema, set } = weightOfOnes({ decay: 0.5, frozen: "track" });
    set(2);
    p.frozen = true;
    for (let i = 0; i < 30; i++) ema.update([]);
    expect(average(ema, p)).toEqual([2, 2, 2, 2]);
  });

  test("in part is averaged in the other part", () => {
    const root = new Weight();
    nn.init.ones_(root.weight);
    const ema = new EMA(root, { decay: 0.9 });
    freeze(root, "weight[1:3]", () => {
      root.weight.assign(full([4, 1], 2));
      ema.update();
    });
    expect(average(ema, root.weight)).toEqual([expect.closeTo(1.1, 6), 1, 1, expect.closeTo(1.1, 6)]);
    ema.update();
    expect(average(ema, root.weight)).toEqual([
      expect.closeTo(1.19, 6),
      expect.closeTo(1.1, 6),
      expect.closeTo(1.1, 6),
      expect.closeTo(1.19, 6),
    ]);
  });

  test.each(["hold", "track"] as const)("or not stepped in trainStep: %s", async (frozen) => {
    const ema = new EMA(net, { decay: 0.9, frozen });
    const x = randn([5, 3]);
    const only = trainStep(new AdamW(net, { lr: 0.1 }), { loss: lossOf, trains: "second.**", ema });
    const before = averagesOf(ema);
    net.first.weight.assign(net.first.weight.add(1));
    await only(x);
    const after = averagesOf(ema);
    expect(after["second.weight"]).not.toBe(before["second.weight"]);
    expect(after["first.weight"] === before["first.weight"]).toBe(frozen === "hold");
  });

  test("is held under a freeze scope around trainStep", async () => {
    const ema = new EMA(net, { decay: 0.9, buffers: "average" });
    const step = trainStep(new AdamW(net, { lr: 0.1 }), { loss: lossOf, trains: "**", ema });
    await step(randn([5, 3]));
    const before = averagesOf(ema);
    await freeze(net, module("bn"), () => step(randn([5, 3])));
    const during = averagesOf(ema);
    for (const path of ["bn.weight", "bn.bias", "bn.runningMean", "bn.runningVar", "bn.numBatchesTracked"])
      expect(during[path], path).toBe(before[path]);
    expect(during["first.weight"]).not.toBe(before["first.weight"]);
    await step(randn([5, 3]));
    expect(averagesOf(ema)["bn.runningMean"]).not.toBe(before["bn.runningMean"]);
  });

  test("a list of what was stepped may name parts, and what is not the module's", () => {
    const { p, ema, set } = weightOfOnes({ decay: 0.5 });
    const root = new Weight();
    set(3);
    ema.update([[p, null], root.weight]);
    expect(average(ema, p)).toEqual([2, 2, 2, 2]);
    ema.update([root.weight]);
    expect(average(ema, p)).toEqual([2, 2, 2, 2]);
  });
});

describe("buffers", () => {
  const movedBy = (buffers: EMAOptions["buffers"]) => {
    const ema = new EMA(net, { decay: 0.5, buffers });
    net.bn.forward(ones([3, 4]).mul(10));
    ema.update();
    const mean = ema.average.get(net.bn.runningMean!);
    return mean === undefined ? null : numbersOf(mean)[0];
  };
  test("are copied", () => expect(movedBy("copy")).toBeCloseTo(1, 6));
  test("are averaged", () => expect(movedBy("average")).toBeCloseTo(0.5, 6));
  test("are ignored", () => expect(movedBy("ignore")).toBe(null));
});

describe("use", () => {
  const trained = async (options: EMAOptions = {}): Promise<EMA> => {
    const ema = new EMA(net, { decay: 0.9, ...options });
    const step = trainStep(new AdamW(net, { lr: 0.1 }), { loss: lossOf, trains: "**", ema });
    for (let i = 0; i < 3; i++) await step(randn([5, 3]));
    return ema;
  };

  test("puts the averages in place, and then back what was there, bit for bit", async () => {
    const ema = await trained();
    const before = bitsOf(net);
    const inside = ema.use(() => bitsOf(net));
    expect(inside).toEqual(averagesOf(ema));
    expect(inside["first.weight"]).not.toBe(before["first.weight"]);
    expect(bitsOf(net)).toEqual(before);
  });

  test("what is lazy inside is of the averages", async () => {
    const ema = await trained();
    net.eval();
    const x = randn([2, 3]);
    const inside = ema.use(() => [...net.forward(x).dataSync()]);
    const lazy = ema.use(() => net.forward(x));
    expect([...lazy.dataSync()]).toEqual(inside);
    expect([...net.forward(x).dataSync()]).not.toEqual(inside);
  });

  test("leaves ignored buffers", async () => {
    const ema = await trained({ buffers: "ignore" });
    const mean = hex(net.bn.runningMean!);
    ema.use(() => expect(hex(net.bn.runningMean!)).toBe(mean));
  });

  test("lasts until a promise settles, and ends where it fails", async () => {
    const ema = await trained();
    const before = bitsOf(net);
    await ema.use(async () => {
      await Promise.resolve();
      expect(bitsOf(net)).toEqual(averagesOf(ema));
    });
    expect(bitsOf(net)).toEqual(before);
    await expect(ema.use(() => Promise.reject(new Error("inside")))).rejects.toThrow("inside");
    expect(() =>
      ema.use(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(bitsOf(net)).toEqual(before);
  });

  test("loses what is written meanwhile, also to what is frozen", async () => {
    const ema = await trained();
    const before = bitsOf(net);
    freeze(net, "first.**", () =>
      ema.use(() => {
        nn.init.zeros_(net.first.weight);
        net.bn.forward(randn([5, 4]));
      }),
    );
    expect(bitsOf(net)).toEqual(before);
  });

  test("inside a use, an update or a captured function errs", async () => {
    const ema = await trained();
    const update = capture(() => ema.update());
    update();
    ema.use(() => {
      expect(() => ema.use(() => 0)).toThrow(ArgumentError);
      expect(() => ema.update()).toThrow("EMA.update: inside use()");
      expect(update).toThrow("EMA.update: inside use()");
    });
    expect(capture(() => ema.use(() => zeros([])))).toThrow(CaptureError);
    update();
  });
});

describe("state dict", () => {
  test("goes on where it was", () => {
    const options = { decay: 0.9, warmup: true };
    const one = new EMA(net, options);
    const jump = () => {
      for (const p of net.parameters()) p.assign(randn(p.shape));
    };
    jump();
    one.update();
    const other = new EMA(net, options);
    other.loadStateDict(one.stateDict());
    expect(averagesOf(other)).toEqual(averagesOf(one));
    jump();
    one.update();
    other.update();
    expect(averagesOf(other)).toEqual(averagesOf(one));
    expect(other.stateDict().updates).toEqual(one.stateDict().updates);
  });

  test("that does not fit says all that is wrong, and loads nothing", () => {
    const ema = new EMA(net);
    const before = averagesOf(ema);
    const { averages, updates } = new EMA(net).stateDict();
    const { "first.bias": _, ...rest } = averages;
    const bad = {
      averages: { ...rest, other: zeros([1]), "second.weight": zeros([1]), "second.bias": ones([2]) },
      updates: { ...updates, "second.bias": -1 },
    };
    expect(() => ema.loadStateDict(bad)).toThrow(StateDictError);
    expect(() => ema.loadStateDict(bad)).toThrow(
      [
        "loadStateDict: the state dict does not fit this EMA; nothing was loaded.",
        "there is an average for other, which this one has not",
        "there is no average for first.bias",
        "second.weight is f32[1], the average here f32[2, 4]",
        "the updates of second.bias are -1, not a whole number of at least 0",
      ].join("\n  "),
    );
    expect(averagesOf(ema)).toEqual(before);
  });
});

describe("options", () => {
  test.each<[EMAOptions, string]>([
    [{ decay: 1.5 }, "EMA: decay is 1.5; it must be a number from 0 to 1"],
    [{ frozen: "stop" as "hold" }, "EMA: frozen is stop; it is one of hold, track"],
    [{ buffers: "none" as "copy" }, "EMA: buffers is none; it is one of copy, average, ignore"],
    [{ momentum: 1 } as EMAOptions, "EMA: there is no option momentum"],
  ])("%o errs", (options, message) => expect(() => new EMA(net, options)).toThrow(message));

  test("it is not made inside a captured function", () =>
    expect(capture(() => void new EMA(net))).toThrow(CaptureError));

  test("unfrozen again, an average goes on", () => {
    const ema = new EMA(net, { decay: 0.5 });
    freeze(net, "**");
    unfreeze(net, "first.weight");
    net.first.weight.assign(net.first.weight.add(1));
    net.first.bias!.assign(net.first.bias!.add(1));
    const before = averagesOf(ema);
    ema.update();
    const after = averagesOf(ema);
    expect(after["first.weight"]).not.toBe(before["first.weight"]);
    expect(after["first.bias"]).toBe(before["first.bias"]);
  });
});

test("averages of two EMAs are not in place of the same weights at once, or the weights would be what ends last", async () => {
  const [one, other] = [new EMA(net), new EMA(net)];
  for (const p of net.parameters()) p.grad = ones(p.shape);
  new SGD(net, { lr: 1 }).step();
  const before = bitsOf(net);
  let end = (): void => {};
  const using = one.use(() => new Promise<void>((resolve) => (end = resolve)));
  expect(() => other.use(() => {})).toThrow(
    /^EMA\.use: the averages of another EMA are in place of the same weights/,
  );
  expect(new EMA(new Network()).use(() => 3)).toBe(3);
  end();
  await using;
  expect(other.use(() => 4)).toBe(4);
  expect(bitsOf(net)).toEqual(before);
});
