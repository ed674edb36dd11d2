import { expect, test } from "vitest";
import type { LoadablePlan } from "../../../src/backends/contract.ts";
import { createWasm } from "../../../src/backends/wasm/backend.ts";
import { settings } from "../../../src/base/settings.ts";
import type { KernelCall, LoopKernel } from "../../../src/plan/kernel.ts";
import type { PlanBuffer } from "../../../src/plan/plan.ts";
import { contractPlan, type Product } from "../../codegen/contract-plan.ts";
import { interpret } from "../../plan/interpret.ts";

const graph: LoadablePlan["graph"] = {
  order: [],
  leaves: [],
  scalars: [],
  outputs: [],
  writes: [],
  checks: [],
};
const none = new Float64Array(0);

/** to[i] = from[i] + by[0], over f32 buffers. */
function addCall(
  length: number,
  from: number,
  by: number,
  to: number,
  kind: "f32" | "i32" = "f32",
  check = false,
): KernelCall {
  const structure: Omit<LoopKernel, "key"> = {
    kind: "loop",
    outer: 0,
    inner: 1,
    vector: "inner",
    accesses: [
      { dtype: kind, level: "full", vector: "unit" },
      { dtype: kind, level: "scalar", vector: "uniform" },
      { dtype: kind, level: "full", vector: "unit" },
    ],
    body: [
      { op: "load", dtype: kind, access: 0 },
      { op: "load", dtype: kind, access: 1 },
      { op: "add", dtype: kind, args: [0, 1] },
    ],
    stores: [{ access: 2, value: 2 }],
  };
  const kernel: LoopKernel = { ...structure, key: JSON.stringify(structure) };
  const access = (buffer: number, stride: number) => ({ buffer, offset: 0, strides: [stride] });
  // A check's status word is where its first store goes.
  return {
    kernel,
    extents: [length],
    accesses: [access(from, 1), access(by, 0), access(to, 1)],
    flops: length,
    bytes: 0,
    check,
  };
}

/** A resident parameter and a host array: parameter += scalar; result = array + parameter[0]. */
function updatePlan(length: number): LoadablePlan {
  const bytes = Math.ceil((length * 4) / 64) * 64;
  const buffers: PlanBuffer[] = [
    { kind: "input", slot: 0 },
    { kind: "input", slot: 1 },
    { kind: "scalar", index: 0 },
    { kind: "arena", offset: bytes, bytes },
  ];
  return {
    id: 1,
    inputs: [
      { dtype: "f32", shape: [length], offset: null },
      { dtype: "f32", shape: [length], offset: 0 },
    ],
    scalars: ["f32"],
    buffers,
    arenaBytes: 2 * bytes,
    exchanges: [],
    calls: [addCall(length, 0, 2, 0), addCall(length, 1, 0, 3)],
    outputs: [{ dtype: "f32", shape: [length], offset: bytes, buffer: 3 }],
    graph,
  };
}

const floats = (view: Uint8Array, length: number) => [...new Float32Array(view.slice().buffer, 0, length)];

test("resident inputs are overwritten in place, arrays copied in, results copied out, scalars read anew", () => {
  const backend = createWasm();
  const parameter = backend.allocate(20);
  const executable = backend.load(updatePlan(5));
  const host = Float32Array.of(10, 20, 30, 40, 50);
  const result = new Float32Array(5);
  expect(executable.run([parameter, host], Float64Array.of(1.5), [result])).toBe(-1);
  expect(floats(parameter.view(), 5)).toEqual([1.5, 1.5, 1.5, 1.5, 1.5]);
  expect([...result]).toEqual([11.5, 21.5, 31.5, 41.5, 51.5]);
  host.fill(0);
  executable.run([parameter, host], Float64Array.of(-0.5), [result]);
  expect([...result]).toEqual([1, 1, 1, 1, 1]);
  expect([...host]).toEqual([0, 0, 0, 0, 0]);
});

