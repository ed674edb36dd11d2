import type { Node } from "./op.ts";

/** Where a node was made, as far as that was noted. */
export interface Origin {
  /** Holds the stack of calls that made it. */
  readonly stack: Error;
  /** The innermost scope that it was made in; null: none. */
  readonly scope: string | null;
  /** The node whose gradient rule made it; null outside backward. */
  readonly gradientOf: Node | null;
}

/** Frames that a stack keeps: a loss may be many modules deep, and an operation many functions. */
const frames = 100;

let origins: WeakMap<Node, Origin> | null = null;
let scope: string | null = null;
let forward: Node | null = null;
let replaced: Node | null = null;

/** Has where nodes are made noted from now on, which takes as long as making them several times over; or not. */
export function noteOrigins(enabled: boolean): void {
  if (!enabled) origins = null;
  else origins ??= new WeakMap();
  // Whoever has set these may have thrown before they were put back.
  forward = null;
  replaced = null;
}

/** Whether where nodes are made is noted. */
export const notesOrigins = (): boolean => origins !== null;

/** Where a node was made; undefined where that was not noted. */
export const originOf = (n: Node): Origin | undefined => origins?.get(n);

/** Notes where a node is made, if that is asked for. */
export function noteOrigin(n: Node): void {
  if (origins === null) return;
  const known = replaced === null ? undefined : origins.get(replaced);
  if (known !== undefined) {
    origins.set(n, known);
    return;
  }
  const settings = Error as { stackTraceLimit?: number };
  const before = settings.stackTraceLimit;
  settings.stackTraceLimit = frames;
  origins.set(n, { stack: new Error(), scope, gradientOf: forward });
  if (before !== undefined) settings.stackTraceLimit = before;
}

/** Runs `fn` with what is made in it noted as made in a scope. */
export function inScope<T>(name: string, fn: () => T): T {
  const before = scope;
  scope = name;
  try {
    return fn();
  } finally {
    scope = before;
  }
}

/** Says of which node the gradient is being made; null: of none. */
export function makingGradientOf(n: Node | null): void {
  forward = n;
}

/** Says in whose place nodes are being made, which are then noted as made where it was; null: in none's. */
export function makingInPlaceOf(n: Node | null): void {
  replaced = n;
}
