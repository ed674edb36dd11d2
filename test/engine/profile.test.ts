import { expect, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";
import { profile } from "../../src/engine/profile.ts";
import { Linear, mseLoss, ReLU, Sequential } from "../../src/nn/index.ts";
import { AdamW } from "../../src/optim/index.ts";
import { manualSeed, randn } from "../../src/tensor/index.ts";
import { trainStep } from "../../src/train/index.ts";

function perceptron(width: number, batch: number) {
  manualSeed(0);
  const net = new Sequential(new Linear(width, 2 * width), new ReLU(), new Linear(2 * width, width));
  const step = trainStep(new AdamW(net), {
    loss: (x: ReturnType<typeof randn>, y: ReturnType<typeof randn>) => mseLoss(net.forward(x), y),
    trains: "**",
  });
  const [x, y] = [randn([batch, width]), randn([batch, width])];
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
  const found = await profile(step, { calls: 2 });
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
});
