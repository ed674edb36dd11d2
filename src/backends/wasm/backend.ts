import { BackendError } from "../../base/errors.ts";
import { settings } from "../../base/settings.ts";
import { codeKey } from "../../codegen/code-key.ts";
import { type ProductForm, productForm } from "../../codegen/product-policy.ts";
import type { Kernel, KernelCall } from "../../plan/kernel.ts";
import { emitKernelWasm } from "../../targets/wasm/kernel.ts";
import { scratchBytes } from "../../targets/wasm/products.ts";
import type { Allocation, Backend, Executable, LoadablePlan, Peaks } from "../contract.ts";
import { measurePeaks } from "../peaks.ts";
import { Sharing } from "../sharing.ts";
import { type Host, WasmExecutable } from "./executable.ts";
import { detectFeatures, type Features } from "./features.ts";
import { mathImports } from "./math.ts";
import { WasmMemory } from "./memory.ts";
import { sourceOf, WorkerPool } from "./threads.ts";
import { control, emitWalker } from "./walker.ts";

/**
 * Workers take memory and some 50 ms to start, which a loop repays: they are started unasked after so many runs that
 * gain by threads, or, from the second on, once such runs have taken so many milliseconds of this thread; or after the
 * first, where that alone is so long that a start is little beside it.
 */
const beforeWorkers = { runs: 8, milliseconds: 50, millisecondsOfOne: 200 };

/** A compiled kernel: its place in the table, its module for workers, and how many executables call it. */
interface Compiled {
  readonly index: number;
  readonly key: string;
  readonly bytes: Uint8Array;
  users: number;
}

/** WebAssembly SIMD from our own byte emitter: one memory, one table of kernels, one arena for all plans. */
class WasmBackend implements Backend, Host {
  readonly name = "wasm";
  readonly memory: WasmMemory;
  /** Grows whenever the arena moves: executables then renew their pointers. */
  arenaVersion = 0;
  arena = 0;
  /** Says how many threads there are for what gains by them; null: somebody has asked for a number, for all that runs. */
  #sharing: Sharing | null = null;
  readonly #gaining = { runs: 0, milliseconds: 0 };
  readonly walk: Host["walk"];
  readonly #features: Features;
  readonly #table: WebAssembly.Table;
  readonly #base: number;
  readonly #walker: Uint8Array<ArrayBuffer>;
  readonly #scratch: number;
  /** By key, that last which was asked for last; and by place in the table. */
  readonly #kernels = new Map<string, Compiled>();
  readonly #places: Compiled[] = [];
  /** Places in the table that have been given up. */
  readonly #free: number[] = [];
  readonly #mostKernels: number;
  #kernelsCompiled = 0;
  #arenaBytes = 0;
  #pool: WorkerPool | null = null;

  /** Keeps so many kernels; more only as long as executables call them. */
  constructor(mostKernels: number) {
    this.#mostKernels = mostKernels;
    if (typeof WebAssembly !== "object") throw new BackendError("wasm: this engine has no WebAssembly");
    this.#features = detectFeatures();
    if (!this.#features.simd) throw new BackendError("wasm: this engine's WebAssembly has no SIMD");
    this.memory = new WasmMemory();
    this.#table = new WebAssembly.Table({ element: "anyfunc", initial: 0 });
    this.#base = this.memory.reserve(control.bytes);
    this.#scratch = this.memory.reserve(scratchBytes());
    this.#walker = emitWalker(this.memory, this.#base, typeof document === "undefined");
    this.walk = this.#start().walk as Host["walk"];
    if (settings.threads !== undefined) this.setThreads(settings.threads);
    else if (this.memory.shared) this.#sharing = new Sharing();
  }

  /** The first module that is compiled, which the policy of a page may refuse. */
  #start(): WebAssembly.Exports {
    try {
      return this.#instantiate(this.#walker);
    } catch (error) {
      if (!(error instanceof WebAssembly.CompileError)) throw error;
      throw new BackendError(
        "wasm: this page may not compile WebAssembly; add 'wasm-unsafe-eval' to script-src of its " +
          `Content-Security-Policy (${error.message})`,
        { cause: error },
      );
    }
  }

  #instantiate(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Exports {
    const env = { memory: this.memory.memory, table: this.#table, scratch: this.#scratch, ...mathImports };
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports;
  }

  allocate(bytes: number): Allocation {
    return this.memory.allocate(bytes);
  }

  /** The place of a kernel in the table, which it keeps until `letGo` of it; compiled unless it is there. */
  hold(call: KernelCall): number {
    const form = productForm(call);
    const key = codeKey(call.kernel, form);
    const known = this.#kernels.get(key) ?? this.#compile(key, call.kernel, form);
    known.users++;
    this.#kernels.delete(key);
    this.#kernels.set(key, known);
    return known.index;
  }

  /** Takes back one `hold`. */
  letGo(index: number): void {
    this.#places[index]!.users--;
  }

