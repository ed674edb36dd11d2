import { afterEach, expect, test } from "vitest";
import { WasmMemory } from "../../../src/backends/wasm/memory.ts";
import { WorkerPool } from "../../../src/backends/wasm/threads.ts";
import { control, emitWalker, entry } from "../../../src/backends/wasm/walker.ts";
import { ModuleBuilder } from "../../../src/targets/wasm/emitter.ts";

const scratchBytes = 64;
const pools: WorkerPool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.stop();
});

/** A kernel that adds `amount` to words [begin, end) of its arguments, and their number to its thread's scratch. */
function counting(memory: WasmMemory, amount: number): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(memory);
  const scratch = module.importGlobal("scratch");
  const f = module.func("run", ["i32", "i32", "i32"]);
  const [args, begin, end] = [0, 1, 2] as const;
  const address = f.local("i32");
  f.globalGet(scratch);
  f.get(end);
  f.get(begin);
  f.op("i32.sub");
  f.memory("i32.atomic.rmw.add");
  f.op("drop");
  f.loop(() => {
    f.get(args);
    f.get(begin);
    f.i32(4);
    f.op("i32.mul", "i32.add");
    f.tee(address);
    f.get(address);
    f.memory("i32.load");
    f.i32(amount);
    f.op("i32.add");
    f.memory("i32.store");
    f.bump(begin, 1);
    f.get(begin);
    f.get(end);
    f.op("i32.lt_s");
    f.brIf(0);
  });
  return module.bytes();
}

interface Row {
  kernel: number;
  args: number;
  total: number;
  chunk: number;
  status?: number;
}

/** A memory with a walker, its workers, and a table of counting kernels (kernel i adds i + 1). */
function setUp(workers: number, kernels: number) {
  const memory = new WasmMemory(16 * 2 ** 20);
  const base = memory.reserve(control.bytes);
  const own = memory.reserve(scratchBytes);
  const scratches = [own];
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 0 });
  const walker = emitWalker(memory, base, true);
  const instantiate = (bytes: Uint8Array<ArrayBuffer>) =>
    new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory: memory.memory, table, scratch: own },
    }).exports;
  const walk = instantiate(walker).walk as (table: number, rows: number, threads: number) => number;
  const pool = new WorkerPool(memory, base, walker, "{}", () => {
    scratches.push(memory.reserve(scratchBytes));
    return scratches.at(-1)!;
  });
  pools.push(pool);
  pool.resize(workers);
  const publish = (index: number) => {
    const bytes = counting(memory, index + 1);
    table.grow(1);
    table.set(index, instantiate(bytes).run as () => void);
    pool.publish({ index, bytes });
  };
  for (let i = 0; i < kernels; i++) publish(i);
  const rows = (list: readonly Row[]) => {
    const at = memory.reserve(list.length * entry.bytes);
    for (const [i, row] of list.entries()) {
      const word = (at + i * entry.bytes) / 4;
      const { i32 } = memory.views;
      i32[word + entry.function / 4] = row.kernel;
      i32[word + entry.args / 4] = row.args;
      i32[word + entry.total / 4] = row.total;
      i32[word + entry.chunk / 4] = row.chunk;
      i32[word + entry.status / 4] = row.status ?? 0;
    }
    return at;
  };
  const words = (at: number, length: number) => [...memory.views.i32.subarray(at / 4, at / 4 + length)];
  return {
    memory,
    base,
    pool,
    walk,
    publish,
    rows,
    words,
    counts: () => scratches.map((s) => Atomics.load(memory.views.i32, s / 4)),
  };
}

test("rows run in order, each over its whole range", () => {
  const { memory, walk, rows, words } = setUp(0, 3);
  const data = memory.reserve(400);
  const table = rows([
    { kernel: 0, args: data, total: 100, chunk: 7 },
    { kernel: 2, args: data, total: 50, chunk: 50 },
    { kernel: 1, args: data + 40, total: 10, chunk: 3 },
  ]);
  expect(walk(table, 3, 1)).toBe(-1);
  expect(words(data, 100)).toEqual(
    Array.from({ length: 100 }, (_, i) => 1 + (i < 50 ? 3 : 0) + (i >= 10 && i < 20 ? 2 : 0)),
  );
});

test.each([1, 3])("a status word that is not zero stops the walk there (%i threads)", (threads) => {
  const { memory, walk, rows, words } = setUp(threads - 1, 1);
  const data = memory.reserve(400);
  const status = [memory.reserve(4), memory.reserve(4)] as const;
  const table = rows([
    { kernel: 0, args: data, total: 10, chunk: 5, status: status[0] },
    { kernel: 0, args: data, total: 20, chunk: 5 },
    { kernel: 0, args: data, total: 30, chunk: 30, status: status[1] },
    { kernel: 0, args: data, total: 40, chunk: 5 },
  ]);
  expect(walk(table, 4, threads)).toBe(-1);
  memory.views.i32[status[1] / 4] = 5;
  // Statuses are counted, not rows.
  expect(walk(table, 4, threads)).toBe(1);
  memory.views.i32[status[0] / 4] = -1;
  expect(walk(table, 4, threads)).toBe(0);
  // Four rows ran, then three, then one.
  expect(words(data, 40)).toEqual(
    Array.from({ length: 40 }, (_, i) => (i < 10 ? 8 : i < 20 ? 5 : i < 30 ? 3 : 1)),
  );
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("threads share tasks out: each index once, whoever takes it", async () => {
  const { memory, walk, rows, words, counts } = setUp(2, 2);
  const length = 5000;
  const data = memory.reserve(length * 4);
  const table = rows([
    { kernel: 0, args: data, total: length, chunk: 16 },
    { kernel: 1, args: data, total: length, chunk: 33 },
    { kernel: 0, args: data, total: 3, chunk: 8 },
  ]);
  let walks = 0;
  const until = Date.now() + 20_000;
  // Workers join when they are ready, which takes a moment; nothing waits for them.
  while (walks < 200 || (counts().some((c) => c === 0) && Date.now() < until)) {
    expect(walk(table, 3, 3)).toBe(-1);
    walks++;
    if (walks % 20 === 0) await pause(1);
  }
  expect(words(data, length)).toEqual(Array.from({ length }, (_, i) => walks * (i < 3 ? 4 : 3)));
  expect(counts().every((c) => c > 0)).toBe(true);
  expect(counts().reduce((a, b) => a + b)).toBe(walks * (2 * length + 3));
});

test("workers load kernels that come later", async () => {
  const { memory, walk, rows, words, publish, counts } = setUp(1, 1);
  const length = 4000;
  const data = memory.reserve(length * 4);
  const first = rows([{ kernel: 0, args: data, total: length, chunk: 10 }]);
  const until = Date.now() + 20_000;
  let walks = 0;
  const share = async (table: number) => {
    const before = counts()[1]!;
    while (counts()[1] === before && Date.now() < until) {
      walk(table, 1, 2);
      walks++;
      await pause(1);
    }
    expect(counts()[1]).toBeGreaterThan(before);
  };
  await share(first);
  const early = walks;
  // Beyond what the worker has seen of the memory.
  memory.reserve(4 * 2 ** 20);
  publish(1);
  await share(rows([{ kernel: 1, args: data, total: length, chunk: 10 }]));
  expect(new Set(words(data, length))).toEqual(new Set([early + 2 * (walks - early)]));
});
