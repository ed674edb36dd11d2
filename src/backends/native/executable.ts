import {
  bytesOf,
  type DType,
  dtypes,
  type TypedArray,
  windowBytes,
  windowsOf,
  writeElement,
} from "../../base/dtype.ts";
import { settings } from "../../base/settings.ts";
import { sizeOf } from "../../base/shape.ts";
import { argsLayout, elementBytes } from "../../codegen/args.ts";
import { gainsByThreads, type Tasks } from "../../codegen/tasks.ts";
import type { KernelCall } from "../../plan/kernel.ts";
import type { Binding, Executable, LoadablePlan, Result } from "../contract.ts";
import { NativeAllocation, type NativeMemory } from "./memory.ts";
import type { Runtime } from "./runtime.ts";
import { row } from "./runtime-source.ts";

/** What an executable needs of its backend. */
export interface Host {
  readonly memory: NativeMemory;
  readonly runtime: Runtime;
  /** Scratch that all plans share; another one when a plan has needed more. */
  readonly arena: NativeAllocation;
  reserveArena(bytes: number): void;
  /** Addresses of the functions of some calls; what is missing is compiled. */
  functionsOf(calls: readonly KernelCall[]): number[];
  tasksOf(call: KernelCall): Tasks;
  /** Whether a plan is shared out among threads, given whether it gains by them. */
  isShared(gains: boolean): boolean;
}

/** A pointer in a table: the word at `at` is a buffer's address plus `add`. */
interface Pointer {
  readonly at: number;
  readonly add: number;
  readonly buffer: number;
}

/** Elements of a dtype in a block. */
function elementsAt(block: NativeAllocation, at: number, dtype: DType, length: number): TypedArray {
  const { array, bytes } = dtypes[dtype];
  const view = block.view(at, length * bytes);
  return new array(view.buffer, view.byteOffset, length);
}

/** Elements in the arena: an array, or, where they are too many for one, a part of it at a time. */
class Stretch {
  readonly #block: NativeAllocation;
  readonly #at: number;
  /** null: too many for an array over memory that is not JavaScript's. */
  readonly #array: TypedArray | null;

  constructor(block: NativeAllocation, at: number, dtype: DType, length: number) {
    this.#block = block;
    this.#at = at;
    this.#array = length * dtypes[dtype].bytes > windowBytes ? null : elementsAt(block, at, dtype, length);
  }

