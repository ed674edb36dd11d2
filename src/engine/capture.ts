import type { TypedArray } from "../base/dtype.ts";
import { CaptureError } from "../base/errors.ts";
import type { Node } from "../ir/node.ts";
import { noteOrigins, notesOrigins } from "../ir/origin.ts";
import type { Plan } from "../plan/plan.ts";
import { ByCallKey, CallKey, isPlainObject } from "./call-key.ts";
import { recordReads } from "./cell.ts";
import { type Drift, driftOf, placeOf } from "./drift.ts";
import { recordFieldReads } from "./fields.ts";
import { isCheckingFinite } from "./finite.ts";
import { headOf, sameHead } from "./head.ts";
import { checkFinite, commit, compile, keptNodes, realize, release, retain, undoEffects } from "./realize.ts";
import { Recent } from "./recent.ts";
import { Recordings } from "./recordings.ts";
import { formOf, patternOf } from "./result-pattern.ts";
import type { Lease } from "./result-pool.ts";
import { preparing } from "./run-plan.ts";
import type { Signature } from "./signature.ts";
import { presentStorage, type Storage } from "./storage.ts";
import {
  type Holder,
  type HostEvent,
  hostNode,
  inputNode,
  leasedNode,
  refuseWhileRecording,
  storedLeaf,
  Trace,
  withTrace,
} from "./trace.ts";
import { type Recorded, Variant } from "./variant.ts";

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
   * Record again every so many calls, and throw `CaptureError`, with nothing done, if the function has since come to do
   * something else (a JavaScript number it closes over has changed). Default 0: it is recorded again at its 2nd, 3rd,
   * 5th, 9th, 17th call and so on, and every 512 calls, and followed where it has changed.
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
  /**
   * Calls carried out so far, by which it is recorded again now and then. Setting it, as resuming does, drops what is
   * recorded.
   */
  calls: number;
}

/** Recordings of keys that differ in their numbers only; the oldest goes beyond so many. */
const maxNumbers = 256;
/** Forms of such keys that are told apart. */
const maxForms = 1024;

/**
 * Whether the nth call of a recording is recorded again: the 2nd, 3rd, 5th, 9th, 17th and so on, and one in 512. What has
 * changed with the first calls is found at once, and what changes later at little cost.
 */
function isDue(n: number): boolean {
  const since = n - 1;
  return since < longest ? since > 0 && (since & (since - 1)) === 0 : since % longest === 0;
}

/** Calls after which a recording is made again at the latest. */
const longest = 512;

/** What is recorded of one call: a user's function, and what is done with what it gives. */
interface Parts<A extends unknown[], H> {
  readonly fn: (...args: A) => H;
  readonly then: (out: H, args: A) => unknown;
  readonly options: CaptureOptions;
}

/** A call that was recorded; `recorded` is null where it begins as what was recorded before, and need be no further. */
interface RecordedCall<T extends Holder> {
  readonly recorded: Recorded<T> | null;
  readonly drift: Drift | null;
  readonly constants: Signature["constants"];
  readonly events: readonly HostEvent[];
}

