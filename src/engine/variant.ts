import type { Binding, Result } from "../backends/contract.ts";
import { currentBackend } from "../backends/registry.ts";
import { allocate, type TypedArray } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { CallKey } from "./call-key.ts";
import type { Cell } from "./cell.ts";
import type { FieldReads } from "./fields.ts";
import type { Head } from "./head.ts";
import { type Compiled, type Request, scalarOf } from "./realize.ts";
import type { Fill } from "./result-pattern.ts";
import { endRun, isLeased, type Lease, leaseFor } from "./result-pool.ts";
import { runPlan } from "./run-plan.ts";
import type { Signature } from "./signature.ts";
import { relocations, type Storage } from "./storage.ts";
import {
  type Check,
  type Holder,
  type HostEffect,
  type HostEvent,
  type Resident,
  storedLeaf,
  type Trace,
} from "./trace.ts";

/** What recording a function gives. */
export interface Recorded<T> {
  readonly trace: Trace;
  readonly reads: ReadonlyMap<Cell<unknown>, unknown>;
  readonly fields: FieldReads;
  readonly head: Head;
  readonly request: Request;
  /** The storages that stand for tensor arguments, in their order. */
  readonly leaves: readonly Storage[];
  readonly pattern: Fill<T>;
  readonly compiled: Compiled;
  readonly signature: Signature;
}

/** A host event with the place among the plan's scalars that a number goes to (-1: the plan has no use for it). */
type VariantEvent =
  | { readonly compute: () => number; readonly at: number; readonly first: number; readonly effect: null }
  | { readonly effect: HostEffect };

/**
 * A recorded step: replayed by binding arguments, computing its scalars and one call of the plan. It does not hold on
 * to the graph that was recorded.
 */
export class Variant<T extends Holder> {
  readonly key: CallKey;
  readonly reads: ReadonlyMap<Cell<unknown>, unknown>;
  readonly fields: FieldReads;
  readonly compiled: Compiled;
  readonly head: Head;
  /** Calls that it has served, recorded or replayed. */
  calls = 0;
  /** Whether its function has been seen to do other things without saying so: then each call is recorded. */
  follows = false;
  /** Per plan input, where its value is stored. */
  readonly #storages: readonly Storage[];
  readonly #written: readonly Resident[];
  readonly #events: VariantEvent[];
  readonly #errors: readonly Check["error"][];
  /** Per plan input: the argument it comes from, or -1 for a storage of the recording's own. */
  readonly #fromArgument: readonly number[];
  /** Bound when it runs, so that what it has done on the host is undone if there is no memory for that. */
  readonly #bindings: Binding[] = [];
  /** `relocations()` when bindings were last taken. */
  #relocations = -1;
  readonly #scalars: Float64Array;
  readonly #result: Fill<T>;
  /** Elements of each result. */
  readonly #lengths: readonly number[];
  /** Which results are written to memory of the pool; null: none. */
  readonly #leases: readonly boolean[] | null;