  /** Copies all of them from an array. */
  fill(from: TypedArray): void {
    if (this.#array !== null) this.#array.set(from);
    else this.#fillParts(from);
  }

  /** Copies all of them to an array. */
  copyTo(into: TypedArray): void {
    if (this.#array === null) this.#copyParts(into);
    else if (this.#array.length === 1) into[0] = this.#array[0]!;
    else into.set(this.#array);
  }

  // Apart, so that V8 writes out in place what every call does.
  #fillParts(from: TypedArray): void {
    for (const [at, length] of windowsOf(from.byteLength))
      this.#block.view(this.#at + at, length).set(bytesOf(from, at, length));
  }

  #copyParts(into: TypedArray): void {
    for (const [at, length] of windowsOf(into.byteLength))
      bytesOf(into, at, length).set(this.#block.view(this.#at + at, length));
  }
}

/** A plan as a table in memory: its rows, their arguments, its scalars and constants. */
export class NativeExecutable implements Executable {
  readonly #host: Host;
  readonly #plan: LoadablePlan;
  readonly #block: NativeAllocation;
  /** Words of the block, each two halves: addresses do not fit in one. */
  readonly #words: Uint32Array;
  /** Where each scalar goes. */
  readonly #scalars: readonly TypedArray[];
  readonly #constants = new Map<number, number>();
  /** Pointers into the arena, and per resident input those to it. */
  readonly #arenaPointers: Pointer[] = [];
  readonly #inputs: readonly Pointer[][];
  readonly #bound: Float64Array;
  readonly #gains: boolean;
  #arena: NativeAllocation | null = null;
  /** Buffers that are allocations of their own. */
  readonly #own = new Map<number, NativeAllocation>();
  /** In the arena as it is now: host inputs by slot, and results. */
  #hostInputs: readonly (Stretch | null)[] = [];
  #results: readonly Stretch[] = [];
  /** Buffers that have a place in the arena and are bound to other memory now, with its address. */
  readonly #elsewhere = new Map<number, number>();

  constructor(host: Host, plan: LoadablePlan) {
    this.#host = host;
    this.#plan = plan;
    this.#inputs = plan.inputs.map(() => []);
    this.#bound = new Float64Array(plan.inputs.length);
    const functions = host.functionsOf(plan.calls);
    const layouts = plan.calls.map((c) => argsLayout(c.kernel));
    const tasks = plan.calls.map((c) => host.tasksOf(c));
    this.#gains = gainsByThreads(plan.calls, tasks);
    const scalars = plan.calls.length * row.words;
    const constants = scalars + plan.scalars.length;
    const first = constants + plan.buffers.filter(({ kind }) => kind === "constant").length;
    host.reserveArena(plan.arenaBytes);
    this.#block = host.memory.allocate(layouts.reduce((n, l) => n + l.size, first) * 8);
    const { address } = this.#block;
    this.#words = new Uint32Array(this.#block.view().buffer);
    this.#scalars = plan.scalars.map((dtype, i) => elementsAt(this.#block, (scalars + i) * 8, dtype, 1));
    let constant = constants;
    for (const [i, b] of plan.buffers.entries()) {
      if (b.kind !== "constant") continue;
      writeElement(b.dtype, elementsAt(this.#block, constant * 8, b.dtype, 1), 0, b.value);
      this.#constants.set(i, address + constant * 8);
      constant++;
    }
    let args = first;
    // Once a plan, and so in code that is never hot: loops of indices make no garbage there.
    for (let i = 0; i < plan.calls.length; i++) {
      const call = plan.calls[i]!;
      const layout = layouts[i]!;
      const at = i * row.words;
      const { total, chunk, block } = tasks[i]!;
      this.#set(at + row.function, functions[i]!);
      this.#set(at + row.args, address + args * 8);
      this.#set(at + row.total, total);
      this.#set(at + row.chunk, chunk);
      for (let d = 0; d < layout.extents.length; d++) this.#set(args + layout.extents[d]!, call.extents[d]!);
      for (const [d, word] of layout.block.entries()) this.#set(args + word, block[d]!);
      for (let a = 0; a < layout.accesses.length; a++) {
        const access = layout.accesses[a]!;
        const { buffer: from, offset, strides, axisStride } = call.accesses[a]!;
        const size = elementBytes(call, a);
        for (let d = 0; d < access.strides.length; d++)
          this.#set(args + access.strides[d]!, strides[d]! * size);
        if (access.axisStride >= 0) this.#set(args + access.axisStride, (axisStride ?? 0) * size);
        this.#point(from, args + access.pointer, offset * size, scalars);
      }
      if (call.check) {
        const store = call.kernel.kind === "loop" ? call.kernel.stores[0]!.access : 0;
        this.#point(call.accesses[store]!.buffer, at + row.status, 0, scalars);
      }
      args += layout.size;
    }
  }

  /** Sets a word to a whole number; negative ones in two's complement. */
  #set(word: number, value: number): void {
    this.#words[2 * word] = value % 4294967296;
    this.#words[2 * word + 1] = Math.floor(value / 4294967296);
  }

  /** Notes, or fills in, a pointer to a buffer of the plan. */
  #point(buffer: number, at: number, add: number, scalars: number): void {
    if (buffer < 0) {
      this.#set(at, add);
      return;
    }
    const place = this.#plan.buffers[buffer]!;
    if (place.kind === "scalar") this.#set(at, this.#block.address + (scalars + place.index) * 8 + add);
    else if (place.kind === "constant") this.#set(at, this.#constants.get(buffer)! + add);
    else if (place.kind === "input" && this.#plan.inputs[place.slot]!.offset === null)
      this.#inputs[place.slot]!.push({ at, add, buffer });
    else this.#arenaPointers.push({ at, add, buffer });
  }

  /** Where a buffer of the arena is, or a host input's; under sanitizers each is an allocation of its own. */
  #place(buffer: number, arena: NativeAllocation): { in: NativeAllocation; at: number } {
    const place = this.#plan.buffers[buffer]!;
    const input = place.kind === "input" ? this.#plan.inputs[place.slot]! : null;
    if (settings.sanitize) {
      let own = this.#own.get(buffer);
      if (own === undefined) {
        const bytes =
          input === null
            ? (place as { bytes: number }).bytes
            : sizeOf(input.shape) * dtypes[input.dtype].bytes;
        this.#own.set(buffer, (own = this.#host.memory.allocate(bytes)));
      }
      return { in: own, at: 0 };
    }
    return { in: arena, at: input === null ? (place as { offset: number }).offset : input.offset! };
  }

  /** Follows the arena to where it is now. */
  #bindArena(): void {
    const { inputs, outputs, arenaBytes } = this.#plan;
    this.#host.reserveArena(arenaBytes);
    const { arena } = this.#host;
    for (const { at, add, buffer } of this.#arenaPointers) {
      const place = this.#place(buffer, arena);
      this.#set(at, place.in.address + place.at + add);
    }
    const elements = (buffer: number, dtype: DType, length: number): Stretch => {
      const place = this.#place(buffer, arena);
      return new Stretch(place.in, place.at, dtype, length);
    };
    // Inputs are the first buffers, in order.
    this.#hostInputs = inputs.map(({ offset, dtype, shape }, slot) =>
      offset === null ? null : elements(slot, dtype, sizeOf(shape)),
    );
    this.#results = outputs.map(({ buffer, dtype, shape }) => elements(buffer, dtype, sizeOf(shape)));
    this.#arena = arena;
    this.#elsewhere.clear();
  }

  /** Has a buffer of the arena be memory of somebody's; null: where it was planned to be. */
  #bindBuffer(buffer: number, to: NativeAllocation | null): void {
    if (to === null ? !this.#elsewhere.has(buffer) : this.#elsewhere.get(buffer) === to.address) return;
    const place = to === null ? this.#place(buffer, this.#arena!) : { in: to, at: 0 };
    for (const pointer of this.#arenaPointers)
      if (pointer.buffer === buffer) this.#set(pointer.at, place.in.address + place.at + pointer.add);
    if (to === null) this.#elsewhere.delete(buffer);
    else this.#elsewhere.set(buffer, to.address);
  }

  #bind(bindings: readonly Binding[], scalars: Float64Array, results: readonly Result[]): void {
    if (this.#arena !== this.#host.arena) this.#bindArena();
    for (let i = 0; i < bindings.length; i++) {
      const host = this.#hostInputs[i]!;
      const binding = bindings[i]!;
      if (host !== null) {
        // Inputs are the first buffers, in order.
        if (binding instanceof NativeAllocation) this.#bindBuffer(i, binding);
        else {
          if (this.#elsewhere.size > 0) this.#bindBuffer(i, null);
          host.fill(binding as TypedArray);
        }
        continue;
      }
      const { address } = binding as NativeAllocation;
      if (this.#bound[i] === address) continue;
      for (const { at, add } of this.#inputs[i]!) this.#set(at, address + add);
      this.#bound[i] = address;
    }
    for (let i = 0; i < results.length; i++) {
      const result = results[i]!;
      if (result instanceof NativeAllocation) this.#bindBuffer(this.#plan.outputs[i]!.buffer, result);
      else if (this.#elsewhere.size > 0) this.#bindBuffer(this.#plan.outputs[i]!.buffer, null);
    }
    for (let i = 0; i < scalars.length; i++) this.#scalars[i]![0] = scalars[i]!;
  }

  #finish(failed: number, results: readonly Result[]): number {
    if (failed >= 0) return failed;
    for (let i = 0; i < results.length; i++) {
      const result = results[i]!;
      if (!(result instanceof NativeAllocation)) this.#results[i]!.copyTo(result as TypedArray);
    }
    return -1;
  }

  run(bindings: readonly Binding[], scalars: Float64Array, results: readonly Result[]): number {
    this.#bind(bindings, scalars, results);
    const { runtime } = this.#host;
    const shared = this.#host.isShared(this.#gains) ? 1 : 0;
    const rows = this.#plan.calls.length;
    return this.#finish(runtime.walk(runtime.address, this.#block.address, rows, shared), results);
  }

  runTimed(
    bindings: readonly Binding[],
    scalars: Float64Array,
    results: readonly Result[],
    ends: Float64Array,
  ): number {
    this.#bind(bindings, scalars, results);
    const { runtime } = this.#host;
    const shared = this.#host.isShared(this.#gains) ? 1 : 0;
    const rows = this.#plan.calls.length;
    return this.#finish(runtime.walkTimed(runtime.address, this.#block.address, rows, shared, ends), results);
  }

  free(): void {
    this.#block.free();
    for (const own of this.#own.values()) own.free();
  }
}
