import type { DType, TypedArray } from "../base/dtype.ts";
import { argsLayout, elementBytes } from "../codegen/args.ts";
import { gainsByThreads, type Tasks } from "../codegen/tasks.ts";
import type { Allocation, Binding, KernelPlan, Result } from "./contract.ts";

/** Where the words of a table's row are, and its length, in bytes, where a word has so many. Status 0: none. */
export const rowLayout = (word: number) => ({
  function: 0,
  args: word,
  total: 2 * word,
  chunk: 3 * word,
  status: 4 * word,
  bytes: 5 * word,
});

/** A block of memory that knows its own address, to which tables can point. */
export abstract class AddressedAllocation implements Allocation {
  readonly address: number;
  readonly bytes: number;

  constructor(address: number, bytes: number) {
    this.address = address;
    this.bytes = bytes;
  }

  abstract view(from?: number, length?: number): Uint8Array;
  abstract free(): void;

  write(bytes: Uint8Array, from: number): void {
    this.view(from, bytes.length).set(bytes);
  }
}

/** The memory that a plan's table points into, as its backend reaches it. */
export interface TableMemory {
  /** Bytes of a word, and so of an address. */
  readonly word: 4 | 8;
  /** The address of memory for the table: zeros, which begin at a multiple of 8. */
  reserveTable(bytes: number): number;
  /** Stores a word of the table. */
  store(address: number, value: number): void;
  /** Stores an element in the table. */
  storeElement(dtype: DType, address: number, value: number): void;
  /** Where a buffer is that lies in the arena, as the arena is now. */
  placeOf(buffer: number): number;
  /** Copies what the host gives for an input to its place in the arena. */
  fill(slot: number, from: TypedArray): void;
  /** Copies a result out of the arena. */
  take(output: number, into: TypedArray): void;
}

/** Pointers in a table: the word at each place in `at` is a buffer's address plus what stands there in `add`. */
class Pointers {
  readonly at: number[] = [];
  readonly add: number[] = [];

  push(at: number, add: number): void {
    this.at.push(at);
    this.add.push(add);
  }

  /** Stores those from a place on, so many of them, as pointers to an address. */
  store(memory: TableMemory, address: number, from = 0, count = this.at.length): void {
    for (let i = from; i < from + count; i++) memory.store(this.at[i]!, address + this.add[i]!);
  }
}

/**
 * A plan as a table in memory, which a walker runs: its scalars and constants, of eight bytes each, its rows, and the
 * arguments of each row's kernel.
 */
export class PlanTable {
  /** Address of the first row. */
  readonly rows: number;
  /** Whether the plan gains by threads. */
  readonly gains: boolean;
  readonly #plan: KernelPlan;
  readonly #memory: TableMemory;
  readonly #start: number;
  /** Addresses of constants, by their buffers. */
  readonly #constants = new Map<number, number>();
  /** Pointers into the arena, each with its buffer, and per resident input those to it. */
  readonly #arena = new Pointers();
  readonly #arenaBuffers: number[] = [];
  readonly #inputs: readonly Pointers[];
  readonly #bound: Float64Array;
  /** Buffers that have a place in the arena and are bound to other memory now, with its address. */
  readonly #elsewhere = new Map<number, number>();

  constructor(plan: KernelPlan, memory: TableMemory, functions: readonly number[], tasks: readonly Tasks[]) {
    this.#plan = plan;
    this.#memory = memory;
    this.#inputs = plan.inputs.map(() => new Pointers());
    this.#bound = new Float64Array(plan.inputs.length);
    this.gains = gainsByThreads(plan.calls, tasks);
    const { word } = memory;
    const row = rowLayout(word);
    const layouts = plan.calls.map((c) => argsLayout(c.kernel));
    const constants = plan.buffers.filter(({ kind }) => kind === "constant").length;
    const values = (plan.scalars.length + constants) * 8;
    const first = values + plan.calls.length * row.bytes;
    this.#start = memory.reserveTable(layouts.reduce((sum, { size }) => sum + size * word, first));
    this.rows = this.#start + values;
    let constant = this.scalar(plan.scalars.length);
    for (let i = 0; i < plan.buffers.length; i++) {
      const buffer = plan.buffers[i]!;
      if (buffer.kind !== "constant") continue;
      memory.storeElement(buffer.dtype, constant, buffer.value);
      this.#constants.set(i, constant);
      constant += 8;
    }
    let args = this.#start + first;
    const set = (words: readonly number[], values: readonly number[], unit: number): void => {
      for (let d = 0; d < words.length; d++) memory.store(args + words[d]! * word, values[d]! * unit);
    };
    // A step of a deep network has thousands of pointers, and is planned anew for each length: no object is made for one.
    for (let i = 0; i < plan.calls.length; i++) {
      const call = plan.calls[i]!;
      const at = this.rows + i * row.bytes;
      const { total, chunk, block } = tasks[i]!;
      memory.store(at + row.function, functions[i]!);
      memory.store(at + row.args, args);
      memory.store(at + row.total, total);
      memory.store(at + row.chunk, chunk);
      if (call.check) {
        const store = call.kernel.kind === "loop" ? call.kernel.stores[0]!.access : 0;
        this.#point(call.accesses[store]!.buffer, at + row.status, 0);
      }
      const layout = layouts[i]!;
      set(layout.extents, call.extents, 1);
      set(layout.block, block, 1);
      for (let a = 0; a < layout.accesses.length; a++) {
        const access = layout.accesses[a]!;
        const { buffer, offset, strides, axisStride } = call.accesses[a]!;
        const size = elementBytes(call, a);
        set(access.strides, strides, size);
        if (access.axisStride >= 0) memory.store(args + access.axisStride * word, (axisStride ?? 0) * size);
        this.#point(buffer, args + access.pointer * word, offset * size);
      }
      args += layout.size * word;
    }
  }

