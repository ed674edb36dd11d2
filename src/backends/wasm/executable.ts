import { dtypes, type TypedArray, writeElement } from "../../base/dtype.ts";
import { sizeOf } from "../../base/shape.ts";
import { argsLayout, elementBytes } from "../../codegen/args.ts";
import { productForm, productTiling } from "../../codegen/product-policy.ts";
import { gainsByThreads, tasksOf } from "../../codegen/tasks.ts";
import type { KernelCall } from "../../plan/kernel.ts";
import { productsWasm } from "../../targets/wasm/products.ts";
import type { Binding, Executable, LoadablePlan, Result } from "../contract.ts";
import { viewFor, WasmAllocation, type WasmMemory } from "./memory.ts";
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
  kernelIndex(call: KernelCall): number;
  reserveArena(bytes: number): void;
}

/** A pointer in an argument block: the word at `at` is the buffer's address plus `add`. */
interface Pointer {
  readonly at: number;
  readonly add: number;
}

/** One into the arena: `add` counts from there, of which `inside` from the beginning of `buffer`. */
interface ArenaPointer extends Pointer {
  readonly buffer: number;
  readonly inside: number;
}

/** A plan as a table in memory: its rows, their argument blocks, its scalars. */
export class WasmExecutable implements Executable {
  readonly #backend: Host;
  readonly #plan: LoadablePlan;
  readonly #block: number;
  readonly #bytes: number;
  readonly #scalars: number;
  /** Pointers into the arena, by offset there; and per resident input those into it. */
  readonly #arena: ArenaPointer[] = [];
  /** Buffers that have a place in the arena and are bound to other memory now, with its address. */
  readonly #elsewhere = new Map<number, number>();
  readonly #inputs: Pointer[][];
  readonly #bound: Int32Array;
  readonly #sizes: readonly number[];
  /** Addresses of constants, by their buffers. */
  readonly #constants = new Map<number, number>();
  readonly #gains: boolean;
  #arenaVersion = -1;

  constructor(backend: Host, plan: LoadablePlan) {
    this.#backend = backend;
    this.#plan = plan;
    this.#inputs = plan.inputs.map(() => []);
    this.#bound = new Int32Array(plan.inputs.length);
    this.#sizes = plan.outputs.map((o) => sizeOf(o.shape));
    const layouts = plan.calls.map((c) => argsLayout(c.kernel, 4));
    const products = productsWasm(false);
    const tasks = plan.calls.map((c) => tasksOf(c, productTiling(products, productForm(c))));
    this.#gains = gainsByThreads(plan.calls, tasks);
    const rows = plan.calls.length * entry.bytes;
    const scalars = rows;
    const constants = scalars + plan.scalars.length * 8;
    const first = constants + plan.buffers.filter(({ kind }) => kind === "constant").length * 8;
    this.#bytes = layouts.reduce((n, l) => n + l.size, first);
    backend.reserveArena(plan.arenaBytes);
    const functions = plan.calls.map((c) => backend.kernelIndex(c));
    // Last, as an executable that cannot be made must leave nothing behind.
    this.#block = backend.memory.reserve(this.#bytes);
    this.#scalars = this.#block + scalars;
    // All of that may have grown the memory: only now is it safe to hold its view.
    const { i32 } = backend.memory.views;
    let constant = this.#block + constants;
    for (const [i, buffer] of plan.buffers.entries()) {
      if (buffer.kind !== "constant") continue;
      const view = viewFor(backend.memory.views, buffer.dtype);
      writeElement(buffer.dtype, view, constant / dtypes[buffer.dtype].bytes, buffer.value);
      this.#constants.set(i, constant);
      constant += 8;
    }
    let args = this.#block + first;
    // Once a plan, and so in code that is never hot: loops of indices make no garbage there.
    for (let i = 0; i < plan.calls.length; i++) {
      const call = plan.calls[i]!;
      const layout = layouts[i]!;
      const row = (this.#block + i * entry.bytes) / 4;
      const { total, chunk, block } = tasks[i]!;
      i32[row + entry.function / 4] = functions[i]!;
      i32[row + entry.args / 4] = args;
      i32[row + entry.total / 4] = total;
      i32[row + entry.chunk / 4] = chunk;
      for (let d = 0; d < layout.extents.length; d++) i32[(args + layout.extents[d]!) / 4] = call.extents[d]!;
      for (const [d, at] of layout.block.entries()) i32[(args + at) / 4] = block[d]!;
      for (let a = 0; a < layout.accesses.length; a++) {
        const access = layout.accesses[a]!;
        const { buffer, offset, strides, axisStride } = call.accesses[a]!;
        const size = elementBytes(call, a);
        for (let d = 0; d < access.strides.length; d++)
          i32[(args + access.strides[d]!) / 4] = strides[d]! * size;
        if (access.axisStride >= 0) i32[(args + access.axisStride) / 4] = (axisStride ?? 0) * size;
        this.#point(buffer, args + access.pointer, offset * size);
      }
      if (call.check) {
        const store = call.kernel.kind === "loop" ? call.kernel.stores[0]!.access : 0;
        this.#point(call.accesses[store]!.buffer, (row + entry.status / 4) * 4, 0);
      }
      args += layout.size;
    }
  }

  /** Notes, or fills in, a pointer to a buffer of the plan. */
  #point(buffer: number, at: number, add: number): void {
    const { i32 } = this.#backend.memory.views;
    if (buffer < 0) {
      i32[at / 4] = add;
      return;
    }
    const place = this.#plan.buffers[buffer]!;
    if (place.kind === "scalar") i32[at / 4] = this.#scalars + place.index * 8 + add;
    else if (place.kind === "constant") i32[at / 4] = this.#constants.get(buffer)! + add;
    else if (place.kind === "arena") this.#arena.push({ at, add: place.offset + add, buffer, inside: add });
    else {
      const { offset } = this.#plan.inputs[place.slot]!;
      if (offset === null) this.#inputs[place.slot]!.push({ at, add });
      else this.#arena.push({ at, add: offset + add, buffer, inside: add });
    }
  }

