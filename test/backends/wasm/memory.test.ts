import { expect, test } from "vitest";
import { WasmMemory } from "../../../src/backends/wasm/memory.ts";
import { OutOfMemoryError } from "../../../src/base/errors.ts";

const mib = 2 ** 20;

test("blocks are aligned to 64 bytes, apart from each other, and zero", () => {
  const memory = new WasmMemory(16 * mib);
  const blocks = [1, 64, 65, 1000, 0].map((bytes) => memory.allocate(bytes));
  for (const block of blocks) {
    expect(block.address % 64).toBe(0);
    expect(block.address).toBeGreaterThan(0);
    expect([...block.view()]).toEqual(new Array(block.bytes).fill(0));
    block.view().fill(255);
  }
  const ends = blocks.map((b) => b.address + Math.max(1, b.bytes));
  for (const [i, a] of blocks.entries())
    for (const [j, b] of blocks.entries())
      if (i !== j) expect(a.address >= ends[j]! || b.address >= ends[i]!).toBe(true);
});

test("what is freed is used again, whole, and zeroed", () => {
  const memory = new WasmMemory(16 * mib);
  const before = memory.inUse;
  const blocks = Array.from({ length: 5 }, () => memory.allocate(4096));
  const { address } = blocks[0]!;
  for (const block of blocks) block.view().fill(7);
  // Neighbours are joined in whatever order they go.
  for (const i of [1, 3, 0, 4, 2]) blocks[i]!.free();
  expect(memory.inUse).toBe(before);
  const whole = memory.allocate(5 * 4096);
  expect(whole.address).toBe(address);
  expect(whole.view().every((x) => x === 0)).toBe(true);
});

test("a block that is partly of memory used before, and partly of fresh, is zero", () => {
  const memory = new WasmMemory(16 * mib);
  const used = memory.allocate(4096);
  used.view().fill(7);
  used.free();
  const { address, bytes } = memory.allocate(3 * 4096);
  expect(address).toBe(used.address);
  const view = memory.views.u8.subarray(address, address + bytes);
  expect(view.every((x) => x === 0)).toBe(true);
  view.fill(9);
  expect(
    memory
      .allocate(4096)
      .view()
      .every((x) => x === 0),
  ).toBe(true);
});

test("freeing twice is once", () => {
  const memory = new WasmMemory(16 * mib);
  const before = memory.inUse;
  const a = memory.allocate(256);
  a.free();
  a.free();
  expect(memory.inUse).toBe(before);
});

test("it grows on demand, and what was there stays", () => {
  const memory = new WasmMemory(64 * mib);
  const small = memory.allocate(8);
  small.view().set([1, 2, 3, 4, 5, 6, 7, 8]);
  const size = memory.memory.buffer.byteLength;
  const large = memory.allocate(20 * mib);
  expect(memory.memory.buffer.byteLength).toBeGreaterThan(size);
  expect([...small.view()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  large.view()[20 * mib - 1] = 9;
  expect(memory.views.u8[large.address + 20 * mib - 1]).toBe(9);
});

test("running out is an error that says what there is, and leaves the rest usable", () => {
  const memory = new WasmMemory(4 * mib);
  const kept = memory.allocate(mib);
  let caught: unknown;
  try {
    memory.allocate(8 * mib);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(OutOfMemoryError);
  expect((caught as Error).message).toMatch(
    /8\.0 MiB more are needed; 1\.\d MiB are in use of at most 4\.0 MiB.*THAW_MAX_MEMORY/s,
  );
  expect(kept.view().length).toBe(mib);
  expect(memory.allocate(2 * mib).bytes).toBe(2 * mib);
});

test("where the system gives fewer addresses, it is one of fewer", () => {
  const { Memory } = WebAssembly;
  let [most, asked] = [2 ** 14, 0];
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      asked++;
      if (descriptor.maximum! > most) throw new RangeError("could not allocate memory");
      super(descriptor);
    }
  };
  try {
    const memory = new WasmMemory(2 ** 32);
    expect(memory.maximum).toBe(2 ** 14);
    expect(asked).toBe(3);
    expect(memory.allocate(2 ** 21).view().length).toBe(2 ** 21);
    most = 2 ** 9;
    expect(() => new WasmMemory(2 ** 32)).toThrow(
      /no memory of up to 64\.0 MiB.*--disable-wasm-trap-handler/s,
    );
    // What was asked for is never exceeded.
    expect(new WasmMemory(2 ** 22).maximum).toBe(2 ** 6);
  } finally {
    WebAssembly.Memory = Memory;
  }
});
