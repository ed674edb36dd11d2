import { BackendError } from "../../base/errors.ts";
import { generator } from "../../targets/c/generator.ts";
import { type CUnit, type LazyUnit, written } from "../../targets/c/unit.ts";
import type { Koffi } from "../koffi.ts";
import { symbolOf } from "./compile.ts";
import { node } from "./node.ts";
import { runtimeSource } from "./runtime-source.ts";
import { shareSource } from "./share-source.ts";
import type { KernelStore } from "./store.ts";

/** C that is the same for all programs. */
function unitOf(name: string, source: () => string): LazyUnit {
  const write = (): CUnit => ({ prelude: "", functions: [], body: source() });
  return generator === null ? written(write()) : { key: `${generator} ${name}`, write };
}

/** The runtime object: one a JavaScript thread, as code in C. Addresses are numbers. */
export class Runtime {
  /** Runs a table's rows, shared out among threads or not; -1, or the check that failed. */
  readonly walk: (runtime: number, table: number, rows: number, shared: number) => number;
  readonly walkTimed: (
    runtime: number,
    table: number,
    rows: number,
    shared: number,
    ends: Float64Array,
  ) => number;
  readonly allocate: (bytes: number) => number;
  readonly release: (address: number, bytes: number) => void;
  /** A block with more bytes, somewhere else; 0 where it has stayed as it is. */
  readonly grow: (address: number, bytes: number, more: number) => number;
  readonly address: number;
  readonly #koffi: Koffi;
  readonly #store: KernelStore;
  #share: number | null = null;
  readonly #load: (path: string, symbol: string) => number;
  readonly #problem: () => string;
  readonly #workers: (runtime: number, count: number) => number;

  constructor(koffi: Koffi, store: KernelStore, scratchBytes: number) {
    const [path] = store.obtain([unitOf("runtime", runtimeSource)]);
    let library: ReturnType<Koffi["load"]>;
    try {
      library = koffi.load(path!);
    } catch (error) {
      throw new BackendError(`native: ${path} cannot be loaded: ${(error as Error).message}`, {
        cause: error,
      });
    }
    const word = "uintptr_t";
    const get = <F>(name: string, result: string, ...args: string[]): F => {
      try {
        return library.func(name, result, args) as unknown as F;
      } catch (error) {
        throw new BackendError(
          `native: ${path} is not what its compiler was given: ${(error as Error).message}`,
          {
            cause: error,
          },
        );
      }
    };
    this.#koffi = koffi;
    this.#store = store;
    this.walk = get("thaw_walk", "int", word, word, "int64_t", "int");
    this.walkTimed = get("thaw_walk_timed", "int", word, word, "int64_t", "int", "_Inout_ double *");
    this.allocate = get("thaw_allocate", word, "int64_t");
    this.release = get("thaw_release", "void", word, "int64_t");
    this.grow = get("thaw_grow", word, word, "int64_t", "int64_t");
    this.#load = get("thaw_load", word, "const char *", "const char *");
    this.#problem = get("thaw_problem", "const char *");
    this.#workers = get("thaw_workers", "int", word, "int");
    const create: (scratchBytes: number) => number = get("thaw_create", word, "int64_t");
    this.address = create(scratchBytes);
    if (this.address === 0) throw new BackendError("native: there is no memory for the runtime");
    const destroy: (runtime: number) => void = get("thaw_destroy", "void", word);
    // A worker thread of Node's ends before the process does, and takes its helpers with it.
    process.once("exit", () => destroy(this.address));
  }

  /** The address of the kernel that runs a share of a row, compiled where it is first asked for: see `SharedRow`. */
  get share(): number {
    this.#share ??= this.load(this.#store.obtain([unitOf("share", shareSource)])[0]!);
    return this.#share;
  }

  /** The address of a kernel's function; throws `BackendError` where the object cannot be loaded. */
  load(path: string): number {
    const name = node().path.basename(path, ".so");
    const address = this.#load(path, symbolOf(name));
    if (address === 0) throw new BackendError(`native: ${path} cannot be loaded: ${this.#problem()}`);
    return address;
  }

  /** Has `threads` threads run tables, the caller among them; gives how many there are. */
  setThreads(threads: number): number {
    return this.#workers(this.address, threads - 1) + 1;
  }

  /** Memory at an address. */
  view(address: number, bytes: number): ArrayBuffer {
    return this.#koffi.view(BigInt(address), bytes);
  }
}
