import type { TypedArray } from "../base/dtype.ts";
import type { PlanWithGraph } from "../plan/plan.ts";

/** What a backend is given of a plan. */
export type LoadablePlan = Omit<PlanWithGraph, "explain">;

/** What a backend that runs kernels keeps of a plan. */
export type KernelPlan = Omit<LoadablePlan, "graph">;

/** A block of memory that a backend owns. */
export interface Allocation {
  readonly bytes: number;
  /**
   * Its bytes from one of them on, all or so many, where they are: valid until the backend's memory next grows, so to be
   * fetched anew at each use. An array of bytes has 2³² of them at most: of more memory, parts are viewed. Throws
   * `BackendError` where the host cannot reach the memory: what reads at once (`dataSync` and the like) needs this.
   */
  view(from?: number, length?: number): Uint8Array;
  /**
   * Of memory that the host cannot reach: copies bytes out, from one of them on, as they are at the call, whatever happens
   * before the promise settles.
   */
  read?(into: Uint8Array, from: number): Promise<void>;
  /** Copies bytes in, from one of its own on; `bytes` may be changed afterwards. */
  write(bytes: Uint8Array, from: number): void;
  free(): void;
}

/** What a run binds: one entry an input slot, in order. Memory of the backend is bound by pointer. */
export type Binding = TypedArray | Allocation;

/**
 * Where a result goes: an array that is filled, or memory of the backend that the run writes itself. Of results in one
 * buffer none may be memory.
 */
export type Result = TypedArray | Allocation;

/** A plan made ready on a backend. */
export interface Executable {
  /**
   * Runs once. `results` are filled with the outputs. Returns -1, or the index of the check that failed (then
   * nothing has been written to any resident input). Where `ends` is given, each call of the plan notes there when it had
   * ended, in nanoseconds from the first one's start.
   */
  run(
    bindings: readonly Binding[],
    scalars: Float64Array,
    results: readonly Result[],
    ends?: Float64Array,
  ): number;
  /** Frees what the executable holds on the backend. */
  free(): void;
}

/**
 * What a machine can do, per second: floating-point operations on f32, and bytes to and from memory (0: there was not
 * enough of it to tell).
 */
export interface Peaks {
  readonly flops: number;
  readonly bytes: number;
}

/** Compiled kernels on disk. `oldest`: when that was last used which was unused for longest. */
export interface KernelCache {
  info(): {
    folder: string;
    objects: number;
    bytes: number;
    maxBytes: number;
    oldest: Date | null;
  };
  /** Removes all; what is loaded goes on working. */
  clear(): { objects: number; bytes: number };
}

/** What every backend is: one folder, one registry line. */
export interface Backend {
  readonly name: string;
  /** Zeroed memory, 64-byte aligned; throws `OutOfMemoryError` before memory runs out. */
  allocate(bytes: number): Allocation;
  load(plan: LoadablePlan): Executable;
  /** Bytes now held for allocations, tables and the arena. */
  memoryInUse(): number;
  /** Kernels compiled since the start. */
  kernelsCompiled(): number;
  /** A line on what runs: SIMD, threads. */
  describe(): string;
  /** Threads that there are, this one among them: what runs, not what was asked for. */
  readonly threads: number;
  /** Asks for so many threads; what cannot be had is left out, with a warning where something can be done about it. */
  setThreads(count: number): void;
  /** Measures what the machine can do with the present threads, in some 80 ms. */
  peaks(): Peaks;
  /** Where kernels are kept on disk. */
  readonly cache?: KernelCache;
}
