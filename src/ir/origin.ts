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
/** What each node was made for, and how many ask for that to be noted. */
let scopes: WeakMap<Node, string> | null = null;
let noting = 0;
let numbersOnly = false;
let scope: string | null = null;
let forward: Node | null = null;
let replaced: Node | null = null;

/**
 * Has where nodes are made noted from now on, which takes as long as making them several times over; or not. With
 * `"numbers"` only where plain numbers come in is noted, outside of what autograd and optimizers add of their own.
 */
export function noteOrigins(enabled: boolean | "numbers"): void {
  if (enabled === false) origins = null;
  else origins ??= new WeakMap();
  numbersOnly = enabled === "numbers";
  // Whoever has set these may have thrown before they were put back.
  forward = null;
  replaced = null;
}

/** Whether where nodes are made is noted. */
export const notesOrigins = (): boolean => origins !== null;

/**
 * Has what nodes are made for noted from now on, without the stacks of `noteOrigins`: the innermost scope, through the
 * rewriting of a graph too. Gives what ends it.
 */
export function noteScopes(): () => void {
  if (++noting === 1) scopes = new WeakMap();
  return () => {
    if (--noting === 0) scopes = null;
  };
}

/** Whether what nodes are made for is noted. */
export const notesScopes = (): boolean => scopes !== null;

/** What a node was made for: a scope, or the gradient of one; undefined where that was not noted, or is nothing. */
export const scopeOf = (n: Node): string | undefined => scopes?.get(n);

/** Notes that a node was made for what another one was. */
export function noteLike(of: Node, made: Node): void {
  const known = scopes?.get(of);
  if (known !== undefined) scopes!.set(made, known);
}

function noteScope(n: Node, to: WeakMap<Node, string>): void {
  const inPlace = replaced === null ? undefined : to.get(replaced);
  const ahead = forward === null ? undefined : to.get(forward);
  const made = inPlace ?? (ahead === undefined ? scope : gradientText(ahead));
  if (made !== null) to.set(n, made);
}

const gradientText = (of: string): string => (of.startsWith("gradient of ") ? of : `gradient of ${of}`);

/** Where a node was made; undefined where that was not noted. */
export const originOf = (n: Node): Origin | undefined => origins?.get(n);

/** Notes where a node is made, if that is asked for. */
export function noteOrigin(n: Node): void {
  if (scopes !== null) noteScope(n, scopes);
  if (origins === null) return;
  if (numbersOnly && (n.op !== "constant" || forward !== null)) return;
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