  /** Has a buffer of the arena be memory of somebody's; null: where it was planned to be. */
  #bindBuffer(buffer: number, to: WasmAllocation | null): void {
    if (to === null ? !this.#elsewhere.has(buffer) : this.#elsewhere.get(buffer) === to.address) return;
    const { i32 } = this.#backend.memory.views;
    for (const p of this.#arena)
      if (p.buffer === buffer)
        i32[p.at >>> 2] = to === null ? this.#backend.arena + p.add : to.address + p.inside;
    if (to === null) this.#elsewhere.delete(buffer);
    else this.#elsewhere.set(buffer, to.address);
  }

  #bind(bindings: readonly Binding[], scalars: Float64Array, results: readonly Result[]): void {
    const backend = this.#backend;
    const plan = this.#plan;
    if (this.#arenaVersion !== backend.arenaVersion) backend.reserveArena(plan.arenaBytes);
    const { views } = backend.memory;
    if (this.#arenaVersion !== backend.arenaVersion) {
      for (const p of this.#arena) views.i32[p.at >>> 2] = backend.arena + p.add;
      this.#arenaVersion = backend.arenaVersion;
      this.#elsewhere.clear();
    }
    for (let i = 0; i < bindings.length; i++) {
      const input = plan.inputs[i]!;
      const binding = bindings[i]!;
      if (input.offset === null) {
        const { address } = binding as WasmAllocation;
        if (this.#bound[i] === address) continue;
        for (const p of this.#inputs[i]!) views.i32[p.at >>> 2] = address + p.add;
        this.#bound[i] = address;
      } else if (binding instanceof WasmAllocation) this.#bindBuffer(i, binding);
      else {
        // Inputs are the first buffers, in order.
        if (this.#elsewhere.size > 0) this.#bindBuffer(i, null);
        const at = (backend.arena + input.offset) / dtypes[input.dtype].bytes;
        viewFor(views, input.dtype).set(binding as TypedArray, at);
      }
    }
    for (let i = 0; i < results.length; i++) {
      const result = results[i]!;
      if (result instanceof WasmAllocation) this.#bindBuffer(plan.outputs[i]!.buffer, result);
      else if (this.#elsewhere.size > 0) this.#bindBuffer(plan.outputs[i]!.buffer, null);
    }
    for (let i = 0; i < scalars.length; i++) {
      const dtype = plan.scalars[i]!;
      viewFor(views, dtype)[(this.#scalars + i * 8) / dtypes[dtype].bytes] = scalars[i]!;
    }
  }

  #finish(failed: number, results: readonly Result[]): number {
    if (failed >= 0) return failed;
    const backend = this.#backend;
    const plan = this.#plan;
    const { views } = backend.memory;
    for (let i = 0; i < results.length; i++) {
      const result = results[i]!;
      if (result instanceof WasmAllocation) continue;
      const { dtype, offset } = plan.outputs[i]!;
      const first = (backend.arena + offset) / dtypes[dtype].bytes;
      const view = viewFor(views, dtype);
      if (this.#sizes[i] === 1) (result as TypedArray)[0] = view[first]!;
      else (result as TypedArray).set(view.subarray(first, first + this.#sizes[i]!));
    }
    return -1;
  }

  run(bindings: readonly Binding[], scalars: Float64Array, results: readonly Result[]): number {
    this.#bind(bindings, scalars, results);
    const backend = this.#backend;
    const threads = backend.threadsFor(this.#gains);
    const began = this.#gains && backend.countsTime ? performance.now() : null;
    const failed = backend.walk(this.#block, this.#plan.calls.length, threads);
    if (began !== null) backend.took(performance.now() - began);
    return this.#finish(failed, results);
  }

  runTimed(
    bindings: readonly Binding[],
    scalars: Float64Array,
    results: readonly Result[],
    ends: Float64Array,
  ): number {
    this.#bind(bindings, scalars, results);
    const { walk } = this.#backend;
    const threads = this.#backend.threadsFor(this.#gains);
    const start = performance.now();
    let [checks, failed] = [0, -1];
    for (let i = 0; i < this.#plan.calls.length && failed < 0; i++) {
      if (walk(this.#block + i * entry.bytes, 1, threads) >= 0) failed = checks;
      if (this.#plan.calls[i]!.check) checks++;
      ends[i] = (performance.now() - start) * 1e6;
    }
    return this.#finish(failed, results);
  }

  free(): void {
    this.#backend.memory.release(this.#block, this.#bytes);
  }
}
