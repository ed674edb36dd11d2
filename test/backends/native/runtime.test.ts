import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import type { Host } from "../../../src/backends/native/executable.ts";
import { backendOf } from "../../../src/backends/registry.ts";
import { allocate } from "../../../src/base/dtype.ts";
import { OutOfMemoryError } from "../../../src/base/errors.ts";
import { sizeOf } from "../../../src/base/shape.ts";
import { node } from "../../../src/ir/node.ts";
import { buildPlan } from "../../../src/plan/build.ts";
import { built } from "../../built.ts";
import { fill, input, matmul, sum } from "../../plan/random-graph.ts";

const native = backendOf("native");

/** A plan with work for several threads: products, a map, reductions of both kinds. */
function sharedWork() {
  const [a, b] = [input([200, 300]), input([300, 400])];
  const product = node("relu", [matmul(a, b)], {});
  const outputs = [product, sum(product, [0]), sum(product, [1]), node("exp", [product], {})];
  const plan = buildPlan({ outputs, writes: [], checks: [], resident: () => false });
  const executable = native.load(plan);
  const bindings = plan.graph.leaves.map((l) => fill(l, l.attrs.source.id));
  const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  const run = () => {
    expect(executable.run(bindings, new Float64Array(0), results)).toBe(-1);
    // As bytes, which are quick to compare.
    return Buffer.concat(results.map((r) => new Uint8Array(r.buffer)));
  };
  return { run, free: () => executable.free() };
}

test("any number of threads gives the same bits, while they come and go", () => {
  const { run, free } = sharedWork();
  const alone = run();
  try {
    for (const threads of [2, 4, 1, 3, 8, 1, 2]) {
      native.setThreads(threads);
      for (let i = 0; i < 20; i++) expect(run().equals(alone)).toBe(true);
    }
  } finally {
    native.setThreads(1);
    free();
  }
});

test("thousands of small walks with threads awake and asleep", async () => {
  const x = input([40_000]);
  const plan = buildPlan({
    outputs: [node("mul", [x, x], {})],
    writes: [],
    checks: [],
    resident: () => false,
  });
  const executable = native.load(plan);
  const bindings = plan.graph.leaves.map((l) => fill(l, 1));
  const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  native.setThreads(2);
  try {
    for (let i = 0; i < 3000; i++) {
      expect(executable.run(bindings, new Float64Array(0), results)).toBe(-1);
      if (i % 300 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
  } finally {
    native.setThreads(1);
    executable.free();
  }
  const [values] = bindings;
  expect([...results[0]!.slice(0, 9)]).toEqual([...values!.slice(0, 9)].map((v) => Math.fround(v * v)));
});

test("memory that is freed is not held", () => {
  const before = native.memoryInUse();
  for (let i = 0; i < 200; i++) {
    const block = native.allocate(1_000_000 + i);
    expect(block.view().every((byte) => byte === 0)).toBe(true);
    block.view().fill(7);
    block.free();
    block.free();
  }
  expect(native.memoryInUse()).toBe(before);
});

test("the arena grows with what is there, and counts once", () => {
  const backend = native as unknown as Pick<Host, "arena" | "arenaVersion" | "reserveArena">;
  backend.reserveArena(8_000_000);
  const [before, inUse, version] = [backend.arena, native.memoryInUse(), backend.arenaVersion];
  before.view().fill(7);
  const more = before.bytes + 5_000_000;
  backend.reserveArena(more);
  expect(backend.arena.bytes).toBe(more);
  expect(backend.arena.address % 64).toBe(0);
  expect(backend.arenaVersion).toBe(version + 1);
  expect(native.memoryInUse()).toBe(inUse + 5_000_000);
  const bytes = backend.arena.view();
  // Where pages cannot move, all of it is new.
  const old = bytes[0]!;
  expect(old === 7 || old === 0).toBe(true);
  expect(bytes.subarray(0, before.bytes).every((byte) => byte === old)).toBe(true);
  expect(bytes.subarray(before.bytes, more).every((byte) => byte === 0)).toBe(true);
  bytes.fill(9);
  // Whoever held the block before has nothing to free.
  before.free();
  expect(native.memoryInUse()).toBe(inUse + 5_000_000);
  expect(bytes.every((byte) => byte === 9)).toBe(true);
  expect(() => backend.reserveArena(2 ** 50)).toThrow(OutOfMemoryError);
});

test("more memory than there is", () => {
  const before = native.memoryInUse();
  expect(() => native.allocate(2 ** 50)).toThrow(OutOfMemoryError);
  expect(() => native.allocate(2 ** 50)).toThrow(/are in use of at most .* THAW_MAX_MEMORY/);
  expect(native.memoryInUse()).toBe(before);
});

const folder = fileURLToPath(new URL(".", import.meta.url));

test("Node's worker threads each have a runtime of their own", { timeout: 60_000 }, async () => {
  const started = [0, 1].map(
    (seed) =>
      new Promise<number[]>((resolve, reject) => {
        const program = `import("tsx/esm/api").then(({ register }) => (register(), import("${folder}train-in-worker.ts")))`;
        const worker = new Worker(program, {
          eval: true,
          workerData: seed,
          env: { ...process.env, THAW_BACKEND: "native", THAW_THREADS: "2" },
        });
        let losses: number[] = [];
        worker.on("message", (message: number[]) => {
          losses = message;
        });
        worker.on("error", reject);
        worker.on("exit", (status) =>
          status === 0 ? resolve(losses) : reject(new Error(`status ${status}`)),
        );
      }),
  );
  const [first, second] = await Promise.all(started);
  expect(first).toHaveLength(30);
  expect(first!.at(-1)).toBeLessThan(first![0]!);
  // Both have trained the same, at the same time.
  expect(second).toEqual(first);
});

test("a process ends with its threads awake", { timeout: 60_000 }, () => {
  const program = `
    const { currentBackend } = await import("${built("backends/index.js")}");
    const { randn } = await import("${built("index.js")}");
    currentBackend().setThreads(4);
    const x = randn([300, 300]);
    console.log(x.matmul(x).sum().itemSync() !== 0, currentBackend().name);
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 30_000,
    env: { ...process.env, THAW_BACKEND: "native" },
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "true native\n", stderr: "" });
});
