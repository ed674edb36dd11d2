import type { DType, TypedArray } from "../base/dtype.ts";
import { CaptureError, ShapeError, type ThawError } from "../base/errors.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../base/shape.ts";
import { becomeInput, isOp, leafNode, type Node, node } from "../ir/node.ts";
import { inScope, notesOrigins, notesScopes } from "../ir/origin.ts";
import { Cell } from "./cell.ts";
import type { Lease } from "./result-pool.ts";
import { Storage } from "./storage.ts";

/** Something that holds a value of a graph: a tensor. Until it is computed its node is pending. */
export interface Holder {
  node: Node;
  /** Whether the next step must compute it although something consumes it. */
  kept: boolean;
  /** Why it has no value, where a check on what it is made of failed. */
  failed: ThawError | null;
}

/** A change of host state, replayed by a captured step and undone if the step fails. */
export interface HostEffect {
  apply(): void;
  undo(): void;
  /** Runs when the step has been carried out: what `undo` would need can go. */
  done?(): void;
}

/** A condition on values, checked before anything is written: `status` (i32, shape []) must be 0. */
export interface Check {
  readonly status: Node;
  /** What the condition is about: a value made of it has none if the check fails. */
  readonly guarded: Node;
  readonly error: (status: number) => ThawError;
}

/** What happens on the host, in program order: numbers computed for the step, and effects. */
export type HostEvent =
  | { readonly scalar: Node<"hostScalar">; readonly value: number }
  | { readonly effect: HostEffect };

/** What has been asked for and not yet run: ambient in ordinary code, one of its own while a step is recorded. */
export class Trace {
  pending: Holder[] = [];
  writes = new Map<Resident, Node>();
  /** Every value that was assigned, also where a later one has taken its place: whoever assigned it has used it. */
  assigned: Node[] = [];
  checks: Check[] = [];
  events: HostEvent[] = [];
  /** The newest node of what was carried out last. */
  newest = 0;
  /** How many times gradients were asked for since it was last carried out. */
  backwards = 0;
  /** How often each value was assigned since then, by whoever writes in nobody's name: an optimizer's step is no loop. */
  rewrites = new Map<Resident, number>();
  /** What the check was about that failed last. */
  refuted: Node | null = null;
  readonly recording: boolean;
  /** Whether what was made in it can still be read: false once a recording has ended. */
  open = true;

  constructor(recording: boolean) {
    this.recording = recording;
  }
}

let current = new Trace(false);

/** The trace that operations now go to. */
export const currentTrace = (): Trace => current;

/** Runs `fn` with everything it asks for going to `trace`. */
export function withTrace<T>(trace: Trace, fn: () => T): T {
  const before = current;
  current = trace;
  try {
    return fn();
  } finally {
    current = before;
  }
}

/**
 * When pending values are computed unasked, so that a loop that never reads one stays bounded in time and memory. A loop
 * shows itself: it overwrites again what it has overwritten, or asks for gradients again and again. Where it is cut then,
 * it is cut at the same place of every round, and the plan of one such stretch serves all. A loop that does neither is
 * cut wherever so many values are pending.
 */
const unread = { loop: 64, rewrites: 4, backwards: 8, pending: 4000 };
let commitUnasked: () => void = () => {};

/** Says what to do when much is pending that nobody has asked for. */
export function onUnread(fn: () => void): void {
  commitUnasked = fn;
}

/** Notes a holder whose node is not computed yet. */
export function notePending(holder: Holder): void {
  if (current.pending.push(holder) > unread.pending && !current.recording) commitUnasked();
}

/** Notes that gradients were asked for, all of which are held. */
export function noteBackward(): void {
  if (++current.backwards >= unread.backwards && current.pending.length > unread.loop && !current.recording)
    commitUnasked();
}

/** Adds a condition that must hold before the next step writes anything; what is made of `guarded` depends on it. */
export function addCheck(status: Node, error: (status: number) => ThawError, guarded: Node = status): void {
  current.checks.push({ status, guarded, error });
}

/** Changes host state now, again at each replay of a recorded step, and back if the step fails. */
export function hostEffect(effect: HostEffect): void {
  effect.apply();
  current.events.push({ effect });
}

/** A number that is an input of the step, not part of it: computed now, and anew at each replay, in f64. */
export function hostScalar(compute: () => number, dtype: DType = "f32"): Node<"hostScalar"> {
  const value = compute();
  const scalar = node("hostScalar", [], { compute: current.recording ? compute : () => value, dtype });
  current.events.push({ scalar, value });
  return scalar;
}

/** Throws where a value is read while a step is recorded. */
export function refuseWhileRecording(what: string): void {
  if (current.recording)
    throw new CaptureError(
      `${what}: a value cannot be read inside a captured function or trainStep's loss; return the tensor and read it outside`,
    );
}

