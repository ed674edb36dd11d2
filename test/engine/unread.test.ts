import { describe, expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { planCounts } from "../../src/engine/index.ts";
import { currentTrace } from "../../src/engine/trace.ts";
import * as nn from "../../src/nn/index.ts";
import { SGD } from "../../src/optim/index.ts";
import {
  Buffer,
  gradient,
  linear,
  noGrad,
  ones,
  Parameter,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "../../src/tensor/index.ts";

/** Runs rounds of a loop that reads nothing; the plans made by those after the first hundred, and the most pending. */
function unread(rounds: number, round: (i: number) => void): { plans: number; pending: number } {
  let [made, pending] = [0, 0];
  for (let i = 0; i < rounds; i++) {
    if (i === 100) made = planCounts().made;
    round(i);
    pending = Math.max(pending, currentTrace().pending.length);
  }
  return { plans: planCounts().made - made, pending };
}

const x = ones([4, 1]);
/** Gradient descent on w · 1 + b = 1, by hand. */
function descent(): { w: Parameter; b: Parameter; round: () => Tensor } {
  const [w, b] = [new Parameter(zeros([1, 1])), new Parameter(zeros([1]))];
  const round = (): Tensor => {
    const loss = linear(x, w, b).sub(1).square().mean();
    const [gw, gb] = gradient(loss, [w, b]) as [Tensor, Tensor];
    noGrad(() => {
      w.copy_(w.sub(gw.mul(0.01)));
      b.copy_(b.sub(gb.mul(0.01)));
    });
    return loss;
  };
  return { w, b, round };
}

describe("a loop by hand that never reads a value", () => {
  test("ends with the bits of one that reads in every round", () => {
    const [silent, reading] = [descent(), descent()];
    const { plans, pending } = unread(3000, silent.round);
    for (let i = 0; i < 3000; i++) reading.round().itemSync();
    for (const name of ["w", "b"] as const) expect(silent[name].dataSync()).toEqual(reading[name].dataSync());
    expect(plans).toBeLessThanOrEqual(2);
    expect(pending).toBeLessThan(200);
  });

  test("can read what it has kept of any round, and go on from it", () => {
    const { w, round } = descent();
    const losses: Tensor[] = [];
    const halves: Tensor[] = [];
    const weights: Tensor[] = [];
    for (let i = 0; i < 500; i++) {
      weights.push(w.detach());
      halves.push(w.detach().mul(0.5));
      losses.push(round());
    }
    const reading = descent();
    for (let i = 0; i < 500; i++) {
      const weight = reading.w.itemSync() as number;
      expect(weights[i]!.itemSync()).toBe(weight);
      expect(halves[i]!.itemSync()).toBe(Math.fround(weight / 2));
      expect(losses[i]!.itemSync()).toBe(reading.round().itemSync());
    }
  });

  test("may use intermediate values of the round before", () => {
    const [w, other] = [new Parameter(tensor([1, 2])), new Parameter(tensor([1, 2]))];
    const run = (p: Parameter, read: boolean): number[] => {
      let before: Tensor | null = null;
      for (let i = 0; i < 400; i++) {
        const square = p.mul(p);
        const [g] = gradient(square.sum(), [p]) as [Tensor];
        const step: Tensor = before === null ? g : g.add(before.mul(0.1));
        noGrad(() => p.copy_(p.sub(step.mul(0.01))));
        before = square.detach();
        // It is made of the weight before the write, and so has to be kept by a loop that carries writes out itself.
        if (read) {
          before.keep();
          p.dataSync();
        }
      }
      return [...p.dataSync()];
    };
    expect(run(w, false)).toEqual(run(other, true));
  });

  const loops: Readonly<Record<string, () => (i: number) => void>> = {
    "backward and grad": () => {
      const w = new Parameter(ones([3]));
      return () => {
        w.grad = null;
        w.square().sum().backward();
        noGrad(() => w.copy_(w.sub(w.grad!.mul(0.01))));
      };
    },
    "leaves that are made anew": () => {
      let w = ones([3]).requiresGrad_();
      return () => {
        const [g] = gradient(w.square().sum(), [w]) as [Tensor];
        w = w.detach().sub(g.mul(0.01)).requiresGrad_();
      };
    },
    "numbers only": () => {
      let total = zeros([3]);
      return () => {
        total = total.mul(0.99).add(1);
      };
    },
    "random numbers": () => {
      const w = new Parameter(zeros([3]));
      return () => noGrad(() => w.copy_(w.mul(0.9).add(randn([3]))));
    },
    "running statistics": () => {
      const [bn, seen] = [new nn.BatchNorm1d(3), new Buffer(zeros([]))];
      const batch = randn([4, 3]);
      return () => {
        const y = noGrad(() => bn.forward(batch));
        seen.assign(seen.add(y.sum()));
      };
    },
    "sums of gradients": () => {
      const w = new Parameter(ones([3]));
      return () => w.square().sum().backward();
    },
  };
  test.each(Object.keys(loops))("stays bounded: %s", (name) => {
    const round = loops[name]!();
    const { plans, pending } = unread(1500, round);
    expect(plans).toBeLessThanOrEqual(4);
    expect(pending).toBeLessThanOrEqual(4001);
  });

  test("leaves the engine's memory as it is", () => {
    const { w, round } = descent();
    for (let i = 0; i < 2; i++) {
      unread(2000, round);
      w.dataSync();
    }
    const before = currentBackend().memoryInUse();
    unread(2000, round);
    w.dataSync();
    expect(currentBackend().memoryInUse()).toBe(before);
  });
});

test("a step of an optimizer that fails after an unasked computation has written nothing of its own", () => {
  const { w, round } = descent();
  unread(100, round);
  const p = new Parameter(ones([2]));
  const optimizer = new SGD([p], { lr: 1 });
  w.dataSync();
  p.grad = tensor([1, 1]);
  expect(() => optimizer.update(new Map([[p, tensor([1, 2, 3]).node]]))).toThrow();
  expect([...p.dataSync()]).toEqual([1, 1]);
});
