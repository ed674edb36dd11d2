import { expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { ArgumentError, IndexError } from "../../src/base/errors.ts";
import { type Profile, profile } from "../../src/engine/profile.ts";
import { crossEntropy, Linear, mseLoss, ReLU, Sequential } from "../../src/nn/index.ts";
import { AdamW } from "../../src/optim/index.ts";
import { manualSeed, randn, type Tensor, tensor } from "../../src/tensor/index.ts";
import { trainStep } from "../../src/train/index.ts";

function perceptron(width: number, batch: number, hidden = 2 * width) {
  manualSeed(0);
  const net = new Sequential(new Linear(width, hidden), new ReLU(), new Linear(hidden, width));
  const step = trainStep(new AdamW(net), {
    loss: (x: Tensor, y: Tensor) => mseLoss(net.forward(x), y),
    trains: "**",
  });
  const [x, y] = [randn([batch, width]), randn([batch, width])];
  // Made now, not by the first step.
  for (const made of [x, y]) made.dataSync();
  return { net, step: () => step(x, y), plan: () => step.plan! };
}

test("every kernel of a step, as often as it ran, and all of the time", async () => {
  const { step, plan } = perceptron(24, 8);
  const found = await profile(step, { calls: 7 });
  const kernels = found.rows.filter(({ kind }) => kind !== "host");
  expect(kernels.map(({ name }) => name).sort()).toEqual(
    plan()
      .explain()
      .kernels.map(({ name }) => name)
      .sort(),
  );
  for (const { runs, seconds, flopsPerSecond } of kernels) {
    expect(runs).toBe(7);
    expect(seconds).toBeGreaterThan(0);
    expect(flopsPerSecond).toBeGreaterThanOrEqual(0);
  }
  const shares = found.rows.reduce((sum, { share }) => sum + share, 0);
  expect(shares).toBeGreaterThan(0.98);
  expect(shares).toBeLessThan(1.02);
});

test("a first call records, plans and compiles; one after it does not", async () => {
  const { step } = perceptron(21, 3);
  const names = ({ rows }: Profile) => rows.filter(({ kind }) => kind === "host").map(({ name }) => name);
  const first = await profile(step, { calls: 1, warmup: 0 });
  expect(names(first)).toEqual(["bindings and copies", "compiling", "planning", "recording", "JavaScript"]);
  for (const { kind, runs, seconds } of first.rows)
    if (kind === "host") expect({ runs, some: seconds > 0 }).toEqual({ runs: 1, some: true });
  expect(first.rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 1);
  expect(names(await profile(step, { calls: 1, warmup: 2 }))).toEqual(["bindings and copies", "JavaScript"]);
});

// The oracle evaluates graphs and has no kernels; and a large step takes it minutes.
if (currentBackend().name !== "reference") {
  test("of a large step nearly all is kernels", async () => {
    const { step } = perceptron(1024, 256, 4096);
    for (let i = 0; i < 3; i++) await step();
    let most = 0;
    // Another process may take the core at any moment: one undisturbed step is enough.
    for (let i = 0; i < 5 && most < 0.95; i++) {
      const { rows, seconds } = await profile(step, { calls: 1, warmup: 0 });
      const kernels = rows.filter(({ kind }) => kind !== "host");
      expect(kernels.filter(({ kind }) => kind === "contract")).toHaveLength(5);
      most = Math.max(most, kernels.reduce((sum, row) => sum + row.seconds, 0) / seconds);
    }
    expect(most).toBeGreaterThan(0.95);
  });

  test("what a check has stopped has not run", async () => {
    const net = new Linear(4, 3);
    const step = trainStep(new AdamW(net), {
      loss: (x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y),
      trains: "**",
    });
    const x = tensor([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    const wrong = tensor([0, 7], { dtype: "i32" });
    const failing = async () => {
      await expect(step(x, wrong)).rejects.toThrow(IndexError);
    };
    const { rows } = await profile(failing, { calls: 1, warmup: 1 });
    const updates = step.plan!.explain().kernels.filter(({ name }) => name.includes("sqrt"));
    expect(updates).toHaveLength(2);
    expect(rows.filter(({ name }) => name.includes("sqrt"))).toEqual([]);
    expect(rows.filter(({ kind }) => kind === "loop").length).toBeGreaterThan(0);
  });
}

test("profiling changes nothing", async () => {
  const [a, b] = [perceptron(24, 8), perceptron(24, 8)];
  await profile(a.step, { calls: 3, warmup: 2 });
  for (let i = 0; i < 5; i++) await b.step();
  expect(a.net.stateDict()).toEqual(b.net.stateDict());
});

test("uncaptured work too", async () => {
  const x = randn([40, 40]);
  const found = await profile(() => x.matmul(x).sum().itemSync(), { calls: 3, warmup: 1 });
  expect(found.rows.some(({ kind }) => kind === "contract" || kind === "loop")).toBe(true);
  expect(found.calls).toBe(3);
});

test("a table and a trace", async () => {
  const { step } = perceptron(24, 8);
  // The 6th and 7th call, neither of which is recorded again.
  const found = await profile(step, { calls: 2, warmup: 5 });
  const text = found.toString();
  expect(text).toMatch(/kind .* extents .* of peak .* what/);
  expect(text).toMatch(/bindings and copies/);
  expect(text).toMatch(/2 calls, \S+ ms each/);
  const { traceEvents } = JSON.parse(found.toChromeTrace());
  const kernels = found.rows.filter(({ kind }) => kind !== "host").length;
  expect(traceEvents).toHaveLength(2 * (kernels + 1));
  for (const event of traceEvents) {
    expect(event).toMatchObject({ ph: "X", pid: 1 });
    expect(event.ts).toBeGreaterThan(0);
    expect(event.dur).toBeGreaterThan(0);
  }
});

test("what it cannot time", async () => {
  await expect(profile(() => 0, { calls: 0 })).rejects.toThrow(ArgumentError);
  const failing = profile(() => {
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  const [first, second] = [profile(() => Promise.resolve()), profile(() => Promise.resolve())];
  await expect(second).rejects.toThrow("another profile is under way");
  await first;
});