/** Throws where something is changed, while a step is recorded, that a replay would not change again. */
export function refuseChangeWhileRecording(what: string): void {
  if (current.recording)
    throw new CaptureError(
      `${what}: it cannot be done inside a captured function or trainStep's loss, which a replay would not do again; do it outside`,
    );
}

/** A leaf node for the present version of a storage. */
export function inputNode(storage: Storage, shape: Shape): Node<"input"> {
  return leafNode({ source: storage, version: storage.version, shape, dtype: storage.dtype });
}

/** A leaf node for an array, which must not be changed afterwards. */
export function hostNode(data: TypedArray, dtype: DType, shape: Shape): Node<"input"> {
  return inputNode(new Storage(dtype, data.length, data, false), shape);
}

/** A leaf node for a result that is in memory of the pool. */
export function leasedNode(lease: Lease, shape: Shape): Node<"input"> {
  return inputNode(new Storage(lease.dtype, lease.length, null, false, lease), shape);
}

/** Is told of every assignment to a `Resident`, before it: which, its next value, and who assigns it, if they said. */
export type AssignmentWatcher = (resident: Resident, value: Node, writer: string | null) => void;

let watchers: readonly AssignmentWatcher[] = [];
/** Watchers that there have ever been: what was recorded before one came has not told it anything. */
const watched = new Cell(0);
let writer: string | null = null;

/**
 * Has assignments watched, also in captured functions, which are recorded again for it; gives what ends it. The end costs
 * no recording, as it may come at any time: with what is collected as garbage.
 */
export function watchAssignments(watcher: AssignmentWatcher): () => void {
  watchers = [...watchers, watcher];
  watched.value = watched.peek() + 1;
  return () => {
    watchers = watchers.filter((other) => other !== watcher);
  };
}

/** Runs `fn`, which assigns in the name of `who`. */
export function writingAs<T>(who: string, fn: () => T): T {
  const before = writer;
  writer = who;
  try {
    return notesOrigins() || notesScopes() ? inScope(`the update of ${who}`, fn) : fn();
  } finally {
    writer = before;
  }
}

/**
 * A value that lives in the engine's memory and is overwritten in place: a parameter, a buffer, an optimizer's
 * state. `assign` takes effect in program order, and is carried out at the next step.
 */
export class Resident {
  readonly storage: Storage;
  readonly shape: Shape;
  readonly dtype: DType;
  #leaf: Node<"input"> | null = null;

  /** Zeros, until something is assigned. */
  constructor(dtype: DType, shape: Shape, data: TypedArray | null = null) {
    this.shape = shape;
    this.dtype = dtype;
    this.storage = new Storage(dtype, sizeOf(shape), data, true);
  }

  /** The present value: what was last assigned, or what is stored. */
  get node(): Node {
    return current.writes.get(this) ?? this.stored;
  }

  /** What is stored, as the one leaf that graphs have for its present version. */
  get stored(): Node<"input"> {
    if (this.#leaf === null || this.#leaf.attrs.version !== this.storage.version)
      this.#leaf = inputNode(this.storage, this.shape);
    return this.#leaf;
  }

  /** Gives graphs that were built on the present value a copy of it to read, before it is overwritten. */
  preserve(): void {
    const { storage, shape, dtype } = this;
    const leaf = this.#leaf;
    if (leaf === null || leaf.attrs.version !== storage.version) return;
    this.#leaf = null;
    becomeInput(leaf, {
      source: new Storage(dtype, storage.length, storage.read(), false),
      version: 0,
      shape,
      dtype,
    });
  }

  /** Has graphs that were built on a value read it from here, where it has just been stored. */
  adopt(value: Node): void {
    const { storage, shape, dtype } = this;
    if (value.tracked || storedLeaf(value) !== null) return;
    this.#leaf = becomeInput(value, { source: storage, version: storage.version, shape, dtype });
  }

  assign(value: Node): void {
    if (watched.value > 0) for (const watcher of watchers) watcher(this, value, writer);
    if (!sameShape(value.shape, this.shape) || value.dtype !== this.dtype)
      throw new ShapeError(
        `assign: ${value.dtype}${shapeText(value.shape)} into ${this.storage.label || "a value"} of ${this.dtype}${shapeText(this.shape)}`,
      );
    current.writes.set(this, value);
    current.assigned.push(value);
    if (writer !== null || current.recording) return;
    const rewrites = (current.rewrites.get(this) ?? 0) + 1;
    current.rewrites.set(this, rewrites);
    if (rewrites >= unread.rewrites && current.pending.length > unread.loop) commitUnasked();
  }
}

/** Whether a node is a stored value (possibly marked as a variable). */
export function storedLeaf(n: Node): Node<"input"> | null {
  while (isOp(n, "variable") || isOp(n, "detach")) n = n.src[0]!;
  return isOp(n, "input") ? n : null;
}
