import { expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { ArgumentError, IndexError } from "../../src/base/errors.ts";
import { Profile, profile } from "../../src/engine/profile.ts";
import { scopesText } from "../../src/engine/scope-text.ts";
import { crossEntropy, Linear, mseLoss, ReLU, Sequential } from "../../src/nn/index.ts";
import { AdamW } from "../../src/optim/index.ts";
import type { Kernel } from "../../src/plan/kernel.ts";
import type { Plan } from "../../src/plan/plan.ts";
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
  expect(kernels.flatMap(({ name, kernels }) => Array(kernels).fill(name)).sort()).toEqual(
    plan()
      .explain()
      .kernels.map(({ name }) => name)
      .sort(),
  );
  for (const { runs, kernels: equal, seconds, flopsPerSecond } of kernels) {
    expect(runs).toBe(7 * equal);
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
  const kernels = found.rows.reduce((sum, row) => sum + row.kernels, 0);
  expect(traceEvents).toHaveLength(2 * (kernels + 1));
  for (const event of traceEvents) {
    expect(event).toMatchObject({ ph: "X", pid: 1 });
    expect(event.ts).toBeGreaterThan(0);
    expect(event.dur).toBeGreaterThan(0);
  }
});

test("equal kernels are one row, with how many they are and the modules that they come from", async () => {
  manualSeed(0);
  const layers = Array.from({ length: 5 }, () => new Linear(24, 24));
  const net = new Sequential(...layers, new Linear(24, 3));
  const step = trainStep(new AdamW(net), {
    loss: (x: Tensor) => net.forward(x).square().mean(),
    trains: "**",
  });
  const x = randn([8, 24]);
  const found = await profile(() => step(x), { calls: 4, warmup: 0 });
  const row = found.rows.find(({ from }) => from.includes("1"))!;
  expect(row.kernels).toBeGreaterThanOrEqual(4);
  expect(row.runs).toBe(4 * row.kernels);
  expect(row.from).toEqual(expect.arrayContaining(["1", "2", "3"]));
  const from = new Set(found.rows.flatMap(({ from }) => from));
  for (const one of ["5", "gradient of 5", "gradient of 0", "update of AdamW", "the loss"])
    expect(from).toContain(one);
  const text = found.toString();
  expect(text.split("\n").length).toBeLessThan(step.plan!.calls.length + 8);
  const line = text.split("\n").find((of) => of.endsWith(row.from.length > 3 ? "" : row.from.join(", ")))!;
  expect(line).toBeDefined();
  // A run takes what the row says: all runs together are the row's part of the time.
  expect(text).toContain(((row.seconds / row.runs) * 1e6).toFixed(1));
  // A step recorded under a profile is replayed as any other: nothing is noted, or recorded, once it is over.
  const { rows } = await profile(() => step(x), { calls: 1, warmup: 1 });
  expect(rows.some(({ name }) => name === "recording")).toBe(false);
});

test("many rows are cut, and told of", () => {
  const kernel = { kind: "loop", key: "" } as unknown as Kernel;
  const calls = Array.from({ length: 60 }, (_, i) => ({
    kernel,
    extents: [i + 1],
    scopes: [`a.${i % 7}.b`],
  }));
  const kernels = calls.map(({ extents }) => ({
    name: "exp",
    kind: "loop",
    extents,
    flops: 1,
    bytes: 1,
    recomputedFlops: 0,
  }));
  const ends = Float64Array.from(calls, (_, i) => 1e6 * (i + 1) ** 2);
  const plan = { id: 1, calls } as unknown as Plan;
  const runs = [{ plan, kernels, start: 0, end: 4000, ends }] as ConstructorParameters<typeof Profile>[3];
  const found = new Profile(1, 4, { flops: 1e9, bytes: 1e9 }, runs, []);
  const text = String(found);
  expect(text.split("\n").filter((line) => line.startsWith("loop"))).toHaveLength(40);
  expect(text).toMatch(/and 20 more kernels that differ, 10\.0 % together: --all/);
  expect(text).toMatch(/^loop +\[60\] +1 +1 +119000\.0 .* exp +a\.3\.b$/m);
  const all = found.toString({ all: true });
  expect(all.split("\n").filter((line) => line.startsWith("loop"))).toHaveLength(60);
  expect(all).not.toContain("more kernels");
});

test("where kernels come from, in short", () => {
  expect(scopesText(["layers.0.q", "layers.1.q", "layers.2.q", "layers.4.q", "head"], false)).toBe(
    "layers.{0-2,4}.q, head",
  );
  expect(scopesText(["a.0.b.1", "a.1.b.0", "gradient of 3", "gradient of 4"], false)).toBe(
    "a.*.b.*, gradient of {3-4}",
  );
  const many = ["a", "b", "c", "d", "e"];
  expect(scopesText(many, false)).toBe("a, b, c, … 2 more");
  expect(scopesText(many, true)).toBe("a, b, c, d, e");
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
