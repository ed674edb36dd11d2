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
import type { Tasks } from "../../codegen/tasks.ts";
import type { KernelCall } from "../../plan/kernel.ts";
import { withoutGraph } from "../../plan/plan.ts";
import type { Binding, Executable, KernelPlan, LoadablePlan, Result } from "../contract.ts";
import { walkBetween } from "../exchanges.ts";
import { PlanTable, rowLayout, type TableMemory } from "../table.ts";
import type { NativeAllocation, NativeMemory } from "./memory.ts";
import type { Runtime } from "./runtime.ts";
import { SharedRow } from "./shared-row.ts";

/** What an executable needs of its backend. */
export interface Host {
  readonly memory: NativeMemory;
  readonly runtime: Runtime;
  /** Scratch that all plans share; another one when a plan has needed more. */
  readonly arena: NativeAllocation;
  /** Grows whenever the arena moves. */
  readonly arenaVersion: number;
  reserveArena(bytes: number): void;
  /** Addresses of the functions of some calls; what is missing is compiled. */
  functionsOf(calls: readonly KernelCall[]): number[];
  tasksOf(call: KernelCall): Tasks;
  /** Whether a plan is shared out among threads, given whether it gains by them. */
  isShared(gains: boolean): boolean;
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

/** A plan whose table is a block of memory of its own. */
export class NativeExecutable implements Executable, TableMemory {
  readonly word = 8;
  readonly #host: Host;
  readonly #plan: KernelPlan;
  readonly #table: PlanTable;
  #block: NativeAllocation | null = null;
  /** Words of the block, each two halves: addresses do not fit in one. */
  #words = new Uint32Array(0);
  /** The scalars in the table, eight bytes each, as elements of the dtype of each, and its place among those. */
  readonly #scalars: readonly TypedArray[];
  readonly #scalarPlaces: Uint32Array;
  #arenaVersion = -1;
  /** null: ranks share none of the plan's rows out. */
  readonly #sharedRow: SharedRow | null;
  /** What is exchanged with other ranks, by its address. */
  readonly #views = new Map<number, Uint8Array>();
  /** Buffers that are allocations of their own. */
  readonly #own = new Map<number, NativeAllocation>();
  /** In the arena as it is now: host inputs by slot, and results. */
  #hostInputs: readonly (Stretch | null)[] = [];
  #results: readonly Stretch[] = [];

  constructor(host: Host, plan: LoadablePlan) {
    this.#host = host;
    this.#plan = withoutGraph(plan);
    const functions = host.functionsOf(plan.calls);
    const tasks = plan.calls.map((c) => host.tasksOf(c));
    host.reserveArena(plan.arenaBytes);
    const copies = plan.exchanges.flatMap(({ updates, by }) =>
      updates.map((update) => (update === null ? 0 : update.stored.length * (by.size - 1))),
    );
    const most = Math.max(0, ...copies);
    this.#sharedRow = most === 0 ? null : new SharedRow(host.memory, host.runtime, most);
    this.#table = new PlanTable(this.#plan, this, functions, tasks);
    const scalars = new Map(
      [...new Set(plan.scalars)].map((dtype) => {
        const perScalar = 8 / dtypes[dtype].bytes;
        return [dtype, this.#elementsOf(dtype, this.#table.scalar(0), plan.scalars.length * perScalar)];
      }),
    );
    this.#scalars = plan.scalars.map((dtype) => scalars.get(dtype)!);
    this.#scalarPlaces = Uint32Array.from(plan.scalars, (dtype, i) => (i * 8) / dtypes[dtype].bytes);
  }

  reserveTable(bytes: number): number {
    this.#block = this.#host.memory.allocate(bytes);
    this.#words = new Uint32Array(this.#block.view().buffer);
    return this.#block.address;
  }

  /** Stores a whole number; negative ones in two's complement. */
  store(address: number, value: number): void {
    const half = (address - this.#block!.address) / 4;
    this.#words[half] = value % 4294967296;
    this.#words[half + 1] = Math.floor(value / 4294967296);
  }

  storeElement(dtype: DType, address: number, value: number): void {
    writeElement(dtype, this.#elementsOf(dtype, address, 1), 0, value);
  }

  /** Elements in the table. */
  #elementsOf(dtype: DType, address: number, length: number): TypedArray {
    const block = this.#block!;
    return elementsAt(block, address - block.address, dtype, length);
  }

  /** Where a buffer of the arena is, or a host input's; under sanitizers each is an allocation of its own. */
  #place(buffer: number): { in: NativeAllocation; at: number } {
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
    const at = input === null ? (place as { offset: number }).offset : input.offset!;
    return { in: this.#host.arena, at };
  }

  placeOf(buffer: number): number {
    const place = this.#place(buffer);
    return place.in.address + place.at;
  }

  fill(slot: number, from: TypedArray): void {
    this.#hostInputs[slot]!.fill(from);
  }

  take(output: number, into: TypedArray): void {
    this.#results[output]!.copyTo(into);
  }

  /** Follows the arena to where it is now. */
  #bindArena(): void {
    const { inputs, outputs, arenaBytes } = this.#plan;
    this.#host.reserveArena(arenaBytes);
    this.#table.moved();
    this.#views.clear();
    const elements = (buffer: number, dtype: DType, length: number): Stretch => {
      const place = this.#place(buffer);
      return new Stretch(place.in, place.at, dtype, length);
    };
    // Inputs are the first buffers, in order.
    this.#hostInputs = inputs.map(({ offset, dtype, shape }, slot) =>
      offset === null ? null : elements(slot, dtype, sizeOf(shape)),
    );
    this.#results = outputs.map(({ buffer, dtype, shape }) => elements(buffer, dtype, sizeOf(shape)));
    this.#arenaVersion = this.#host.arenaVersion;
  }