  #compile(key: string, kernel: Kernel, form: ProductForm): Compiled {
    const bytes = emitKernelWasm(kernel, this.memory, this.#features.relaxed, form);
    const { run } = this.#instantiate(bytes);
    this.#makeRoom();
    const index = this.#free.pop() ?? this.#table.grow(1);
    this.#table.set(index, run as () => void);
    this.#kernelsCompiled++;
    if (this.#pool !== null) {
      const most = Math.max(this.#mostKernels, this.#kernels.size);
      if (this.#pool.published >= 2 * most) this.#pool.renew(this.#kernels.values());
      this.#pool.publish({ index, bytes });
    }
    return (this.#places[index] = { index, key, bytes, users: 0 });
  }

  /** Drops kernels that nothing calls, those first that were asked for longest ago, until there is room for another. */
  #makeRoom(): void {
    if (this.#kernels.size < this.#mostKernels) return;
    for (const { index, key, users } of this.#kernels.values()) {
      if (users > 0) continue;
      this.#kernels.delete(key);
      this.#table.set(index, null);
      this.#free.push(index);
      if (this.#kernels.size < this.#mostKernels) return;
    }
  }

  /** Makes room for a plan's scratch; where there is none, a plan that needs less makes it again when it next runs. */
  reserveArena(bytes: number): void {
    if (bytes <= this.#arenaBytes) return;
    // Nothing in it outlives a run, so the old arena goes before the new one comes.
    if (this.#arenaBytes > 0) this.memory.release(this.arena, this.#arenaBytes);
    this.#arenaBytes = 0;
    this.arenaVersion++;
    this.arena = this.memory.reserve(bytes);
    this.#arenaBytes = bytes;
  }

  load(plan: LoadablePlan): Executable {
    return new WasmExecutable(this, plan);
  }

  memoryInUse(): number {
    return this.memory.inUse;
  }

  kernelsCompiled(): number {
    return this.#kernelsCompiled;
  }

  describe(): string {
    const simd = this.#features.relaxed ? "SIMD with relaxed fused multiply-add" : "SIMD";
    return `WebAssembly ${simd}, ${this.#describeThreads()}, up to ${Math.round(this.memory.maximum / 16)} MiB`;
  }

  #describeThreads(): string {
    const failure = this.#pool?.failure ?? null;
    if (!this.memory.shared) return `one thread (${notShared()})`;
    if (failure !== null) return `one thread (${failure})`;
    const starting = this.threads - 1 - this.workersReady;
    const there = Sharing.describe(this.threads, this.#sharing);
    return starting > 0 ? `${there}, ${starting} of which still ${starting > 1 ? "start" : "starts"}` : there;
  }

  peaks(): Peaks {
    // Three arrays of 32 MiB: more than caches hold.
    return measurePeaks(this, 256, 2 ** 23);
  }

  /** Workers that have joined so far. */
  get workersReady(): number {
    return this.#pool?.ready ?? 0;
  }

  /** This one and the workers that there are, those that are still starting too. */
  get threads(): number {
    return 1 + (this.#pool?.size ?? 0);
  }

  threadsFor(gains: boolean): number {
    if (this.#sharing === null) return this.threads;
    return gains && !this.countsTime ? this.#shared(this.#sharing) : 1;
  }

  /** Whether what a run takes that gains by threads is to be said to `took`: until it is known that a loop runs here. */
  get countsTime(): boolean {
    const { runs, milliseconds } = this.#gaining;
    const long = runs > 1 ? beforeWorkers.milliseconds : beforeWorkers.millisecondsOfOne;
    return this.#sharing !== null && runs < beforeWorkers.runs && milliseconds < long;
  }

  /** Notes a run that gains by threads. Workers start at its end, as those of a page need the turn that comes then. */
  took(milliseconds: number): void {
    this.#gaining.runs++;
    this.#gaining.milliseconds += milliseconds;
    if (this.#sharing !== null && !this.countsTime) this.#shared(this.#sharing);
  }

  #shared(sharing: Sharing): number {
    const threads = sharing.threads();
    // Workers that others' work leaves without a core sleep: to start them again would take longer.
    if (threads > this.threads) this.#resize(threads);
    return threads;
  }

  /** Workers join when they are ready; results do not depend on how many there are. Warns where there can be none. */
  setThreads(count: number): void {
    this.#sharing = null;
    if (count > 1 && !this.memory.shared) console.warn(`thaw: one thread: ${notShared()}.`);
    this.#resize(count);
  }

  #resize(count: number): void {
    const threads = this.memory.shared ? Math.max(1, Math.trunc(count)) : 1;
    if (threads > 1 && this.#pool === null) {
      const newScratch = () => this.memory.reserve(scratchBytes());
      this.#pool = new WorkerPool(this.memory, this.#base, this.#walker, sourceOf(mathImports), newScratch);
      for (const kernel of this.#kernels.values()) this.#pool.publish(kernel);
    }
    this.#pool?.resize(threads - 1);
  }
}

/** Why threads cannot share memory here, and what to do about it. */
const notShared = (): string =>
  typeof document === "undefined" && typeof location === "undefined"
    ? "there is no shared memory here"
    : "the page is not cross-origin isolated, so threads have no memory in common; serve it, and what it loads, with " +
      "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";

/**
 * Makes the backend; throws `BackendError` where it cannot run. It keeps so many kernels, some 3 kB each, beside those
 * that executables call: a process that goes on for long with ever other networks does not fill its memory.
 */
export const createWasm = (mostKernels = 4096): WasmBackend => new WasmBackend(mostKernels);
