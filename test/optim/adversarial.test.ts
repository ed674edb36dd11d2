import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rows } from "thaw/freeze";
import * as nn from "thaw/nn";
import { Adagrad, AdamW, EMA, SGD, type StatePolicy } from "thaw/optim";
import { capture, ones, Parameter, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { ArgumentError, CaptureError, IndexError, NonFiniteError } from "../../src/base/errors.ts";

class Two extends nn.Module {
  a = new Parameter(tensor([1, 2, 3]));
  b = new Parameter(tensor([1, 2, 3]));
}
class Table extends nn.Module {
  w = new Parameter(ones([6, 2]));
  v = new Parameter(ones([2]));
}

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-adversarial-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

describe("two steps in one captured function", () => {
  const run = (net: Two, optimizer: SGD): ((x: Tensor) => void) =>
    capture((x: Tensor) => {
      for (const value of [net.a.mul(x).add(net.b), net.b.mul(x)]) {
        optimizer.zeroGrad();
        value.sum().backward();
        optimizer.step();
      }
    });

  test("leave in place what the first of them steps: its state is not there yet to be freed", () => {
    const momentumAfter = (state: NonNullable<StatePolicy["state"]>): number => {
      const net = new Two();
      const optimizer = new SGD(net, { lr: 0.1, momentum: 0.9 });
      optimizer.setStatePolicy([net.a], { state });
      const step = run(net, optimizer);
      for (let i = 0; i < 3; i++) step(tensor([1, 1, 1]));
      return optimizer.state.get(net.a)!.momentumBuffer!.dataSync()[0]!;
    };
    for (const state of ["keep", "offload", { offload: folder }] as const)
      expect(momentumAfter(state)).toBeCloseTo(2.71);
    // Each call comes after an update that left it out.
    expect(momentumAfter("drop")).toBe(1);
  });

  test("cannot take up again what they left out in between, where a policy changes its state", () => {
    const net = new Two();
    const optimizer = new SGD(net, { lr: 0.1, momentum: 0.9 });
    optimizer.setStatePolicy([net.a], { state: "reset" });
    const one = (p: Parameter): void => {
      optimizer.zeroGrad();
      p.sum().backward();
      optimizer.step();
    };
    one(net.a);
    const before = optimizer.stateDict();
    const step = capture(() => {
      for (const p of [net.a, net.b, net.a]) one(p);
    });
    expect(() => step()).toThrow(CaptureError);
    expect(optimizer.state.get(net.a)!.step).toBe(1);
    expect(optimizer.state.get(net.b)).toBeUndefined();
    expect([...optimizer.state.get(net.a)!.momentumBuffer!.dataSync()]).toEqual([
      ...(before.state.a!.momentumBuffer as Tensor).dataSync(),
    ]);
  });
});

test("recordings made before and after a step that failed write to the same state", async () => {
  const net = new Two();
  const optimizer = new SGD(net, { lr: 0.1, momentum: 0 });
  const step = trainStep(optimizer, {
    loss: (_task: string, x: Tensor) => net.a.mul(x).sum(),
    trains: "a",
    finite: true,
  });
  await step("first", tensor([1, 1, 1]));
  optimizer.paramGroups[0]!.momentum = 0.9;
  await expect(step("first", tensor([Number.NaN, 1, 1]))).rejects.toThrow(NonFiniteError);
  await step("second", tensor([1, 1, 1]));
  await step("first", tensor([1, 1, 1]));
  expect(optimizer.state.get(net.a)!.momentumBuffer!.dataSync()[0]).toBeCloseTo(1.9);
});

test("a captured step that finds no memory counts nothing", async () => {
  const net = new Two();
  const optimizer = new AdamW(net, { lr: 0.1 });
  const step = trainStep(optimizer, { loss: (x: Tensor) => net.a.mul(x).sum(), trains: "a" });
  vi.spyOn(currentBackend(), "allocate").mockImplementation(() => {
    throw new Error("no memory");
  });
  await expect(step(tensor([1, 1, 1]))).rejects.toThrow("no memory");
  vi.restoreAllMocks();
  expect(optimizer.updates).toBe(0);
  expect(optimizer.state.size).toBe(0);
  expect([...net.a.dataSync()]).toEqual([1, 2, 3]);
  await step(tensor([1, 1, 1]));
  expect(optimizer.state.get(net.a)!.step).toBe(1);
});

describe("an eager step that fails", () => {
  class Net extends nn.Module {
    table = new nn.Embedding(4, 3);
    norm = new nn.BatchNorm1d(3);
  }
  const fail = (net: Net, optimizer: AdamW): void => {
    // Indices that come from a computation are checked when the step runs.
    const out = tensor([1, 2], { dtype: "i32" }).add(tensor([50, 5000], { dtype: "i32" }));
    net.norm.forward(net.table.forward(out)).pow(2).mean().backward();
    expect(() => optimizer.step()).toThrow(IndexError);
  };

  test("leaves no statistics of values that are not there", () => {
    const net = new Net();
    fail(net, new AdamW(net));
    expect([...net.norm.runningMean!.dataSync()]).toEqual([0, 0, 0]);
    expect([...net.norm.runningVar!.dataSync()]).toEqual([1, 1, 1]);
  });

  test("takes no count from what was asked for before it", () => {
    const net = new Net();
    const ema = new EMA(net, { warmup: true });
    ema.update();
    fail(net, new AdamW(net));
    expect(ema.stateDict().updates["table.weight"]).toBe(1);
  });
});

describe("parts", () => {
  test("whose state is dropped do not count towards the most there can be", async () => {
    class Long extends nn.Module {
      w = new Parameter(ones([300, 2]));
    }
    const net = new Long();
    const optimizer = new AdamW(net);
    const step = trainStep(optimizer, {
      loss: (_row: number) => net.w.sum(),
      trains: (row) => [rows("w", [row])],
      state: { w: { state: "drop" } },
      report: false,
    });
    for (let row = 0; row < 300; row++) await step(row);
    expect(optimizer.parts(net.w).map(({ region }) => region!.text)).toEqual(["[299]"]);
    await step(0);
    expect(optimizer.parts(net.w).map(({ state }) => state.step)).toEqual([1]);
  });

  test("are not cut by asking what a step would do, nor by one that fails", async () => {
    const net = new Table();
    const optimizer = new AdamW(net);
    const step = trainStep(optimizer, {
      loss: (_all: boolean, x: Tensor) => net.w.mul(x).sum(),
      trains: (all) => (all ? "w" : "w[3:]"),
      finite: true,
    });
    await step(true, tensor(1));
    const state = optimizer.state.get(net.w);
    step.explain(false, tensor(1));
    await expect(step(false, tensor(Number.NaN))).rejects.toThrow(NonFiniteError);
    expect(optimizer.state.get(net.w)).toBe(state);
    await step(false, tensor(1));
    expect(optimizer.parts(net.w).map(({ state }) => state.step)).toEqual([2, 1]);
    await step(true, tensor(1));
    expect(optimizer.parts(net.w).map(({ state }) => state.step)).toEqual([3, 2]);
  });
});

test("state that was offloaded before its first step comes back once, and not again when it is cut", async () => {
  const states = (["keep", "offload", { offload: folder }] as const).map(async (state) => {
    const net = new Table();
    const optimizer = new Adagrad(net, { lr: 0.1 });
    optimizer.setStatePolicy([net.w], { state });
    const step = trainStep(optimizer, {
      loss: (_trains: string) => net.w.sum().add(net.v.sum()),
      trains: (trains) => trains,
    });
    for (const trains of ["v", "w", "w", "w[:2]", "v", "w[1:4]"]) await step(trains);
    return optimizer
      .parts(net.w)
      .map(({ region, state }) => [region!.text, state.step, [...state.sum.dataSync()]]);
  });
  const [kept, ...others] = await Promise.all(states);
  expect(kept).toHaveLength(4);
  for (const other of others) expect(other).toEqual(kept);
});

test("loading takes the files of offloaded state along", async () => {
  const net = new Two();
  const optimizer = new AdamW(net);
  const step = trainStep(optimizer, {
    loss: (name: "a" | "b") => net[name].pow(2).sum(),
    trains: (name) => name,
    state: { a: { state: { offload: folder } } },
  });
  await step("a");
  await step("b");
  expect(readdirSync(folder)).toHaveLength(2);
  optimizer.loadStateDict(optimizer.stateDict());
  expect(readdirSync(folder)).toEqual([]);
  await step("a");
  expect(optimizer.state.get(net.a)!.step).toBe(2);
});

test("one at a time observes an optimizer, and only it ends that", () => {
  const optimizer = new AdamW(new Two());
  const end = optimizer.observe(() => {});
  expect(() => optimizer.observe(() => {})).toThrow(ArgumentError);
  end();
  const other = optimizer.observe(() => {});
  end();
  expect(() => optimizer.observe(() => {})).toThrow(/observes it already/);
  other();
});
