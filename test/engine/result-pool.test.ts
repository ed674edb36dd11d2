import { capture, type Tensor, tensor } from "thaw/tensor";
import { expect, test } from "vitest";
import type { Allocation, Backend } from "../../src/backends/contract.ts";
import { backendOf, currentBackend } from "../../src/backends/registry.ts";
import { bytesOf } from "../../src/base/dtype.ts";
import { BackendError, IndexError } from "../../src/base/errors.ts";
import { Storage } from "../../src/engine/storage.ts";
import { node } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { input } from "../plan/random-graph.ts";

/** Elements of 64 KiB: results of that size are in memory of the pool. */
const size = 2 ** 14;
const full = (value: number): Tensor => tensor(new Float32Array(size).fill(value));

function expectFull(result: Tensor, value: number): void {
  const data = result.dataSync();
  expect([data[0], data[size - 1], data.length]).toEqual([value, value, size]);
}

test("results that are held stay as they were, however many calls come after", () => {
  const twice = capture((x: Tensor) => ({ y: x.mul(2), z: x.add(1) }));
  const held = Array.from({ length: 40 }, (_, i) => twice(full(i)));
  for (const [i, { y, z }] of held.entries()) {
    expectFull(y, 2 * i);
    expectFull(z, i + 1);
  }
});

test("a result is the next call's argument, beside others that are held", () => {
  const next = capture((x: Tensor) => x.add(1));
  const other = capture((x: Tensor) => x.mul(3));
  let x = full(0);
  const held: Tensor[] = [];
  for (let i = 0; i < 60; i++) {
    x = next(x);
    if (i % 7 === 0) held.push(x, other(x));
  }
  expectFull(x, 60);
  for (const [i, h] of held.entries()) {
    const value = Math.floor(i / 2) * 7 + 1;
    expectFull(h, i % 2 === 0 ? value : 3 * value);
  }
  // An array is bound after memory, and memory after an array.
  expectFull(next(full(7)), 8);
  expectFull(next(next(full(1))), 3);
});

test("what a captured function closes over, and what is asked for later, means the value of then", () => {
  const make = capture((x: Tensor) => x.mul(10));
  const seen = make(full(1));
  const closes = capture((x: Tensor) => x.add(seen));
  const pending = seen.add(5);
  const results = Array.from({ length: 30 }, (_, i) => [make(full(i)), closes(full(i))] as const);
  expectFull(pending, 15);
  for (const [i, [made, closed]] of results.entries()) {
    expectFull(made, 10 * i);
    expectFull(closed, i + 10);
  }
});

test("results of one buffer, of more than there are slots for, and of many sizes are all right", () => {
  const views = capture((x: Tensor) => {
    const y = x.add(1);
    return [y, y.reshape([2, size / 2]), y.mul(1)];
  });
  const many = capture((x: Tensor) => Array.from({ length: 12 }, (_, i) => x.add(i)));
  for (let round = 0; round < 4; round++) {
    const seen = views(full(round));
    for (const [i, y] of many(full(round)).entries()) expectFull(y, round + i);
    for (const y of seen) expectFull(y.reshape([size]), round + 1);
  }
  const some = capture((x: Tensor) => x.mul(2));
  const held = Array.from({ length: 30 }, (_, i) => some(tensor(new Float32Array(size + i).fill(i))));
  for (const [i, y] of held.entries()) expect([y.dataSync()[size - 1], y.shape]).toEqual([2 * i, [size + i]]);
});

test("a call that fails leaves results of before as they are", () => {
  const rows = capture((x: Tensor, at: Tensor) =>
    x
      .reshape([4, size / 4])
      .indexSelect(0, at)
      .reshape([size]),
  );
  const good = tensor([0, 1, 2, 3], { dtype: "i32" });
  const held = Array.from({ length: 9 }, (_, i) => rows(full(i), good));
  for (let i = 0; i < 10; i++)
    expect(() => rows(full(-1), tensor([0, 9, 2, 3], { dtype: "i32" })).dataSync()).toThrow(IndexError);
  const more = Array.from({ length: 9 }, (_, i) => rows(full(i + 100), good));
  for (const [i, y] of held.entries()) expectFull(y, i);
  for (const [i, y] of more.entries()) expectFull(y, i + 100);
});

test("calls that nobody reads take no more memory than a few", () => {
  const twice = capture((x: Tensor) => x.mul(2));
  const x = full(3);
  for (let i = 0; i < 20; i++) twice(x);
  const held = currentBackend().memoryInUse();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 5000; i++) twice(x);
  expect(currentBackend().memoryInUse()).toBe(held);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 27);
  expectFull(twice(x), 6);
});

test.each(["native", "wasm", "reference"])(
  "%s reads arguments and writes results where they are bound",
  (name) => {
    const backend = backendOf(name);
    const [a, b] = [input([5]), input([5])];
    const plan = buildPlan({
      outputs: [node("add", [a, b], {})],
      writes: [],
      checks: [],
      resident: () => false,
    });
    const executable = backend.load(plan);
    const memory = [1, 2, 3].map((value) => {
      const allocation = backend.allocate(20);
      allocation.write(bytesOf(new Float32Array(5).fill(value)), 0);
      return allocation;
    });
    const [one, two, out] = memory as [Allocation, Allocation, Allocation];
    const array = new Float32Array(5).fill(10);
    const result = new Float32Array(5);
    const run = (
      x: Allocation | Float32Array,
      y: Allocation | Float32Array,
      to: Allocation | Float32Array,
    ) => {
      expect(executable.run([x, y], new Float64Array(0), [to])).toBe(-1);
      return new Float32Array((to === out ? out.view() : bytesOf(result)).slice().buffer)[4];
    };
    for (let i = 0; i < 2; i++) {
      expect(run(one, two, out)).toBe(3);
      expect(run(array, two, result)).toBe(12);
      expect(run(two, array, out)).toBe(12);
      expect(run(array, array, result)).toBe(20);
      expect(run(two, two, result)).toBe(4);
    }
    executable.free();
    for (const allocation of memory) allocation.free();
  },
);

test("a value that only a device has is read when that gives it, as it was when asked for", async () => {
  let bytes = new Uint8Array(12);
  const device: Allocation = {
    bytes: 12,
    view() {
      throw new BackendError("far: this memory cannot be looked at; await data()");
    },
    async read(into, from) {
      const then = bytes.slice(from, from + into.length);
      await new Promise((resolve) => setTimeout(resolve, 1));
      into.set(then);
    },
    write(from, at) {
      bytes = bytes.slice();
      bytes.set(from, at);
    },
    free() {},
  };
  const storage = new Storage("f32", 3, Float32Array.of(1, 2, 3), true);
  storage.binding({ allocate: () => device } as unknown as Backend);
  const first = storage.readLater();
  storage.overwrite(Float32Array.of(4, 5, 6));
  expect([...(await first)]).toEqual([1, 2, 3]);
  expect([...(await storage.readLater())]).toEqual([4, 5, 6]);
  expect(() => storage.read()).toThrow(BackendError);
});