/** Makes `capture` for a kind of tensor. Each function that it gives keeps recordings of so many nodes in all. */
export function makeCapture<T extends Holder>(kind: TensorKind<T>, limit = keptNodes) {
  /** Adds an argument to a key; tensors, also inside arrays and plain objects, are collected in order. */
  const describe = (arg: unknown, key: CallKey, tensors: T[]): void => {
    if (kind.is(arg)) {
      if (storedLeaf(arg.node) === null) realize(arg);
      const leaf = storedLeaf(arg.node)!;
      const storage = presentStorage(leaf);
      tensors.push(arg);
      key.tensor(leaf.dtype, leaf.shape, storage.resident ? storage.id : -1);
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

  /** The tensors in what a function gives, as far as they are in arrays and plain objects. */
  const tensorsIn = (value: unknown): T[] => {
    if (kind.is(value)) return [value];
    if (Array.isArray(value)) return value.flatMap(tensorsIn);
    return isPlainObject(value) ? Object.values(value).flatMap(tensorsIn) : [];
  };

  /**
   * Runs a function in a trace of its own, and finds the plan of what it asks for. Where that begins as `before`, gives
   * what has happened on the host up to there instead, and leaves the rest to the recording that there is. Effects on the
   * host stand.
   */
  const record = <A extends unknown[], H>(
    { fn, then, options }: Parts<A, H>,
    args: A,
    before: Variant<T> | null,
  ): RecordedCall<T> => {
    const trace = new Trace(true);
    // Each tensor argument gets a storage of its own, so that two that are the same now may differ later.
    const leaves: Storage[] = [];
    const replace = (arg: unknown): unknown => {
      if (Array.isArray(arg)) return arg.map(replace);
      if (isPlainObject(arg)) return Object.fromEntries(Object.entries(arg).map(([k, a]) => [k, replace(a)]));
      if (!kind.is(arg)) return arg;
      const leaf = storedLeaf(arg.node)!;
      const storage = leaf.attrs.source as Storage;
      const own = storage.resident ? leaf : inputNode(storage.alias(), leaf.shape);
      leaves.push(own.attrs.source as Storage);
      return storage.resident ? arg : kind.make(own);
    };
    const fresh = args.map(replace) as A;
    const inTrace = () =>
      withTrace(trace, () => {
        const out = fn(...fresh);
        const { head, constants } = headOf(trace, tensorsIn(out), formOf(out, kind.is), leaves);
        const same = before !== null && sameHead(before.head, head);
        const drift = before === null || same ? null : driftOf(before.head, head, constants);
        const result = same ? null : then(out, fresh);
        options.finish?.();
        return { head, constants, same, drift, result };
      });
    try {
      const { result: read, fields } = recordFieldReads(() => recordReads(inTrace));
      const { head, constants, same, drift, result } = read.result;
      if (same) return { recorded: null, drift, constants, events: trace.events };
      const holders: T[] = [];
      const pattern = patternOf(result, kind.is, holders) as Recorded<T>["pattern"];
      const request = {
        // In the trace: of a parameter or buffer that is given, what has been assigned to it.
        outputs: withTrace(trace, () => holders.map((h) => h.node)),
        writes: [...trace.writes],
        checks: trace.checks,
      };
      checkFinite(request, trace);
      const compiled = withTrace(trace, () => compile(request));
      const recorded = {
        trace,
        reads: read.reads,
        fields: fields(),
        head,
        request,
        leaves,
        pattern,
        ...compiled,
      };
      return { recorded, drift, constants, events: trace.events };
    } catch (error) {
      undoEffects(trace);
      throw error;
    } finally {
      trace.open = false;
    }
  };

  /**
   * Records `fn` once per combination of plain arguments, tensor shapes and state (modes, frozen set, structure of
   * the optimizer, fields of modules), then replays it as one plan. Arguments may be tensors, plain values, and arrays
   * and plain objects of them, compared by value; other objects are told apart by identity. Now and then a call is
   * recorded again, in place of its replay: where the function has come to do something else (a number it closes over
   * has changed), that is said once, and it is recorded at every call from then on. Values cannot be read inside; only
   * what is returned (a tensor, or an array or object of tensors) leaves. With `then`, the call goes on with that, which
   * must follow from what `fn` asked for and from cells alone.
   */
  return function capture<A extends unknown[], H, R = H>(
    fn: (...args: A) => H,
    options: CaptureOptions = {},
    then: (out: H, args: A) => R = (out) => out as unknown as R,
  ): Captured<A, R> {
    const parts: Parts<A, H> = { fn, then, options };
    const variants = new ByCallKey<Recordings<Variant<T>>>();
    const drop = (variant: Variant<T>): void => {
      if (!variants.get(variant.key)!.delete(variant.reads)) variants.delete(variant.key);
      release(variant.compiled);
    };
    const recent = new Recent<Variant<T>>(limit, drop);
    /** Keys that have numbers in them, by what else is in them. */
    let numbered = new ByCallKey<CallKey[]>();
    let forms = 0;
    const asked = new CallKey();
    let calls = 0;
    /** What recordings begin to count their calls from. */
    let first = 0;
    let told = false;
    /** What is still to be told, once it is known where it comes from. */
    let toTell: Drift | null = null;
    let last: Variant<T> | null = null;

    const make = (data: TypedArray | Lease, index: number): T => {
      const { dtype, shape } = last!.compiled.plan.outputs[index]!;
      return kind.make(ArrayBuffer.isView(data) ? hostNode(data, dtype, shape) : leasedNode(data, shape));
    };

    /** Keeps a recording, and drops those whose place it takes. */
    const keep = (variant: Variant<T>): void => {
      const { key, reads, compiled } = variant;
      retain(compiled);
      let recordings = variants.get(key);
      if (recordings === undefined) {
        variants.set(key, (recordings = new Recordings()));
        boundNumbers(key);
      }
      for (const old of recordings.add(reads, variant)) {
        recent.delete(old);
        release(old.compiled);
      }
    };

    /** Sees to it that a number among the arguments which is another at each call does not fill memory. */
    const boundNumbers = (key: CallKey): void => {
      const form = key.withoutNumbers();
      if (form === null) return;
      let keys = numbered.get(form);
      if (keys === undefined) {
        if (++forms % maxForms === 0) numbered = new ByCallKey();
        numbered.set(form, (keys = []));
      }
      keys.push(key);
      if (keys.length <= maxNumbers) return;
      const oldest = variants.get(keys.shift()!);
      for (const variant of oldest?.all() ?? []) {
        recent.delete(variant);
        drop(variant);
      }
    };

    /** Says, once, that the function has come to do something else, and that it is followed. */
    const tell = ({ constant, text }: Drift, constants: Signature["constants"]): void => {
      const drift = text(placeOf(constants, constant));
      console.warn(`thaw: ${head}. ${drift}. ${following} ${remedy} (This is said once.)`);
      told = true;
      toTell = null;
    };

    /** Records a call; gives the recording to run, and how much of it has happened on the host. */
    const recordCall = (key: CallKey, args: A, before: Variant<T> | null): [Variant<T>, number] => {
      // To note where numbers come from takes as long as the rest: when few have changed so far, it waits for the next call.
      const locating =
        before !== null && !told && (before.calls < longest || before.follows) && !notesOrigins();
      if (locating) noteOrigins("numbers");
      try {
        const { recorded, drift, constants, events } = preparing("recording", () =>
          record(parts, args, before),
        );
        if (drift !== null && options.check) {
          undoEffects(recorded!.trace);
          throw new CaptureError(`${head}. ${drift.text(placeOf(constants, drift.constant))}. ${remedy}`);
        }
        if (!told) toTell ??= drift;
        if (toTell !== null && (locating || toTell.constant < 0)) tell(toTell, constants);
        if (recorded !== null) return made(key, recorded, before, drift !== null);
        before!.begin(events);
        return [before!, events.length];
      } finally {
        if (locating) noteOrigins(false);
      }
    };

    const made = (
      key: CallKey,
      recorded: Recorded<T>,
      before: Variant<T> | null,
      drifted: boolean,
    ): [Variant<T>, number] => {
      const variant = new Variant<T>(key, recorded);
      variant.follows = drifted || (before?.follows ?? false);
      variant.calls = before?.calls ?? first;
      keep(variant);
      return [variant, variant.eventCount];
    };

    const captured = (...args: A): R => {
      refuseWhileRecording("capture: calling a captured function");
      commit();
      const tensors: T[] = [];
      asked.restart();
      for (const arg of args) describe(arg, asked, tensors);
      const found = isCheckingFinite() ? null : (variants.get(asked)?.find() ?? null);
      const holds = found?.fields.hold() ?? false;
      let variant = found!;
      let happened = 0;
      if (!holds || isDueNow(variant) || variant.follows)
        [variant, happened] = recordCall(found?.key ?? asked.copy(), args, holds ? found : null);
      recent.use(variant, variant.compiled.size);
      last = variant;
      const result = variant.execute(tensors, happened, make) as R;
      variant.calls++;
      calls++;
      return result;
    };

    const isDueNow = (variant: Variant<T>): boolean =>
      options.check ? (calls + 1) % Math.min(options.check, longest) === 0 : isDue(variant.calls + 1);

    const setCalls = (count: number): void => {
      recent.clear();
      calls = first = count;
    };

    return Object.defineProperties(captured, {
      variants: { get: () => recent.count },
      plan: { get: () => last?.compiled.plan ?? null },
      calls: { get: () => calls, set: setCalls },
    }) as Captured<A, R>;
  };
}

const head = "a captured function (a step's loss is one) now does something else than what was recorded";
const following = "It is recorded at every call from now on, which takes longer than a replay.";
const remedy =
  "What changes from call to call is best a tensor, as an argument or one that is written to, or a number among the arguments.";
