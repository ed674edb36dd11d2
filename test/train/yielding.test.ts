import { freeze } from "thaw/freeze";
import { crossEntropy } from "thaw/nn";
import { AdamW } from "thaw/optim";
import { noGrad, ones, type Tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { backendOf } from "../../src/backends/registry.ts";
import { bitsOf, inputs, makeNetwork, type Network, type Task, targets } from "./network.ts";

const lossOf = (net: Network) => (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y);

function makeStep() {
  const net = makeNetwork();
  const optimizer = new AdamW(net, { lr: 0.1 });
  const step = trainStep(optimizer, {
    loss: lossOf(net),
    trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
  });
  return { net, optimizer, step: (task: Task) => step(task, inputs[task], targets), whole: step };
}

const order: Task[] = ["task1", "task2", "task2", "task1", "task2", "task1", "task1"];

describe("where each call has taken so long that the event loop is due", () => {
  beforeEach(async () => {
    let now = 1e9;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 20));
    // Calls that were fast before do not look at the clock for a while.
    for (let i = 0; i < 10; i++) await ones([]).item();
  });
  afterEach(() => void vi.restoreAllMocks());

  test("what freezes, loads, predicts and steps while a call yields comes after it, and never into it", async () => {
    const yielded = makeStep();
    const plain = makeStep();
    const start = new Map([...yielded.net.stateDict()].map(([path, value]) => [path, value.clone()]));
    /** What another part of a page does between two calls, the step last. */
    const meddle = (of: typeof yielded, at: number): Promise<number> => {
      if (at === 3) of.net.loadStateDict(start);
      of.net.eval();
      noGrad(() => of.net.forward(inputs.task1, "task1").sum().itemSync());
      of.net.train();
      return freeze(of.net, at % 2 === 0 ? "output.**" : "hiddenTask2.**", () => of.step("task2"));
    };

    const losses: (number | Promise<number>)[] = [];
    const expected: (number | Promise<number>)[] = [];
    const bits: unknown[] = [];
    const expectedBits: unknown[] = [];
    for (const [i, task] of order.entries()) {
      let during: Promise<number> | null = null;
      setImmediate(() => {
        bits.push(bitsOf(yielded.net));
        during = meddle(yielded, i);
      });
      const loss = await yielded.step(task);
      expect(during).not.toBeNull();
      losses.push(loss, await during!);
      bits.push(bitsOf(yielded.net));
    }
    vi.restoreAllMocks();
    for (const [i, task] of order.entries()) {
      expected.push(await plain.step(task));
      expectedBits.push(bitsOf(plain.net));
      expected.push(await meddle(plain, i));
      expectedBits.push(bitsOf(plain.net));
    }
    expect(losses).toEqual(expected);
    expect(bits).toEqual(expectedBits);
    expect(yielded.optimizer.state.get(yielded.net.output.weight)!.step).toBe(
      plain.optimizer.state.get(plain.net.output.weight)!.step,
    );
  });

  test("calls that overlap run in their order, each with what is frozen when it is made, and settle in it", async () => {
    const { net, step, whole } = makeStep();
    const other = makeStep();
    const settled: string[] = [];
    const note = (name: string, promise: Promise<unknown>) =>
      promise.then(
        () => void settled.push(name),
        () => void settled.push(`${name} fails`),
      );
    const before = bitsOf(net);
    const all = [note("1", step("task1"))];
    const scope = freeze(net, "output.**");
    all.push(note("2", step("task2")));
    scope[Symbol.dispose]();
    all.push(
      note("3", whole("task1", inputs.task2, targets)),
      note("4", whole.together([["task2", inputs.task2, targets]])),
      note("5", whole.flush()),
      note("6", net.output.weight.data()),
      note("7", whole.together(null as never)),
    );
    const made = bitsOf(net);
    expect(made).not.toEqual(before);
    expect(settled).toEqual([]);
    await Promise.all(all);
    expect(settled).toEqual(["1", "2", "3 fails", "4", "5", "6", "7 fails"]);
    expect(bitsOf(net)).toEqual(made);
    await other.step("task1");
    await freeze(other.net, "output.**", () => other.step("task2"));
    await other.step("task2");
    expect(made).toEqual(bitsOf(other.net));
  });
});

test("timers run beside a loop that awaits steps, steps that fail, or values", async () => {
  const { net, step, whole } = makeStep();
  const calls: (() => Promise<unknown>)[] = [
    () => step("task1"),
    () => whole("task1", inputs.task2, targets).catch(() => {}),
    () => whole.together([["task2", inputs.task2, targets]]),
    () => whole.flush(),
    () => net.output.weight.data(),
    () => net.output.weight.toArray(),
    () => net.output.weight.sum().item(),
  ];
  for (const call of calls) {
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 0);
    // Without a turn of the event loop this has no end.
    while (!fired) await call();
  }
});

test("workers join beside a loop that awaits steps", async () => {
  const { step } = makeStep();
  const wasm = backendOf("wasm") as ReturnType<typeof backendOf> & { readonly workersReady: number };
  wasm.setThreads(2);
  try {
    while (wasm.workersReady < 1) await step("task1");
  } finally {
    wasm.setThreads(1);
  }
});

test("a test's fake timers hold no call up, nor any after them", async () => {
  const { step } = makeStep();
  vi.useFakeTimers();
  try {
    await step("task1");
    vi.setSystemTime(1e15);
    vi.advanceTimersByTime(1e6);
    for (let i = 0; i < 20; i++) await step("task1");
  } finally {
    vi.useRealTimers();
  }
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 0);
  while (!fired) await step("task1");
});