test("another allocation bound, and the first again", () => {
  const backend = createWasm();
  const [a, b] = [backend.allocate(20), backend.allocate(20)];
  const executable = backend.load(updatePlan(5));
  const [host, result] = [new Float32Array(5), new Float32Array(5)];
  for (const bound of [a, b, a, a]) executable.run([bound, host], Float64Array.of(1), [result]);
  expect(floats(a.view(), 5)).toEqual([3, 3, 3, 3, 3]);
  expect(floats(b.view(), 5)).toEqual([1, 1, 1, 1, 1]);
});

test("a larger plan moves the arena and grows the memory under a smaller one", () => {
  const backend = createWasm();
  const parameter = backend.allocate(20);
  const small = backend.load(updatePlan(5));
  const [host, result] = [Float32Array.of(1, 2, 3, 4, 5), new Float32Array(5)];
  small.run([parameter, host], Float64Array.of(1), [result]);
  const length = 3_000_000;
  const large = backend.load(updatePlan(length));
  const largeParameter = backend.allocate(length * 4);
  const largeResult = new Float32Array(length);
  large.run([largeParameter, new Float32Array(length).fill(2)], Float64Array.of(1), [largeResult]);
  expect(largeResult.every((x) => x === 3)).toBe(true);
  small.run([parameter, host], Float64Array.of(1), [result]);
  expect([...result]).toEqual([3, 4, 5, 6, 7]);
});

test("one structure is compiled once, whatever its size", () => {
  const backend = createWasm();
  for (const length of [1, 5, 100]) backend.load(updatePlan(length));
  expect(backend.kernelsCompiled()).toBe(1);
});

test("memory in use returns to where it was when an executable is freed", () => {
  const backend = createWasm();
  backend.load(updatePlan(64)).free();
  const before = backend.memoryInUse();
  const executable = backend.load(updatePlan(64));
  expect(backend.memoryInUse()).toBeGreaterThan(before);
  executable.free();
  expect(backend.memoryInUse()).toBe(before);
});

test("a check that fails stops the run before later writes", () => {
  const backend = createWasm();
  // status = input word + 0, for two words; then parameter += 1.
  const buffers: PlanBuffer[] = [
    { kind: "input", slot: 0 },
    { kind: "input", slot: 1 },
    { kind: "input", slot: 2 },
    { kind: "scalar", index: 0 },
    { kind: "scalar", index: 1 },
    { kind: "arena", offset: 128, bytes: 4 },
    { kind: "arena", offset: 192, bytes: 4 },
  ];
  const plan: LoadablePlan = {
    id: 2,
    inputs: [
      { dtype: "i32", shape: [1], offset: 0 },
      { dtype: "i32", shape: [1], offset: 64 },
      { dtype: "f32", shape: [4], offset: null },
    ],
    scalars: ["i32", "f32"],
    buffers,
    arenaBytes: 256,
    exchanges: [],
    calls: [addCall(1, 0, 3, 5, "i32", true), addCall(1, 1, 3, 6, "i32", true), addCall(4, 2, 4, 2)],
    outputs: [],
    graph,
  };
  const executable = backend.load(plan);
  const parameter = backend.allocate(16);
  const run = (a: number, b: number) =>
    executable.run([Int32Array.of(a), Int32Array.of(b), parameter], Float64Array.of(0, 1), []);
  // A check stores through its kernel's first store, here the third access: the status is at the store's buffer.
  expect(run(0, 0)).toBe(-1);
  expect(run(0, 9)).toBe(1);
  expect(run(-3, 9)).toBe(0);
  expect(floats(parameter.view(), 4)).toEqual([1, 1, 1, 1]);
  expect(run(0, 0)).toBe(-1);
  expect(floats(parameter.view(), 4)).toEqual([2, 2, 2, 2]);
});