  constructor(key: CallKey, recorded: Recorded<T>) {
    const { trace, reads, fields, head, request, leaves, pattern, compiled, signature } = recorded;
    this.key = key;
    this.reads = reads;
    this.fields = fields;
    this.head = head;
    this.compiled = compiled;
    this.#storages = compiled.inputs.map((i) => signature.storages[i]!);
    this.#written = request.writes.map(([resident]) => resident);
    this.#errors = request.checks.map(({ error }) => error);
    this.#fromArgument = this.#storages.map((s) => (s.resident ? -1 : leaves.indexOf(s)));
    const places = new Map<Node, number>();
    this.#scalars = Float64Array.from(compiled.scalars, (from, at) => {
      if (from.constant >= 0) return scalarOf(signature, from);
      places.set(signature.scalars[from.scalar]!, at);
      return 0;
    });
    this.#events = trace.events.map((e) =>
      "effect" in e
        ? { effect: e.effect }
        : { compute: e.scalar.attrs.compute, at: places.get(e.scalar) ?? -1, first: e.value, effect: null },
    );
    this.#result = pattern;
    const { outputs } = compiled.plan;
    this.#lengths = outputs.map(({ shape }) => sizeOf(shape));
    const leases = outputs.map(
      ({ buffer, dtype }, i) =>
        isLeased(dtype, this.#lengths[i]!) && outputs.every((o, j) => i === j || o.buffer !== buffer),
    );
    this.#leases = leases.includes(true) ? leases : null;
    for (const [i, s] of this.#storages.entries()) if (this.#fromArgument[i]! < 0 && !s.resident) s.settle();
  }

  /** How many things it does on the host. */
  get eventCount(): number {
    return this.#events.length;
  }

  /** Puts events that have happened now in the place of those that it began with: they are what a failure undoes. */
  begin(events: readonly HostEvent[]): void {
    for (const [i, event] of events.entries()) {
      const before = this.#events[i]!;
      if ("effect" in event) this.#events[i] = { effect: event.effect };
      else if (before.effect === null)
        this.#events[i] = {
          compute: event.scalar.attrs.compute,
          at: before.at,
          first: event.value,
          effect: null,
        };
    }
  }

  /** Runs it; so many of its events on the host have happened already, in a call that was recorded. */
  execute(
    tensors: readonly T[],
    happened: number,
    make: (data: TypedArray | Lease, index: number) => T,
  ): unknown {
    this.#prepare(happened);
    let results: (TypedArray | Lease)[];
    try {
      const ran = this.#run(tensors);
      if (ran.failed >= 0) throw this.#errors[ran.failed]!(1);
      ({ results } = ran);
      endRun(false);
    } catch (error) {
      endRun(true);
      this.#undo();
      throw error;
    }
    for (let i = 0; i < this.#written.length; i++) this.#written[i]!.storage.version++;
    for (let i = 0; i < this.#events.length; i++) this.#events[i]!.effect?.done?.();
    const made: T[] = [];
    for (let i = 0; i < results.length; i++) made.push(make(results[i]!, i));
    return this.#result(made);
  }

  /** What happens on the host before a run: numbers are computed, and effects replayed, all of them or none. */
  #prepare(happened: number): void {
    for (let i = 0; i < this.#events.length; i++) {
      const event = this.#events[i]!;
      if (event.effect === null) {
        const value = i < happened ? event.first : event.compute();
        if (event.at >= 0) this.#scalars[event.at] = value;
      } else if (i >= happened)
        try {
          event.effect.apply();
        } catch (error) {
          this.#undo(i);
          throw error;
        }
    }
  }

  /** Undoes effects, last first: all, or the first so many. */
  #undo(count = this.#events.length): void {
    for (const event of this.#events.slice(0, count).reverse()) event.effect?.undo();
  }

  /** Binds it to its arguments and runs it; gives its results, and the check that has failed, or -1. */
  #run(tensors: readonly T[]): { results: (TypedArray | Lease)[]; failed: number } {
    const { compiled } = this;
    const storages = this.#storages;
    const backend = currentBackend();
    // Before arguments are bound: one of them may be in memory that is needed now, and is copied out.
    const results: (TypedArray | Lease)[] = [];
    for (let i = 0; i < this.#lengths.length; i++) {
      const length = this.#lengths[i]!;
      const { dtype } = compiled.plan.outputs[i]!;
      const lease = this.#leases?.[i] ? leaseFor(backend, dtype, length) : null;
      results.push(lease ?? allocate(dtype, length));
    }
    const places = this.#leases === null ? (results as TypedArray[]) : results.map(placeOf);
    if (this.#relocations !== relocations()) {
      for (const [i, storage] of storages.entries())
        if (this.#fromArgument[i]! < 0) this.#bindings[i] = storage.binding(backend);
      this.#relocations = relocations();
    }
    for (let i = 0; i < this.#fromArgument.length; i++) {
      const argument = this.#fromArgument[i]!;
      if (argument >= 0)
        this.#bindings[i] = (storedLeaf(tensors[argument]!.node)!.attrs.source as Storage).binding(backend);
    }
    return { results, failed: runPlan(compiled, this.#bindings, this.#scalars, places) };
  }
}

const placeOf = (result: TypedArray | Lease): Result =>
  ArrayBuffer.isView(result) ? result : result.allocation!;
