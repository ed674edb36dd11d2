/** Counts every change of state that a captured step may depend on: unchanged state costs one comparison. */
let epoch = 0;
let structures = 0;
let reads: Map<Cell<unknown>, unknown> | null = null;

/** The present epoch of all cells. */
export const stateEpoch = (): number => epoch;

/** Says that the structure of a module tree may have changed (a module or parameter was made). */
export function bumpEpoch(): void {
  epoch++;
  structures++;
}

/** Counts what `bumpEpoch` says, and nothing else. */
export const structureEpoch = (): number => structures;

/**
 * A piece of host state that a step's structure depends on: a mode, a flag, an option. Reading it while a step is
 * recorded makes its value part of the recording's key; setting it to another value moves the epoch.
 */
export class Cell<T> {
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    if (reads !== null && !reads.has(this)) reads.set(this, this.#value);
    return this.#value;
  }

  set value(next: T) {
    if (Object.is(next, this.#value)) return;
    this.#value = next;
    epoch++;
  }

  /** The value, without making it part of a recording's key. */
  peek(): T {
    return this.#value;
  }
}

/** What all recordings depend on: one cell, so that it costs one comparison. */
const surroundings = new Cell<unknown>("");
const kinds = new Map<string, string>();

/**
 * Says how something stands that a recording would depend on without having read it: that a layer has no hook, say. A
 * recording is of use again when all stands as it did then. "" is how everything stands at first.
 */
export function noteSurroundings(kind: "hooks" | "weights" | "dtypes", state: string): void {
  if (state === "") kinds.delete(kind);
  else kinds.set(kind, state);
  surroundings.value = [...kinds].map((entry) => entry.join(" ")).join("\n");
}

/** Runs `fn` and collects the cells it read with the values they first had. */
export function recordReads<T>(fn: () => T): { result: T; reads: Map<Cell<unknown>, unknown> } {
  const outer = reads;
  const mine = new Map<Cell<unknown>, unknown>([[surroundings, surroundings.peek()]]);
  reads = mine;
  try {
    return { result: fn(), reads: mine };
  } finally {
    reads = outer;
    if (outer !== null) for (const [cell, value] of mine) if (!outer.has(cell)) outer.set(cell, value);
  }
}