  /** The address of a scalar. */
  scalar(i: number): number {
    return this.#start + i * 8;
  }

  /** Notes, or fills in, a pointer to a buffer of the plan. */
  #point(buffer: number, at: number, add: number): void {
    const place = buffer < 0 ? null : this.#plan.buffers[buffer]!;
    if (place === null) this.#memory.store(at, add);
    else if (place.kind === "scalar") this.#memory.store(at, this.scalar(place.index) + add);
    else if (place.kind === "constant") this.#memory.store(at, this.#constants.get(buffer)! + add);
    else if (place.kind === "input" && this.#plan.inputs[place.slot]!.offset === null)
      this.#inputs[place.slot]!.push(at, add);
    else {
      this.#arena.push(at, add);
      this.#arenaBuffers.push(buffer);
    }
  }

  /** The address of a buffer: of what is bound as an input, of the arena, or of the memory that is bound in its place. */
  addressOf(buffer: number): number {
    const place = this.#plan.buffers[buffer]!;
    if (place.kind === "input" && this.#plan.inputs[place.slot]!.offset === null)
      return this.#bound[place.slot]!;
    return this.#elsewhere.get(buffer) ?? this.#memory.placeOf(buffer);
  }

  /** Follows the arena, which has moved. */
  moved(): void {
    const buffers = this.#arenaBuffers;
    for (let i = 0; i < buffers.length; i++)
      this.#arena.store(this.#memory, this.#memory.placeOf(buffers[i]!), i, 1);
    this.#elsewhere.clear();
  }

  /** Has a buffer of the arena be somebody's memory; null: where it was planned to be. */
  bindBuffer(buffer: number, to: number | null): void {
    if (to === null ? !this.#elsewhere.has(buffer) : this.#elsewhere.get(buffer) === to) return;
    const address = to ?? this.#memory.placeOf(buffer);
    for (const [i, other] of this.#arenaBuffers.entries())
      if (other === buffer) this.#arena.store(this.#memory, address, i, 1);
    if (to === null) this.#elsewhere.delete(buffer);
    else this.#elsewhere.set(buffer, to);
  }

  /** Points to what a run is given, or copies it in, and to where results go. */
  bind(bindings: readonly Binding[], results: readonly Result[]): void {
    const { inputs, outputs } = this.#plan;
    for (let i = 0; i < bindings.length; i++) {
      const binding = bindings[i]!;
      if (inputs[i]!.offset === null) {
        const { address } = binding as AddressedAllocation;
        if (this.#bound[i] === address) continue;
        this.#inputs[i]!.store(this.#memory, address);
        this.#bound[i] = address;
      }
      // Inputs are the first buffers, in order.
      else if (binding instanceof AddressedAllocation) this.bindBuffer(i, binding.address);
      else {
        if (this.#elsewhere.size > 0) this.bindBuffer(i, null);
        this.#memory.fill(i, binding as TypedArray);
      }
    }
    for (let i = 0; i < results.length; i++) {
      const result = results[i]!;
      if (result instanceof AddressedAllocation) this.bindBuffer(outputs[i]!.buffer, result.address);
      else if (this.#elsewhere.size > 0) this.bindBuffer(outputs[i]!.buffer, null);
    }
  }

  /** Copies out what results are arrays, unless a check has failed; gives which, or -1. */
  finish(failed: number, results: readonly Result[]): number {
    if (failed >= 0) return failed;
    for (let i = 0; i < results.length; i++) {
      const result = results[i]!;
      if (!(result instanceof AddressedAllocation)) this.#memory.take(i, result as TypedArray);
    }
    return -1;
  }
}
