import * as nn from "thaw/nn";
import { Adafactor, Adam, AdamW, EMA, Muon, SGD } from "thaw/optim";
import { manualSeed, ones, randn, type Tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { NonFiniteError } from "../../src/base/errors.ts";
import { hashBytes } from "../../src/base/hash.ts";
import type { StepOptimizer } from "../../src/train/step-optimizer.ts";

/** Of a size from which on an update is computed twice, to be looked at and to be written. */
class Large extends nn.Module {
  first = new nn.Linear(64, 80);
  second = new nn.Linear(80, 64);
  forward(x: Tensor): Tensor {
    return this.second.forward(this.first.forward(x).tanh());
  }
}

/** A digest of all that a step could have changed. */
function everything(net: nn.Module, optimizer: { stateDict(): unknown }, ema?: EMA): string {
  const text = JSON.stringify([[...net.stateDict()], optimizer.stateDict(), ema?.stateDict()], (_, value) =>
    value?.toArraySync === undefined ? value : value.toArraySync(),
  );
  return hashBytes(new TextEncoder().encode(text));
}

type Made = StepOptimizer & { stateDict(): unknown };

const optimizers: Readonly<Record<string, (net: Large) => Made>> = {
  AdamW: (net) => new AdamW(net, { lr: 0.01 }),
  "Adam with amsgrad": (net) => new Adam(net, { lr: 0.01, amsgrad: true, weightDecay: 0.1 }),
  "SGD with momentum": (net) => new SGD(net, { lr: 0.1, momentum: 0.9, nesterov: true }),
  Adafactor: (net) => new Adafactor(net, { lr: 0.01 }),
  Muon: (net) => new Muon([net.first.weight, net.second.weight], { lr: 0.01 }),
};

interface Case {
  readonly accumulate?: number;
  readonly clipNorm?: number;
  readonly averages?: boolean;
  readonly trains?: readonly string[];
}

/** What a few steps leave. */
async function trained(make: (net: Large) => Made, finite: boolean, options: Case): Promise<string> {
  manualSeed(1);
  const net = new Large();
  const optimizer = make(net);
  const { averages = false, trains = ["first.weight", "second.weight"], ...rest } = options;
  const ema = averages ? new EMA(net, { decay: 0.9 }) : undefined;
  const step = trainStep(optimizer, {
    module: net,
    loss: (x: Tensor) => net.forward(x).square().mean(),
    trains: () => trains as ["first.weight"],
    finite,
    ...(ema === undefined ? {} : { ema }),
    ...rest,
  });
  for (let i = 0; i < 4; i++) await step(randn([8, 64]));
  return everything(net, optimizer, ema);
}

describe("of large parameters", () => {
  test.each(Object.keys(optimizers))("%s: the bits are those of a step that does not look", async (name) => {
    const make = optimizers[name]!;
    for (const options of [
      {},
      { clipNorm: 0.01, averages: true },
      { accumulate: 2 },
      ...(name === "Muon" ? [] : [{ trains: ["first.weight[3:70]", "second.**"], clipNorm: 1 }]),
    ])
      expect(await trained(make, true, options)).toBe(await trained(make, false, options));
  });

  test("nothing is written of an update that overflows, of the parameters or of their state", async () => {
    const net = new Large();
    const optimizer = new AdamW(net, { lr: 1e-3 });
    const ema = new EMA(net, { decay: 0.5 });
    const step = trainStep(optimizer, {
      loss: (x: Tensor, by: number) => net.forward(x).sum().mul(by),
      trains: ["**"],
      finite: true,
      ema,
    });
    const x = ones([2, 64]);
    for (let i = 0; i < 3; i++) await step(x, 1);
    const before = everything(net, optimizer, ema);
    await expect(step(x, 1e25)).rejects.toThrow(/to first\.weight \(expAvgSq\), /);
    expect(everything(net, optimizer, ema)).toBe(before);
    optimizer.paramGroups[0]!.lr = 1e308;
    await expect(step(x, 1)).rejects.toThrow(NonFiniteError);
    optimizer.paramGroups[0]!.lr = 1e-3;
    expect(everything(net, optimizer, ema)).toBe(before);
    await step(x, 1);
    expect(optimizer.state.get(net.first.weight)!.step).toBe(4);
  });

  test("an update that is looked at first takes no copy of what it writes", () => {
    const net = new Large();
    const bytes = 4 * (net.first.weight.numel + net.second.weight.numel);
    const arenaOf = (finite: boolean): number =>
      trainStep(new AdamW(net), {
        loss: (x: Tensor) => net.forward(x).square().mean(),
        trains: ["**"],
        clipNorm: 1,
        finite,
      }).explain(ones([2, 64])).cost.arenaBytes;
    // A parameter and two moments would be three times their bytes.
    expect(arenaOf(true)).toBeLessThan(arenaOf(false) + 1.1 * bytes);
  });
});
