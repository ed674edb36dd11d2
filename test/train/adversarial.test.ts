import { elements, freeze, rows, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW, clipGradNorm_, SGD } from "thaw/optim";
import { ones, Parameter, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test, vi } from "vitest";
import { ArgumentError, NonFiniteError } from "../../src/base/errors.ts";

class Net extends nn.Module {
  w = new Parameter(ones([6, 2]));
  v = new Parameter(ones([2]));
}
const decaying = (net: nn.Module) => new AdamW(net, { lr: 0.1, weightDecay: 0.5 });
const rowsOf = ({ w }: Net): number[] => [...w.dataSync()].filter((_, i) => i % 2 === 0);
const moved = (net: Net): number[] => rowsOf(net).flatMap((x, row) => (x === 1 ? [] : [row]));

describe("what a loss does not reach has no gradient, not one of zeros, which decay would act on", () => {
  const make = (accumulate: number) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const net = new Net();
    const step = trainStep(decaying(net), {
      loss: (task: string) => (task === "w" ? net.w : net.v).sum(),
      trains: (task) => (task === "w" ? ["w[:3]"] : ["w[3:]", "v"]),
      accumulate,
    });
    return { net, step };
  };

  test("of tasks together", async () => {
    const { net, step } = make(1);
    await step.together([["w"], ["v"]]);
    expect(moved(net)).toEqual([0, 1, 2]);
  });
  test.each([[["w", "v"]], [["v", "w"]]])("of calls that make one update: %j", async (tasks) => {
    const { net, step } = make(2);
    for (const task of tasks) await step(task);
    expect(moved(net)).toEqual([0, 1, 2]);
  });
});

test("a gradient that is not finite does not stay in the sums: the call that makes it fails, and no other", async () => {
  const net = new Net();
  const optimizer = new SGD(net, { lr: 0.1 });
  const step = trainStep(optimizer, {
    // Its root has no slope at 0, where the loss itself is finite.
    loss: (x: Tensor) => net.v.mul(x).abs().sqrt().sum(),
    trains: "v",
    finite: true,
    accumulate: 2,
  });
  await step(tensor([1, 1]));
  await expect(step(tensor([0, 1]))).rejects.toThrow(NonFiniteError);
  expect(optimizer.updates).toBe(0);
  await step(tensor([1, 1]));
  expect(optimizer.updates).toBe(1);
  await expect(step(tensor([0, 1]))).rejects.toThrow(NonFiniteError);
  await step(tensor([1, 1]));
  await step(tensor([1, 1]));
  expect(optimizer.updates).toBe(2);
  expect([...net.v.dataSync()].every(Number.isFinite)).toBe(true);
});

