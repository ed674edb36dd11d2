import { currentBackend } from "../backends/registry.ts";
import { allocate, type TypedArray } from "../base/dtype.ts";
import { CaptureError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { Binding, Plan } from "../plan/plan.ts";
import { ByCallKey, CallKey, isPlainObject } from "./call-key.ts";
import { type Cell, recordReads } from "./cell.ts";
import { isCheckingFinite } from "./finite.ts";
import {
  type Compiled,
  checkFinite,
  commit,
  compile,
  keptNodes,
  realize,
  release,
  retain,
  undoEffects,
} from "./realize.ts";
import { Recent } from "./recent.ts";
import { Recordings } from "./recordings.ts";
import { type Fill, patternOf } from "./result-pattern.ts";
import { preparing, runPlan } from "./run-plan.ts";
import { sameSignature } from "./signature.ts";
import { relocations, type Storage } from "./storage.ts";
import {
  type Check,
  type Holder,
  type HostEffect,
  hostNode,
  type Resident,
  refuseWhileRecording,
  storedLeaf,
  Trace,
  withTrace,
} from "./trace.ts";

/**
 * A recorded step: replayed by binding arguments, computing its scalars and one call of the plan. It does not hold on
 * to the graph that was recorded.
 */
interface Variant<T> {
  readonly key: CallKey;
  readonly reads: ReadonlyMap<Cell<unknown>, unknown>;
  readonly events: readonly VariantEvent[];
  readonly compiled: Compiled;
  readonly written: readonly Resident[];
  readonly errors: readonly Check["error"][];
  /** Per plan input, where its value is stored. */
  readonly storages: readonly Storage[];
  /** Per plan input: the argument it comes from, or -1 for a storage of the recording's own. */
  readonly fromArgument: readonly number[];
  readonly bindings: Binding[];
  /** `relocations()` when `bindings` were last taken. */
  relocations: number;
  readonly scalars: Float64Array;
  /** Makes the function's result out of its tensors. */
  readonly result: Fill<T>;
}

/** A host event with the place among the plan's scalars that a number goes to (-1: the plan has no use for it). */
type VariantEvent =
  | { readonly compute: () => number; readonly at: number; readonly first: number; readonly effect: null }
  | { readonly effect: HostEffect };

/** What a captured function may take besides tensors: part of the recording's key. */
export type Plain = string | number | boolean | bigint | symbol | object | null | undefined;

/** How `capture` is told apart tensors from plain values, and makes new ones: given by the tensor layer. */
export interface TensorKind<T extends Holder> {
  is(value: unknown): value is T;
  make(node: Node): T;
}

/** Options of `capture`. */
export interface CaptureOptions {
  /**
   * Record again every so many calls and compare: throws `CaptureError` if the function has since come to do
   * something else (a JavaScript number it closes over has changed). Default 0: never.
   */
  check?: number;
  /** Runs after the function while it is recorded, still inside the recording. */
  finish?: () => void;
}

/** A captured function, and what is known of it. */
export interface Captured<A extends unknown[], R> {
  (...args: A): R;
  /** Recordings held: one a combination of plain arguments, shapes and state. */
  readonly variants: number;
  /** The plan that ran last. */
  readonly plan: Plan | null;
}

/** Makes `capture` for a kind of tensor. Each function that it gives keeps recordings of so many nodes in all. */
export function makeCapture<T extends Holder>(kind: TensorKind<T>, limit = keptNodes) {
  /**
   * Records `fn` once per combination of plain arguments, tensor shapes and state (modes, frozen set, structure of
   * the optimizer), then replays it as one plan. Arguments may be tensors, plain values, and arrays and plain objects
   * of them, compared by value; other objects are told apart by identity. Plain numbers it closes over become constants. Values cannot be
   * read inside; only what is returned (a tensor, or an array or object of tensors) leaves.
   */
  return function capture<A extends unknown[], R>(
    fn: (...args: A) => R,
    options: CaptureOptions = {},
  ): Captured<A, R> {
    const variants = new ByCallKey<Recordings<Variant<T>>>();
    const recent = new Recent<Variant<T>>(limit, (variant) => {
      const { key, reads, compiled } = variant;
      if (!variants.get(key)!.delete(reads)) variants.delete(key);
      release(compiled);
    });
    const asked = new CallKey();
    let calls = 0;
    let last: Variant<T> | null = null;

    /** Adds an argument to a key; tensors, also inside arrays and plain objects, are collected in order. */
    const describe = (arg: unknown, key: CallKey, tensors: T[]): void => {
      if (kind.is(arg)) {
        if (storedLeaf(arg.node) === null) realize(arg);
        const { dtype, shape, attrs } = storedLeaf(arg.node)!;
        const storage = attrs.source as Storage;
        tensors.push(arg);
        key.tensor(dtype, shape, storage.resident ? storage.id : -1);
      } else if (Array.isArray(arg)) {
        key.array(arg.length);
        for (const a of arg) describe(a, key, tensors);
      } else if (isPlainObject(arg)) {
        const names = Object.keys(arg);
        key.object(names.length);
        for (const name of names) {
          key.value(name);
          describe(arg[name], key, tensors);
        }
      } else key.value(arg);
    };

    const record = (args: A) => {
      const trace = new Trace(true);
      // Each tensor argument gets a storage of its own, so that two that are the same now may differ later.
      const leaves: Storage[] = [];
      const replace = (arg: unknown): unknown => {
        if (Array.isArray(arg)) return arg.map(replace);
        if (isPlainObject(arg))
          return Object.fromEntries(Object.entries(arg).map(([k, a]) => [k, replace(a)]));
        if (!kind.is(arg)) return arg;
        const leaf = storedLeaf(arg.node)!;
        const storage = leaf.attrs.source as Storage;
        const own = storage.resident
          ? leaf
          : hostNode(storage.binding(currentBackend()) as TypedArray, leaf.dtype, leaf.shape);
        leaves.push(own.attrs.source as Storage);
        return storage.resident ? arg : kind.make(own);
      };
      const fresh = args.map(replace) as A;
      try {
        const { result, reads } = recordReads(() =>
          withTrace(trace, () => {
            const out = fn(...fresh);
            options.finish?.();
            return out;
          }),
        );
        const holders: T[] = [];
        const pattern = patternOf(result, kind.is, holders);
        const request = {
          outputs: holders.map((h) => h.node),
          writes: [...trace.writes],
          checks: trace.checks,
        };
        checkFinite(request, trace);
        return { trace, reads, request, leaves, pattern, ...withTrace(trace, () => compile(request)) };
      } catch (error) {
        undoEffects(trace);
        throw error;
      } finally {
        trace.open = false;
      }
    };

    const makeVariant = (key: CallKey, args: A): Variant<T> => {
      const recorded = preparing("recording", () => record(args));
      const { trace, reads, request, leaves, pattern, compiled, signature } = recorded;
      retain(compiled);
      const storages = compiled.inputs.map((i) => signature.storages[i]!);
      const places = new Map<Node, number>(compiled.scalars.map((s, i) => [signature.scalars[s]!, i]));
      return {
        key,
        reads,
        compiled,
        written: request.writes.map(([resident]) => resident),
        errors: request.checks.map(({ error }) => error),
        storages,
        events: trace.events.map((e) =>
          "effect" in e
            ? { effect: e.effect }
            : {
                compute: e.scalar.attrs.compute,
                at: places.get(e.scalar) ?? -1,
                first: e.value,
                effect: null,
              },
        ),
        fromArgument: storages.map((s) => (s.resident ? -1 : leaves.indexOf(s))),
        // Bound when it runs, so that what it has done on the host is undone if there is no memory for that.
        bindings: [],
        relocations: -1,
        scalars: new Float64Array(compiled.scalars.length),
        result: pattern,
      };
    };

    /** Undoes effects, last first: all, or the first so many. */
    const undo = (v: Variant<T>, count = v.events.length): void => {
      for (const event of v.events.slice(0, count).reverse()) event.effect?.undo();
    };

    /** What happens on the host before a run: numbers are computed, and effects replayed, all of them or none. */
    const prepare = (v: Variant<T>, replay: boolean): void => {
      for (let i = 0; i < v.events.length; i++) {
        const event = v.events[i]!;
        if (event.effect === null) {
          const value = replay ? event.compute() : event.first;
          if (event.at >= 0) v.scalars[event.at] = value;
        } else if (replay)
          try {
            event.effect.apply();
          } catch (error) {
            undo(v, i);
            throw error;
          }
      }
    };

    /** Binds a recording to its arguments and runs it; gives its results, and the check that has failed, or -1. */
    const run = (v: Variant<T>, tensors: readonly T[]): { results: TypedArray[]; failed: number } => {
      const { compiled } = v;
      const backend = currentBackend();
      if (v.relocations !== relocations()) {
        for (const [i, storage] of v.storages.entries())
          if (v.fromArgument[i]! < 0) v.bindings[i] = storage.binding(backend);
        v.relocations = relocations();
      }
      for (let i = 0; i < v.fromArgument.length; i++) {
        const argument = v.fromArgument[i]!;
        if (argument >= 0)
          v.bindings[i] = (storedLeaf(tensors[argument]!.node)!.attrs.source as Storage).binding(backend);
      }
      const results = compiled.plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
      return { results, failed: runPlan(compiled, v.bindings, v.scalars, results) };
    };

    const execute = (v: Variant<T>, tensors: readonly T[], replay: boolean): R => {
      const { outputs } = v.compiled.plan;
      prepare(v, replay);
      let results: TypedArray[];
      try {
        const ran = run(v, tensors);
        if (ran.failed >= 0) throw v.errors[ran.failed]!(1);
        ({ results } = ran);
      } catch (error) {
        undo(v);
        throw error;
      }
      for (const { storage } of v.written) storage.version++;
      for (const event of v.events) event.effect?.done?.();
      return v.result(
        results.map((data, i) => kind.make(hostNode(data, outputs[i]!.dtype, outputs[i]!.shape))),
      ) as R;
    };

    const captured = (...args: A): R => {
      refuseWhileRecording("capture: calling a captured function");
      commit();
      calls++;
      const tensors: T[] = [];
      asked.restart();
      for (const arg of args) describe(arg, asked, tensors);
      let recordings = variants.get(asked);
      const found = isCheckingFinite() ? null : (recordings?.find() ?? null);
      if (found !== null) {
        last = found;
        recent.use(found, found.compiled.size);
        if (options.check && calls % options.check === 0) compare(found, args);
        return execute(found, tensors, true);
      }
      const key = asked.copy();
      const made = makeVariant(key, args);
      if (recordings === undefined) variants.set(key, (recordings = new Recordings()));
      for (const old of recordings.add(made.reads, made)) {
        recent.delete(old);
        release(old.compiled);
      }
      recent.use(made, made.compiled.size);
      last = made;
      return execute(made, tensors, false);
    };

    const compare = (variant: Variant<T>, args: A): void => {
      const again = preparing("recording", () => record(args));
      undoEffects(again.trace);
      if (!sameSignature(variant.compiled.numbers, again.signature.numbers))
        throw new CaptureError(
          "capture: the function now does something else than what was recorded. A number it closes over has changed: " +
            "pass it as an argument, or as a tensor.",
        );
    };

    return Object.defineProperties(captured, {
      variants: { get: () => recent.count },
      plan: { get: () => last?.compiled.plan ?? null },
    }) as Captured<A, R>;
  };
}
