import { type DType, dtypes, type TypedArray, writeElement } from "../../base/dtype.ts";
import { sizeOf } from "../../base/shape.ts";
import { productForm, productTiling } from "../../codegen/product-policy.ts";
import { tasksOf } from "../../codegen/tasks.ts";
import type { KernelCall } from "../../plan/kernel.ts";
import { withoutGraph } from "../../plan/plan.ts";
import { wordBytes } from "../../targets/wasm/addresses.ts";
import { productsWasm } from "../../targets/wasm/products.ts";
import type { Binding, Executable, KernelPlan, LoadablePlan, Result } from "../contract.ts";
import { type Walk, walkBetween } from "../exchanges.ts";
import { PlanTable, type TableMemory } from "../table.ts";
import { type Views, viewFor, type WasmMemory } from "./memory.ts";
import { entry } from "./walker.ts";

/** What an executable needs of its backend. */
export interface Host {
  readonly memory: WasmMemory;
  readonly arena: number;
  /** Grows whenever the arena moves. */
  readonly arenaVersion: number;
  /** Threads that run a plan, given whether it gains by several. */
  threadsFor(gains: boolean): number;
  /** Whether runs that gain by threads are timed. */
  readonly countsTime: boolean;
  /** Takes what a run that gains by threads has taken, where that is asked. */
  took(milliseconds: number): void;
  readonly walk: (table: number, rows: number, threads: number) => number;
  /** The place of a kernel in the table, kept until `letGo` of it. */
  hold(call: KernelCall): number;
  letGo(index: number): void;
  reserveArena(bytes: number): void;
}

/** A plan whose table lies in the memory of all kernels. */
export class WasmExecutable implements Executable, TableMemory {
  readonly word = wordBytes;
  readonly #host: Host;
  readonly #plan: KernelPlan;
  readonly #table: PlanTable;
  readonly #block = { at: 0, bytes: 0 };
  readonly #sizes: readonly number[];
  /** The place in the table of each call's kernel. */
  readonly #functions: number[] = [];
  #arenaVersion = -1;
  /** The memory as it was when the table was made, or a run began: neither makes it grow from then on. */
  #views: Views;

  constructor(host: Host, plan: LoadablePlan) {
    this.#host = host;
    this.#plan = withoutGraph(plan);
    this.#views = host.memory.views;
    this.#sizes = plan.outputs.map((o) => sizeOf(o.shape));
    host.reserveArena(plan.arenaBytes);
    const products = productsWasm(false);
    const tasks = plan.calls.map((c) => tasksOf(c, productTiling(products, productForm(c))));
    // An executable that cannot be made must leave nothing behind.
    try {
      for (const call of plan.calls) this.#functions.push(host.hold(call));
      this.#table = new PlanTable(this.#plan, this, this.#functions, tasks);
    } catch (error) {
      this.#letGo();
      throw error;
    }
  }

  reserveTable(bytes: number): number {
    this.#block.bytes = bytes;
    this.#block.at = this.#host.memory.reserve(bytes);
    this.#views = this.#host.memory.views;
    return this.#block.at;
  }

  store(address: number, value: number): void {
    this.#views.i32[address >>> 2] = value;
  }

  storeElement(dtype: DType, address: number, value: number): void {
    writeElement(dtype, viewFor(this.#views, dtype), address / dtypes[dtype].bytes, value);
  }

  placeOf(buffer: number): number {
    const place = this.#plan.buffers[buffer] as { slot: number } | { offset: number };
    return this.#host.arena + ("slot" in place ? this.#plan.inputs[place.slot]!.offset! : place.offset);
  }

  fill(slot: number, from: TypedArray): void {
    const { dtype, offset } = this.#plan.inputs[slot]!;
    viewFor(this.#views, dtype).set(from, (this.#host.arena + offset!) / dtypes[dtype].bytes);
  }

  take(output: number, into: TypedArray): void {
    const { dtype, offset } = this.#plan.outputs[output]!;
    const first = (this.#host.arena + offset) / dtypes[dtype].bytes;
    const view = viewFor(this.#views, dtype);
    const size = this.#sizes[output]!;
    if (size === 1) into[0] = view[first]!;
    else into.set(view.subarray(first, first + size));
  }

  #bind(bindings: readonly Binding[], scalars: Float64Array, results: readonly Result[]): void {
    const host = this.#host;
    if (this.#arenaVersion !== host.arenaVersion) {
      host.reserveArena(this.#plan.arenaBytes);
      this.#views = host.memory.views;
      this.#table.moved();
      this.#arenaVersion = host.arenaVersion;
    }
    this.#views = host.memory.views;
    this.#table.bind(bindings, results);
    for (let i = 0; i < scalars.length; i++) {
      const dtype = this.#plan.scalars[i]!;
      viewFor(this.#views, dtype)[this.#table.scalar(i) / dtypes[dtype].bytes] = scalars[i]!;
    }
  }

  run(
    bindings: readonly Binding[],
    scalars: Float64Array,
    results: readonly Result[],
    ends?: Float64Array,
  ): number {
    this.#bind(bindings, scalars, results);
    const host = this.#host;
    const { gains, rows } = this.#table;
    const threads = host.threadsFor(gains);
    const began = gains && host.countsTime ? performance.now() : null;
    const { calls, exchanges } = this.#plan;
    const failed =
      ends !== undefined
        ? this.#walkTimed(threads, ends)
        : exchanges.length === 0
          ? host.walk(rows, calls.length, threads)
          : this.#walkBetween((first, count) => host.walk(rows + first * entry.bytes, count, threads));
    if (began !== null) host.took(performance.now() - began);
    return this.#table.finish(failed, results);
  }

  /** Walks a row at a time, as the clock is outside of wasm. */
  #walkTimed(threads: number, ends: Float64Array): number {
    const start = performance.now();
    return this.#walkBetween((first, count) => {
      let checks = 0;
      for (let i = first; i < first + count; i++) {
        const failed = this.#host.walk(this.#table.rows + i * entry.bytes, 1, threads);
        ends[i] = (performance.now() - start) * 1e6;
        if (failed >= 0) return checks;
        if (this.#plan.calls[i]!.check) checks++;
      }
      return -1;
    });
  }

  #walkBetween(rows: Walk["rows"]): number {
    const { calls, exchanges } = this.#plan;
    const stored: Walk["stored"] = ({ buffer, length }, dtype) => {
      const [at, bytes] = [this.#table.addressOf(buffer), length * dtypes[dtype].bytes];
      return { length: bytes, address: null, bytes: () => this.#views.u8.subarray(at, at + bytes) };
    };
    // Ranks have memories of their own.
    return walkBetween(exchanges, calls.length, { rows, stored, bind: null, share: null });
  }

  free(): void {
    this.#host.memory.release(this.#block.at, this.#block.bytes);
    this.#letGo();
  }

  #letGo(): void {
    for (const index of this.#functions) this.#host.letGo(index);
  }
}