describe("regions of different kinds that overlap", () => {
  const mask = [false, true, true, false, true, false, false, true, false, false, true, true];
  const selectors = {
    rows: ["w[1:4]"],
    column: [rows("w", [1], { dim: 1 })],
    elements: [elements("w", mask)],
    "one row": ["w[2]"],
    all: ["w"],
  };
  type Kind = keyof typeof selectors;
  const orders: Kind[][] = [
    ["rows", "elements", "column", "all"],
    ["elements", "rows", "one row", "column"],
    ["column", "elements", "all", "rows"],
    ["all", "one row", "elements", "column"],
  ];

  /** The same with each element a parameter of its own. */
  class Single extends nn.Module {
    x = new Parameter(ones([1]));
  }
  class Apart extends nn.Module {
    elements = new nn.ModuleList(Array.from({ length: 12 }, () => new Single()));
  }
  const places: Record<Kind, number[]> = {
    rows: [2, 3, 4, 5, 6, 7],
    column: [1, 3, 5, 7, 9, 11],
    elements: mask.flatMap((flag, i) => (flag ? [i] : [])),
    "one row": [4, 5],
    all: mask.map((_, i) => i),
  };

  test.each(orders)("%s, %s, %s, %s: as if each element were a parameter", async (...order) => {
    const net = new Net();
    const apart = new Apart();
    const single = (i: number): Parameter => apart.elements.at(i)!.x;
    const optimizer = decaying(net);
    const [step, step2] = [1, 2].map((accumulate) =>
      trainStep(optimizer, {
        loss: (_kind: Kind, x: Tensor) => net.w.pow(2).mul(x).sum(),
        trains: (kind) => selectors[kind],
        accumulate,
        verify: true,
      }),
    );
    const reference = decaying(apart);
    const [single1, single2] = [1, 2].map((accumulate) =>
      trainStep(reference, {
        loss: (_kind: Kind, x: Tensor) =>
          mask.map((_, i) => single(i).pow(2).mul(x).sum()).reduce((a, b) => a.add(b)),
        trains: (kind) => places[kind].map((i) => single(i)),
        accumulate,
      }),
    );
    const x = tensor(0.5);
    for (const kind of order) await Promise.all([step!(kind, x), single1!(kind, x)]);
    for (let i = 0; i < 3; i++) {
      const calls = [order[i]!, order[i + 1]!].map((kind) => [kind, x] as const);
      await Promise.all([step!.together(calls), single1!.together(calls)]);
      for (const call of calls) await Promise.all([step2!(...call), single2!(...call)]);
    }
    const [w, state] = [net.w.dataSync(), new Array<number>(12).fill(0)];
    for (const part of optimizer.parts(net.w))
      for (const place of part.region?.flat() ?? places.all) state[place] = part.state.step;
    for (const i of places.all) {
      expect(w[i]).toBeCloseTo(single(i).dataSync()[0]!, 6);
      expect(state[i]).toBe(reference.state.get(single(i))?.step ?? 0);
    }
  });

  test("of what is frozen in part, to the last element", async () => {
    const net = new Net();
    const optimizer = decaying(net);
    const step = trainStep(optimizer, {
      loss: () => net.w.sum().add(net.v.sum()),
      trains: ["w[:2]", "v"],
      verify: true,
    });
    freeze(net, "w[:3]");
    await step();
    expect(moved(net)).toEqual([]);
    expect(optimizer.parts(net.w)).toEqual([]);
    expect(net.v.dataSync()[0]).not.toBe(1);
    unfreeze(net, "w[0]");
    await step();
    expect(moved(net)).toEqual([0]);
  });
});

test("a NaN in the gradient of what is frozen stays there", () => {
  const net = new Net();
  const optimizer = decaying(net);
  freeze(net, "w[:2]");
  net.w.sum().add(net.v.sum()).backward();
  const gradient = Array.from({ length: 12 }, (_, i) => (i < 4 ? Number.NaN : 1));
  net.w.grad = tensor(gradient).reshape([6, 2]);
  expect(clipGradNorm_(net.parameters(), 1, { errorIfNonfinite: true }).dataSync()[0]).toBeCloseTo(
    Math.sqrt(10),
  );
  optimizer.step();
  expect(moved(net)).toEqual([2, 3, 4, 5]);
  expect([...net.w.dataSync(), ...net.v.dataSync()].every(Number.isFinite)).toBe(true);
});

test("dropping the state of what is frozen is no change that verify objects to", async () => {
  const net = new Net();
  const optimizer = decaying(net);
  const step = trainStep(optimizer, {
    loss: (_name: "w" | "v") => net.w.sum().add(net.v.sum()),
    trains: (name) => name,
    state: { w: { state: "drop" } },
    verify: true,
  });
  for (const name of ["w", "v", "v", "w"] as const) await step(name);
  expect(optimizer.state.get(net.w)!.step).toBe(1);
});

test("a state policy is of whole parameters", () => {
  const net = new Net();
  expect(() =>
    trainStep(decaying(net), { loss: () => net.w.sum(), trains: "w", state: { "w[:2]": { state: "drop" } } }),
  ).toThrow(
    new ArgumentError(
      "trainStep: state has a policy for w[:2]; name w: each region that is trained by itself follows its policy by itself",
    ),
  );
});

test("scopes of two flows that interleave: the first to end says so, and what it froze stays frozen", async () => {
  const net = new Net();
  const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));
  const outer = freeze(net, "w", async () => {
    await wait();
  });
  const inner = freeze(net, "w", async () => {
    await wait();
    await wait();
  });
  await expect(outer).rejects.toThrow(/closed out of order/);
  expect(net.w.frozen).toBe(true);
  await inner;
  expect(net.w.frozen).toBe(true);
  unfreeze(net, "w");
  expect(net.w.frozen).toBe(false);
});
