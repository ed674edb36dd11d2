import { awaitStart } from "../../base/yielding.ts";
import type { WasmMemory } from "./memory.ts";
import { control } from "./walker.ts";

/** Beyond its header a published kernel's block is the module's bytes: next block, place in the table, length. */
const header = 12;

/** What a worker needs to begin. */
interface Start {
  memory: WebAssembly.Memory;
  base: number;
  scratch: number;
  walker: Uint8Array;
}

/**
 * A worker's whole program, as text so that it needs no file of its own: load what kernels there are, work until
 * there are more, and again.
 */
const program = (math: string, words: typeof control) => `
const math = ${math};
function begin({ memory, base, scratch, walker }) {
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 0 });
  const env = { memory, table, scratch, ...math };
  const start = (bytes) => new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports;
  const { work } = start(walker);
  const word = (at) => new Int32Array(memory.buffer, at, 1);
  let link = base + ${words.kernels};
  Atomics.add(word(base + ${words.joined}), 0, 1);
  while (Atomics.load(word(base + ${words.stop}), 0) === 0) {
    const generation = Atomics.load(word(base + ${words.generation}), 0);
    for (let at; (at = Atomics.load(word(link), 0)) !== 0; link = at) {
      // Memory that another thread has grown shows here a moment later.
      while (memory.buffer.byteLength < at + ${header});
      const [, index, length] = new Int32Array(memory.buffer, at, 3);
      while (memory.buffer.byteLength < at + ${header} + length);
      if (table.length <= index) table.grow(index + 1 - table.length);
      table.set(index, start(new Uint8Array(memory.buffer, at + ${header}, length).slice()).run);
    }
    work(generation);
  }
}`;

/** Functions as text that another thread can evaluate. */
export function sourceOf(functions: Readonly<Record<string, (...args: number[]) => number>>): string {
  const entries = Object.entries(functions).map(([name, fn]) => {
    const text = String(fn);
    return `${name}: ${text.includes("[native code]") ? `Math.${fn.name}` : `(${text})`}`;
  });
  return `{ ${entries.join(", ")} }`;
}

interface Handle {
  terminate(): unknown;
}

/** What is used of Node's module of threads. */
interface NodeThreads {
  Worker: new (
    source: string,
    options: { eval: true; execArgv: string[]; workerData: unknown },
  ) => Handle & { unref(): void };
}

/** Starts one worker; it joins when it is ready, and nobody waits for it. */
function spawn(source: string, start: Start): Handle {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } };
  const threads = process?.getBuiltinModule?.("node:worker_threads") as NodeThreads | undefined;
  if (threads !== undefined) {
    const worker = new threads.Worker(
      `${source}\nbegin(process.getBuiltinModule("node:worker_threads").workerData);`,
      {
        eval: true,
        execArgv: [],
        workerData: start,
      },
    );
    worker.unref();
    return worker;
  }
  const url = URL.createObjectURL(
    new Blob([`${source}\nonmessage = (event) => begin(event.data);`], { type: "text/javascript" }),
  );
  const worker = new Worker(url);
  worker.postMessage(start);
  return worker;
}

/** The workers of one memory. */
export class WorkerPool {
  readonly #memory: WasmMemory;
  readonly #base: number;
  readonly #source: string;
  readonly #walker: Uint8Array;
  readonly #newScratch: () => number;
  #workers: Handle[] = [];
  /** Scratch of each worker; kept for the one that takes its place. */
  readonly #scratch: number[] = [];
  #last: number;

  constructor(memory: WasmMemory, base: number, walker: Uint8Array, math: string, newScratch: () => number) {
    this.#memory = memory;
    this.#base = base;
    this.#walker = walker;
    this.#source = program(math, control);
    this.#newScratch = newScratch;
    this.#last = base + control.kernels;
  }

  /** Workers there are, ready or not. */
  get size(): number {
    return this.#workers.length;
  }

  /** Workers that have started and take tasks. */
  get ready(): number {
    return Atomics.load(this.#memory.views.i32, (this.#base + control.joined) / 4);
  }

  /** Makes a kernel known to workers. */
  publish(index: number, bytes: Uint8Array): void {
    const at = this.#memory.reserve(header + bytes.length);
    const { i32, u8 } = this.#memory.views;
    u8.set(bytes, at + header);
    i32[at / 4 + 1] = index;
    i32[at / 4 + 2] = bytes.length;
    Atomics.store(i32, this.#last / 4, at);
    this.#last = at;
    Atomics.add(i32, (this.#base + control.generation) / 4, 1);
  }

  /** Starts or stops workers until there are `count`. */
  resize(count: number): void {
    if (count < this.#workers.length) this.stop();
    while (this.#workers.length < count) {
      const scratch = (this.#scratch[this.#workers.length] ??= this.#newScratch());
      this.#workers.push(
        spawn(this.#source, { memory: this.#memory.memory, base: this.#base, scratch, walker: this.#walker }),
      );
      awaitStart(() => this.ready < this.size);
    }
  }

  /** Ends every worker. Nothing may be running. */
  stop(): void {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
    Atomics.store(this.#memory.views.i32, (this.#base + control.joined) / 4, 0);
  }
}
