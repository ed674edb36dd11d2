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
 * there are more, and again. It waits where memory that another thread has grown does not show yet.
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
  ) => Handle & { unref(): void; on(event: "error", listener: (error: Error) => void): void };
}

/** What is used of a page's trusted types. */
interface TrustedTypes {
  createPolicy(name: string, rules: object): { createScriptURL(url: string): string };
}

/** Says why a worker cannot run, and what to do about it. */
type Failed = (reason: string) => void;

/** Starts one worker; it joins when it is ready, and nobody waits for it. Throws, or calls `failed`, where it cannot. */
function spawn(source: string, start: Start, failed: Failed): Handle {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } };
  const threads = process?.getBuiltinModule?.("node:worker_threads") as NodeThreads | undefined;
  if (threads !== undefined) {
    const worker = new threads.Worker(
      `${source}\nbegin(process.getBuiltinModule("node:worker_threads").workerData);`,
      // Options of Node's own, such as a module that it loads first, are not for this worker.
      { eval: true, execArgv: [], workerData: start },
    );
    worker.on("error", ({ message }) => failed(`a worker has ended: ${message}`));
    worker.unref();
    return worker;
  }
  const blob = new Blob([`${source}\nonmessage = (event) => begin(event.data);`], {
    type: "text/javascript",
  });
  const worker = new Worker(trusted(URL.createObjectURL(blob)));
  worker.onerror = ({ message }) =>
    failed(
      // A worker whose program was not loaded says nothing.
      message
        ? `a worker has ended: ${message}`
        : "the page's Content-Security-Policy lets no worker start; add blob: to its worker-src",
    );
  worker.postMessage(start);
  return worker;
}

let policy: { createScriptURL(url: string): string } | null = null;

/** A URL as a page under trusted types may start a worker from it; elsewhere the URL itself. */
function trusted(url: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return url;
  try {
    policy ??= trustedTypes.createPolicy("thaw", { createScriptURL: (own: string) => own });
  } catch {
    // Only where they are enforced, too, does the page refuse the text below.
    return url;
  }
  return policy.createScriptURL(url);
}

/** Why the attempt to start a worker threw. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/trusted/i.test(message))
    return "the page's Content-Security-Policy refuses its trusted type; add thaw to its trusted-types";
  if (/content security policy|worker-src|security/i.test(message))
    return `the page's Content-Security-Policy lets no worker start; add blob: to its worker-src (${message})`;
  return `no worker starts here: ${message}`;
}

/** A kernel as workers need it: its place in the table and its module. */
interface Published {
  readonly index: number;
  readonly bytes: Uint8Array;
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
  /** Where published kernels are: address and length. */
  #blocks: [at: number, size: number][] = [];
  #failure: string | null = null;

  constructor(memory: WasmMemory, base: number, walker: Uint8Array, math: string, newScratch: () => number) {
    this.#memory = memory;
    this.#base = base;
    this.#walker = walker;
    this.#source = program(math, control);
    this.#newScratch = newScratch;
    this.#last = base + control.kernels;
  }

  /** Why there are no workers though there should be, and what to do about it; null: nothing has gone wrong. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Workers there are, ready or not. */
  get size(): number {
    return this.#workers.length;
  }

  /** Workers that have started and take tasks. */
  get ready(): number {
    return Atomics.load(this.#memory.views.i32, (this.#base + control.joined) / 4);
  }

  /** Kernels made known so far, of which some may be in the places of others. */
  get published(): number {
    return this.#blocks.length;
  }

  /** Makes a kernel known to workers. */
  publish({ index, bytes }: Published): void {
    const size = header + bytes.length;
    const at = this.#memory.reserve(size);
    const { i32, u8 } = this.#memory.views;
    u8.set(bytes, at + header);
    i32[at / 4 + 1] = index;
    i32[at / 4 + 2] = bytes.length;
    Atomics.store(i32, this.#last / 4, at);
    this.#last = at;
    this.#blocks.push([at, size]);
    Atomics.add(i32, (this.#base + control.generation) / 4, 1);
  }

  /** Has workers know these kernels and no others. Others take their places, as those that there are may be reading. */
  renew(kernels: Iterable<Published>): void {
    const { size } = this;
    this.stop();
    this.#last = this.#base + control.kernels;
    Atomics.store(this.#memory.views.i32, this.#last / 4, 0);
    for (const [at, bytes] of this.#blocks) this.#memory.release(at, bytes);
    this.#blocks = [];
    for (const kernel of kernels) this.publish(kernel);
    this.resize(size);
  }

  /** Starts or stops workers until there are `count`; none, and never again, where one cannot run. */
  resize(count: number): void {
    if (count < this.#workers.length) this.stop();
    while (this.#workers.length < count && this.#failure === null) {
      const scratch = (this.#scratch[this.#workers.length] ??= this.#newScratch());
      const start = { memory: this.#memory.memory, base: this.#base, scratch, walker: this.#walker };
      try {
        const worker = spawn(this.#source, start, (reason) => {
          // One that was ended before may still be heard of.
          if (this.#workers.includes(worker)) this.#fail(reason);
        });
        this.#workers.push(worker);
        awaitStart(() => this.ready < this.size);
      } catch (error) {
        this.#fail(reasonOf(error));
      }
    }
  }

  /** Goes on with one thread. Heard of between calls, when nothing is running. */
  #fail(reason: string): void {
    this.#failure = reason;
    this.stop();
    console.warn(`thaw: one thread: ${reason}.`);
  }

  /** Ends every worker. Nothing may be running. */
  stop(): void {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
    Atomics.store(this.#memory.views.i32, (this.#base + control.joined) / 4, 0);
  }
}