  run(
    bindings: readonly Binding[],
    scalars: Float64Array,
    results: readonly Result[],
    ends?: Float64Array,
  ): number {
    const { runtime, arenaVersion } = this.#host;
    if (this.#arenaVersion !== arenaVersion) this.#bindArena();
    this.#table.bind(bindings, results);
    for (let i = 0; i < scalars.length; i++) this.#scalars[i]![this.#scalarPlaces[i]!] = scalars[i]!;
    const { gains, rows } = this.#table;
    const shared = this.#host.isShared(gains) ? 1 : 0;
    const { calls, exchanges } = this.#plan;
    const failed =
      exchanges.length > 0
        ? this.#walkBetween(shared, ends)
        : ends === undefined
          ? runtime.walk(runtime.address, rows, calls.length, shared)
          : runtime.walkTimed(runtime.address, rows, calls.length, shared, ends);
    return this.#table.finish(failed, results);
  }

  #walkBetween(shared: number, ends: Float64Array | undefined): number {
    const { runtime } = this.#host;
    const { calls, exchanges } = this.#plan;
    const start = performance.now();
    const walk = (at: number, first: number, count: number): number => {
      if (ends === undefined) return runtime.walk(runtime.address, at, count, shared);
      const waited = (performance.now() - start) * 1e6;
      const own = new Float64Array(count);
      const failed = runtime.walkTimed(runtime.address, at, count, shared, own);
      for (let i = 0; i < count; i++) ends[first + i] = waited + own[i]!;
      return failed;
    };
    const rowAt = (row: number): number => this.#table.rows + row * rowLayout(8).bytes;
    return walkBetween(exchanges, calls.length, {
      rows: (first, count) => walk(rowAt(first), first, count),
      stored: ({ buffer, length }, dtype) => {
        const address = this.#table.addressOf(buffer);
        const bytes = length * dtypes[dtype].bytes;
        return { length: bytes, address, bytes: () => this.#bytes(address, bytes) };
      },
      bind: (buffer, address) => this.#table.bindBuffer(buffer, address),
      share: (row, share) => {
        const layout = rowLayout(8);
        const at = rowAt(row);
        const own = {
          function: this.#load(at + layout.function),
          args: this.#load(at + layout.args),
          chunk: this.#load(at + layout.chunk),
        };
        walk(this.#sharedRow!.of(own, share), row, 1);
      },
    });
  }

  /** A word of the table that is not negative. */
  #load(address: number): number {
    const half = (address - this.#block!.address) / 4;
    return this.#words[half]! + this.#words[half + 1]! * 4294967296;
  }

  /** Bytes at an address; the array of the last time, as a view of foreign memory takes microseconds to make. */
  #bytes(address: number, length: number): Uint8Array {
    let found = this.#views.get(address);
    if (found === undefined || found.length !== length) {
      if (this.#views.size > 1000) this.#views.clear();
      found = new Uint8Array(this.#host.runtime.view(address, length), 0, length);
      this.#views.set(address, found);
    }
    return found;
  }

  free(): void {
    this.#block?.free();
    this.#sharedRow?.free();
    for (const own of this.#own.values()) own.free();
  }
}
