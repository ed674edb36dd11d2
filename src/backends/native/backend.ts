import { BackendError, CompileError } from "../../base/errors.ts";
import { settings } from "../../base/settings.ts";
import { codeKey } from "../../codegen/code-key.ts";
import { type ProductPolicy, productForm, productTiling } from "../../codegen/product-policy.ts";
import type { Tasks } from "../../codegen/tasks.ts";
import { tasksOf } from "../../codegen/tasks.ts";
import type { KernelCall } from "../../plan/kernel.ts";
import { formOf } from "../../targets/c/forms.ts";
import { generator } from "../../targets/c/generator.ts";
import { emitKernelC } from "../../targets/c/kernel.ts";
import { productsC, scratchBytes } from "../../targets/c/products.ts";
import { type CUnit, type LazyUnit, written } from "../../targets/c/unit.ts";
import type { Allocation, Backend, Executable, LoadablePlan, Peaks } from "../contract.ts";
import { loadKoffi } from "../koffi.ts";
import { allowedMemory } from "../memory-limit.ts";
import { Sharing } from "../sharing.ts";
import { type Host, NativeExecutable } from "./executable.ts";
import { cacheFolder, cachePlace } from "./folder.ts";
import { KernelFolder } from "./kernel-folder.ts";
import { type NativeAllocation, NativeMemory } from "./memory.ts";
import { node } from "./node.ts";
import { measurePeaks, peakUnits } from "./peaks.ts";
import { Runtime } from "./runtime.ts";
import { KernelStore } from "./store.ts";
import { findCompiler, type Toolchain, toolchainOf } from "./toolchain.ts";

/** Bytes of an arena that no plan has asked anything of. */
const leastArena = 64;

/** C written for this machine, compiled by its own compiler and kept on disk. */
class NativeBackend implements Backend, Host {
  readonly name = "native";
  readonly memory: NativeMemory;
  readonly runtime: Runtime;
  readonly cache: KernelStore;
  arena: NativeAllocation;
  arenaVersion = 0;
  readonly #toolchain: Toolchain;
  readonly #products: ProductPolicy;
  /** Addresses of functions, by structure and form. */
  readonly #functions = new Map<string, number>();
  #threads = 1;
  /** Says how many threads there are for what gains by them; null: somebody has asked for a number, for all that runs. */
  #sharing: Sharing | null = null;

  constructor() {
    const koffi = loadKoffi();
    const named = settings.kernels === undefined ? null : KernelFolder.open(settings.kernels);
    // Kernels that were compiled ahead need no compiler, and no folder to write to; with their fingerprint their names
    // are found again.
    const compiler = named === null ? findCompiler() : "";
    const folder = named === null ? cacheFolder() : (cachePlace() ?? "");
    this.#toolchain = named === null ? toolchainOf(compiler, folder) : { ...named.manifest, compiler };
    const { target } = this.#toolchain;
    this.#products = productsC(target, false);
    this.cache = new KernelStore(folder, this.#toolchain, named);
    // A folder of kernels has all that a machine without a compiler can ask for.
    if (settings.kernelsOut !== undefined) this.cache.obtain(peakUnits(target));
    this.runtime = new Runtime(koffi, this.cache, scratchBytes(target));
    this.memory = new NativeMemory(
      this.runtime,
      settings.maxMemory ?? Math.min(node().os.totalmem(), allowedMemory()),
    );
    this.arena = this.memory.allocate(leastArena);
    if (settings.threads === undefined) this.#sharing = new Sharing();
    else this.setThreads(settings.threads);
  }

  allocate(bytes: number): Allocation {
    return this.memory.allocate(bytes);
  }

  reserveArena(bytes: number): void {
    if (bytes <= this.arena.bytes) return;
    const grown = this.memory.grown(this.arena, bytes);
    if (grown !== null) {
      this.arena = grown;
      this.arenaVersion++;
      return;
    }
    // Nothing in it outlives a run, so the old arena goes before the new one comes. Where there is no memory for that, a
    // plan that needs less makes it again when it next runs.
    this.arena.free();
    this.arenaVersion++;
    try {
      this.arena = this.memory.allocate(bytes);
    } catch (error) {
      this.arena = this.memory.allocate(leastArena);
      throw error;
    }
  }

  functionsOf(calls: readonly KernelCall[]): number[] {
    const { target } = this.#toolchain;
    const keys = calls.map((call) => codeKey(call.kernel, formOf(call, target)));
    const missing = [...new Set(keys)].filter((key) => !this.#functions.has(key));
    const units = missing.map((key): LazyUnit => {
      const call = calls[keys.indexOf(key)]!;
      const write = (): CUnit => emitKernelC(call.kernel, formOf(call, target), target);
      // A kernel that was compiled need be neither lowered nor printed: its structure and what wrote it say what it is.
      if (generator === null) return written(write());
      const unit = settings.verify ? write() : null;
      return { key: `${generator} ${key}`, write: () => unit ?? write() };
    });
    const load = (): void => {
      const paths = this.cache.obtain(units);
      for (const [i, key] of missing.entries()) this.#functions.set(key, this.runtime.load(paths[i]!));
    };
    try {
      load();
    } catch (error) {
      if (error instanceof CompileError || !(error instanceof BackendError)) throw error;
      // Another process may have made room for its own between the look and the load.
      load();
    }
    return keys.map((key) => this.#functions.get(key)!);
  }

  tasksOf(call: KernelCall): Tasks {
    return tasksOf(call, productTiling(this.#products, productForm(call)));
  }

  load(plan: LoadablePlan): Executable {
    return new NativeExecutable(this, plan);
  }

  memoryInUse(): number {
    return this.memory.inUse;
  }

  kernelsCompiled(): number {
    return this.#functions.size;
  }

  describe(): string {
    const { version, target } = this.#toolchain;
    const { vectorBytes, fma, l1, l2 } = target;
    const lanes = `${vectorBytes * 8}-bit vectors${fma ? " with fused multiply-add" : ""}`;
    const caches = `caches of ${l1 / 1024} and ${l2 / 1024} KiB`;
    // What is before the first comma tells one arithmetic from another: nothing that changes from run to run.
    const arithmetic = `C through ${version.replaceAll(",", "")} for ${lanes}`;
    const threads = Sharing.describe(this.#threads, this.#sharing);
    return `${arithmetic}, ${threads}, ${caches}, kernels in ${settings.kernels ?? this.cache.folder}`;
  }

  isShared(gains: boolean): boolean {
    if (this.#sharing === null) return true;
    if (!gains) return false;
    const threads = this.#sharing.threads();
    // They are started when there is something for them to do.
    if (threads !== this.#threads) this.#threads = this.runtime.setThreads(threads);
    return true;
  }

  get threads(): number {
    return this.#threads;
  }

  setThreads(count: number): void {
    this.#sharing = null;
    this.#threads = this.runtime.setThreads(Math.max(1, Math.trunc(count)));
  }

  peaks(): Peaks {
    this.isShared(true);
    return measurePeaks(this.runtime, this.cache, this.#toolchain.target, this.#threads);
  }
}

/** Makes the backend; throws `BackendError` where it cannot run. */
export const createNative = (): NativeBackend => new NativeBackend();
