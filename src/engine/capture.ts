import { currentBackend } from "../backends/registry.ts";
import { allocate, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, CaptureError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { Binding, Plan } from "../plan/plan.ts";
import { type Cell, recordReads, stateEpoch } from "./cell.ts";
import { isCheckingFinite } from "./finite.ts";
import {
  type Compiled,
  commit,
  compile,
  type Request,
  realize,
  release,
  retain,
  undoEffects,
} from "./realize.ts";
import { type Signature, sameSignature } from "./signature.ts";
import { relocations, type Storage } from "./storage.ts";
import {
  type Holder,
  type HostEffect,
  hostNode,
  refuseWhileRecording,
  storedLeaf,
  Trace,
  withTrace,
} from "./trace.ts";

/** A recorded step: replayed by binding arguments, computing its scalars and one call of the plan. */
interface Variant {
  readonly reads: ReadonlyMap<Cell<unknown>, unknown>;
  readonly events: readonly VariantEvent[];
  readonly request: Request;
  readonly compiled: Compiled;
  readonly signature: Signature;
  /** Per plan input: the argument it comes from, or -1 for a storage of the recording's own. */
  readonly fromArgument: readonly number[];
  readonly bindings: Binding[];
  /** `relocations()` when `bindings` were last taken. */
  relocations: number;
  readonly scalars: Float64Array;
  readonly rebuild: (results: Holder[]) => unknown;
  epoch: number;
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

const ids = new WeakMap<object, number>();
let nextId = 1;
function identity(value: Plain): string {
  // With its length before it, no string can be taken for several.
  if (typeof value === "string") return `${value.length}"${value}`;
  if (value === null || (typeof value !== "object" && typeof value !== "function"))
    return `${typeof value}${String(value)}`;
  if (!ids.has(value)) ids.set(value, nextId++);
  return `object${ids.get(value)}`;
}

const maxVariants = 256;

/** Makes `capture` for a kind of tensor. */
export function makeCapture<T extends Holder>(kind: TensorKind<T>) {
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
    const variants = new Map<string, Variant[]>();
    let count = 0;
    let calls = 0;
    let last: Variant | null = null;

    /** An argument's part of the key; tensors, also inside arrays and plain objects, are collected in order. */
    const describe = (arg: unknown, tensors: T[]): string => {
      if (kind.is(arg)) {
        if (storedLeaf(arg.node) === null) realize(arg);
        const leaf = storedLeaf(arg.node)!;
        const storage = leaf.attrs.source as Storage;
        tensors.push(arg);
        return `${leaf.dtype}${leaf.shape.join("x")}${storage.resident ? `@${storage.id}` : ""}`;
      }
      if (Array.isArray(arg)) return `[${arg.map((a) => describe(a, tensors)).join()}]`;
      if (isPlainObject(arg))
        return `{${Object.entries(arg).map(([k, a]) => `${identity(k)}:${describe(a, tensors)}`)}}`;
      return identity(arg as Plain);
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
        const rebuild = treeOf(result, kind.is, holders);
        const request = {
          outputs: holders.map((h) => h.node),
          writes: [...trace.writes],
          checks: trace.checks,
        };
        const { signature } = withTrace(trace, () => compile(request));
        return {
          trace,
          reads,
          request,
          signature,
          rebuild: (results: Holder[]) => rebuild(results as T[]),
          leaves,
        };
      } catch (error) {
        undoEffects(trace);
        throw error;
      } finally {
        trace.open = false;
      }
    };

    const makeVariant = (args: A): Variant => {
      const { trace, leaves, ...recorded } = record(args);
      const { compiled } = compile(recorded.request);
      retain(compiled);
      const storages = compiled.inputs.map((i) => recorded.signature.storages[i]!);
      const places = new Map<Node, number>(
        compiled.scalars.map((s, i) => [recorded.signature.scalars[s]!, i]),
      );
      return {
        ...recorded,
        compiled,
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
        bindings: storages.map((s) => s.binding(currentBackend())),
        relocations: relocations(),
        scalars: new Float64Array(compiled.scalars.length),
        epoch: stateEpoch(),
      };
    };

    const holds = (v: Variant): boolean => {
      if (v.epoch === stateEpoch()) return true;
      for (const [cell, value] of v.reads) if (!Object.is(cell.peek(), value)) return false;
      v.epoch = stateEpoch();
      return true;
    };

    /** What happens on the host before a run: numbers are computed, and effects replayed, all of them or none. */
    const prepare = (v: Variant, replay: boolean): void => {
      for (const [i, event] of v.events.entries()) {
        if (event.effect === null) {
          const value = replay ? event.compute() : event.first;
          if (event.at >= 0) v.scalars[event.at] = value;
        } else if (replay)
          try {
            event.effect.apply();
          } catch (error) {
            for (const earlier of v.events.slice(0, i).reverse()) earlier.effect?.undo();
            throw error;
          }
      }
    };

    const execute = (v: Variant, tensors: readonly T[], replay: boolean): R => {
      const { compiled } = v;
      const backend = currentBackend();
      prepare(v, replay);
      if (v.relocations !== relocations()) {
        for (const [i, slot] of compiled.inputs.entries())
          if (v.fromArgument[i]! < 0) v.bindings[i] = v.signature.storages[slot]!.binding(backend);
        v.relocations = relocations();
      }
      for (let i = 0; i < v.fromArgument.length; i++) {
        const argument = v.fromArgument[i]!;
        if (argument >= 0)
          v.bindings[i] = (storedLeaf(tensors[argument]!.node)!.attrs.source as Storage).binding(backend);
      }
      const results = compiled.plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
      const failed = compiled.executable.run(v.bindings, v.scalars, results);
      if (failed >= 0) {
        for (const event of [...v.events].reverse()) event.effect?.undo();
        throw v.request.checks[failed]!.error(1);
      }
      for (const [resident] of v.request.writes) resident.storage.version++;
      for (const event of v.events) event.effect?.done?.();
      return v.rebuild(
        results.map((data, i) =>
          kind.make(hostNode(data, compiled.plan.outputs[i]!.dtype, compiled.plan.outputs[i]!.shape)),
        ),
      ) as R;
    };

    const captured = (...args: A): R => {
      refuseWhileRecording("capture: calling a captured function");
      commit();
      calls++;
      const tensors: T[] = [];
      let key = "";
      for (const arg of args) key += `${describe(arg, tensors)};`;
      let list = variants.get(key);
      const found = list?.find(holds);
      if (found !== undefined && !isCheckingFinite()) {
        last = found;
        if (options.check && calls % options.check === 0) compare(found, args);
        return execute(found, tensors, true);
      }
      const made = makeVariant(args);
      if (list === undefined) variants.set(key, (list = []));
      list.push(made);
      if (++count > maxVariants) {
        for (const old of variants.values()) for (const v of old) if (v !== made) release(v.compiled);
        variants.clear();
        variants.set(key, [made]);
        count = 1;
      }
      last = made;
      return execute(made, tensors, false);
    };

    const compare = (variant: Variant, args: A): void => {
      const again = record(args);
      undoEffects(again.trace);
      if (!sameSignature(variant.signature.numbers, again.signature.numbers))
        throw new CaptureError(
          "capture: the function now does something else than what was recorded. A number it closes over has changed: " +
            "pass it as an argument, or as a tensor.",
        );
    };

    return Object.defineProperties(captured, {
      variants: { get: () => count },
      plan: { get: () => last?.compiled.plan ?? null },
    }) as Captured<A, R>;
  };
}

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;

/** Takes the tensors out of a result and gives the function that puts others in their place. */
function treeOf<T>(value: unknown, is: (v: unknown) => v is T, found: T[]): (results: T[]) => unknown {
  if (is(value)) {
    const index = found.push(value) - 1;
    return (results) => results[index];
  }
  if (Array.isArray(value)) {
    const parts = value.map((v) => treeOf(v, is, found));
    return (results) => parts.map((p) => p(results));
  }
  if (value !== null && typeof value === "object") {
    if (!isPlainObject(value))
      throw new ArgumentError(
        "capture: a captured function returns tensors, plain values, or arrays and plain objects of them",
      );
    const parts = Object.entries(value).map(([k, v]) => [k, treeOf(v, is, found)] as const);
    return (results) => Object.fromEntries(parts.map(([k, p]) => [k, p(results)]));
  }
  return () => value;
}
