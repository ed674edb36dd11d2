import type { DType, TypedArray } from "../base/dtype.ts";
import { CaptureError, ShapeError, type ThawError } from "../base/errors.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../base/shape.ts";
import { isOp, type Node, node } from "../ir/node.ts";
import { inScope } from "../ir/origin.ts";
import { Cell } from "./cell.ts";
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

/** Pending values beyond which they are computed unasked, so that a loop that never reads stays bounded. */
const maxPending = 20_000;
let overflow: () => void = () => {};

/** Says what to do when too much is pending. */
export function onOverflow(fn: () => void): void {
  overflow = fn;
}

/** Notes a holder whose node is not computed yet. */
export function notePending(holder: Holder): void {
  if (current.pending.push(holder) > maxPending && !current.recording) overflow();
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

/** A leaf node for the present version of a storage. */
export function inputNode(storage: Storage, shape: Shape): Node<"input"> {
  return node("input", [], { source: storage, version: storage.version, shape, dtype: storage.dtype });
}

/** A leaf node for an array, which must not be changed afterwards. */
export function hostNode(data: TypedArray, dtype: DType, shape: Shape): Node<"input"> {
  return inputNode(new Storage(dtype, data.length, data, false), shape);
}

/** Is told of every assignment to a `Resident`, before it: which, its next value, and who assigns it, if they said. */
export type AssignmentWatcher = (resident: Resident, value: Node, writer: string | null) => void;

const watchers = new Cell<readonly AssignmentWatcher[]>([]);
let writer: string | null = null;

/** Has assignments watched, also in captured functions, which are recorded again for it; gives what ends it. */
export function watchAssignments(watcher: AssignmentWatcher): () => void {
  watchers.value = [...watchers.peek(), watcher];
  return () => {
    watchers.value = watchers.peek().filter((other) => other !== watcher);
  };
}

/** Runs `fn`, which assigns in the name of `who`. */
export function writingAs<T>(who: string, fn: () => T): T {
  const before = writer;
  writer = who;
  try {
    return inScope(`the update of ${who}`, fn);
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
    const written = current.writes.get(this);
    if (written !== undefined) return written;
    if (this.#leaf === null || this.#leaf.attrs.version !== this.storage.version)
      this.#leaf = inputNode(this.storage, this.shape);
    return this.#leaf;
  }

  assign(value: Node): void {
    for (const watcher of watchers.value) watcher(this, value, writer);
    if (!sameShape(value.shape, this.shape) || value.dtype !== this.dtype)
      throw new ShapeError(
        `assign: ${value.dtype}${shapeText(value.shape)} into ${this.storage.label || "a value"} of ${this.dtype}${shapeText(this.shape)}`,
      );
    current.writes.set(this, value);
    current.assigned.push(value);
  }
}

/** Whether a node is a stored value (possibly marked as a variable). */
export function storedLeaf(n: Node): Node<"input"> | null {
  while (isOp(n, "variable") || isOp(n, "detach")) n = n.src[0]!;
  return isOp(n, "input") ? n : null;
}