test("the same bits with any number of threads", async () => {
  const backend = createWasm();
  const products = [
    contractPlan({ m: 300, n: 500, k: 300, right: "n" }),
    contractPlan({ batch: [40], m: 40, n: 64, k: 64 }),
  ];
  for (const { inputs } of products)
    for (const x of inputs) for (let i = 0; i < x.length; i++) x[i] = Math.sin(i);
  const compute = () =>
    products.map(({ plan, inputs }) => {
      const result = new Float32Array(plan.outputs[0]!.shape[0]!);
      backend.load(plan).run(inputs, none, [result]);
      return result;
    });
  const alone = compute();
  const differ = (results: Float32Array[]) =>
    results.filter((r, i) => r.some((x, e) => !Object.is(x, alone[i]![e]))).length;
  for (const threads of [2, 4, 1]) {
    backend.setThreads(threads);
    await expect.poll(() => backend.workersReady, { timeout: 20_000 }).toBe(threads - 1);
    for (let again = 0; again < 20; again++) expect(differ(compute())).toBe(0);
  }
});

test("products agree with kernels carried out element by element", () => {
  const { plan, inputs } = contractPlan({ m: 10, n: 12, k: 40, left: "m" });
  const result = new Float32Array(120);
  createWasm().load(plan).run(inputs, none, [result]);
  expect(result).toEqual(interpret(plan, inputs, []).outputs[0]);
});

test("workers are not started unasked before a loop is seen, or one run that is long", () => {
  const startAfter = (...runs: number[]) => {
    const { threads } = settings;
    settings.threads = undefined;
    const backend = createWasm();
    settings.threads = threads;
    for (const milliseconds of runs) backend.took(milliseconds);
    const counts = backend.countsTime;
    backend.setThreads(1);
    return !counts;
  };
  expect(startAfter(150)).toBe(false);
  expect(startAfter(200)).toBe(true);
  expect(startAfter(20, 20)).toBe(false);
  expect(startAfter(20, 40)).toBe(true);
  expect(startAfter(...Array(7).fill(1))).toBe(false);
  expect(startAfter(...Array(8).fill(1))).toBe(true);
});

test("kernels that nothing calls go where there are many, with workers too, and come back when they are asked for", async () => {
  const backend = createWasm(2);
  const variants: Partial<Product>[] = [
    {},
    { left: "m" },
    { right: "n" },
    { left: "m", right: "n" },
    { batch: [2] },
  ];
  const plans = variants.map((more) => contractPlan({ m: 96, n: 96, k: 96, ...more }));
  for (const { inputs } of plans)
    for (const x of inputs) for (let i = 0; i < x.length; i++) x[i] = Math.sin(i);
  const run = (executable: ReturnType<typeof backend.load>, { plan, inputs }: (typeof plans)[number]) => {
    const result = new Float32Array(plan.outputs[0]!.shape[0]!);
    executable.run(inputs, none, [result]);
    return result;
  };
  const once = (p: (typeof plans)[number]) => {
    const executable = backend.load(p.plan);
    const result = run(executable, p);
    executable.free();
    return result;
  };
  const held = backend.load(plans[0]!.plan);
  const results = plans.map(once);
  expect(backend.kernelsCompiled()).toBe(plans.length);
  // It has been called all the time; the last one is there still, and the others are not.
  expect(once(plans[0]!)).toEqual(results[0]);
  expect(once(plans[4]!)).toEqual(results[4]);
  expect(backend.kernelsCompiled()).toBe(plans.length);
  expect(once(plans[1]!)).toEqual(results[1]);
  expect(backend.kernelsCompiled()).toBe(plans.length + 1);
  backend.setThreads(2);
  for (const p of plans) once(p);
  const memory = backend.memoryInUse();
  for (let again = 0; again < 2; again++)
    for (const [i, p] of plans.entries()) {
      await expect.poll(() => backend.workersReady, { timeout: 20_000 }).toBe(1);
      expect(once(p)).toEqual(results[i]);
      expect(run(held, plans[0]!)).toEqual(results[0]);
    }
  // Modules of four kernels at most, of some 5 kB each.
  expect(backend.memoryInUse()).toBeLessThan(memory + 20_000);
  backend.setThreads(1);
});
