import { ArgumentError } from "../base/errors.ts";
import { threefry2x32 } from "../base/threefry.ts";
import { permutation } from "./shuffle.ts";

/** What each task is trained with, by its name: data loaders, arrays, or whatever else can be gone through. */
export type Sources = Readonly<Record<string, Iterable<unknown>>>;

/** A task and a batch of its own. */
export type Mixed<S extends Sources> = {
  [K in keyof S & string]: readonly [task: K, batch: S[K] extends Iterable<infer B> ? B : never];
}[keyof S & string];

/** Options of `mix`. `K` are the names of the tasks. */
export interface MixOptions<K extends string = string> {
  /** How often each task comes, in proportion to the others. Default: all alike, which is in turn. */
  ratios?: Readonly<Record<K, number>>;
  /**
   * Makes the order random, the same for the same seed: turns are shuffled in stretches as long as the rarest task
   * takes to come once. Without it, they are as even as can be: of n turns a task has its share of n, rounded up or down.
   */
  seed?: number;
  /**
   * When a pass ends. `"first"` (the default): when it is the turn of a task whose source has ended. `"all"`: sources
   * that have ended begin again, until each has ended once. `"once"`: every batch comes once; tasks whose source has
   * ended drop out. `"never"`: sources begin again for ever.
   */
  stop?: "first" | "all" | "once" | "never";
}

/** Batches of several tasks in one order, a pass at each `for … of`: made by `mix`. */
export class Mix<S extends Sources> implements Iterable<Mixed<S>> {
  readonly sources: S;
  readonly ratios: Readonly<Record<keyof S & string, number>>;
  readonly seed: number | null;
  readonly stop: NonNullable<MixOptions["stop"]>;
  /** Passes begun, each of which has a random order of its own. Set it to come to the order of another pass. */
  epoch = 0;

  constructor(sources: S, { ratios, seed, stop = "first" }: MixOptions<keyof S & string> = {}) {
    const tasks = Object.keys(sources);
    if (tasks.length === 0) throw new ArgumentError("mix: no sources; give at least one, by its task's name");
    if (!["first", "all", "once", "never"].includes(stop))
      throw new ArgumentError(`mix: stop is "${stop}"; there are "first", "all", "once" and "never"`);
    const given: Readonly<Record<string, number>> =
      ratios ?? Object.fromEntries(tasks.map((task) => [task, 1]));
    for (const task of new Set([...tasks, ...Object.keys(given)]))
      if (!Object.hasOwn(sources, task))
        throw new ArgumentError(
          `mix: a ratio for "${task}", which has no source; there are ${tasks.join(", ")}`,
        );
      else if (!(given[task]! > 0 && Number.isFinite(given[task])))
        throw new ArgumentError(
          `mix: the ratio of "${task}" is ${given[task]}; it must be a number above 0 (leave out the source of a task that never comes)`,
        );
    this.sources = sources;
    this.ratios = given as Readonly<Record<keyof S & string, number>>;
    this.seed = seed ?? null;
    this.stop = stop;
  }

  *[Symbol.iterator](): Iterator<Mixed<S>> {
    const pass = this.epoch++;
    const turnsOf = this.seed === null ? evenTurns : shuffledTurns(this.seed, pass);
    const tasks = Object.keys(this.sources);
    const going = new Map<string, Iterator<unknown>>();
    const ended = new Set<string>();
    const begin = (task: string): IteratorResult<unknown> => {
      const iterator = this.sources[task]![Symbol.iterator]();
      going.set(task, iterator);
      const first = iterator.next();
      if (first.done)
        throw new ArgumentError(
          `mix: the source of "${task}" gives no batch${ended.has(task) ? " when it is begun again; give a loader or an array, not an iterator, which can be gone through once" : ""}`,
        );
      return first;
    };
    try {
      let left = tasks;
      while (left.length > 0) {
        for (const turn of turnsOf(left.map((task) => this.ratios[task]!))) {
          const task = left[turn]!;
          let next = going.get(task)?.next() ?? begin(task);
          if (next.done) {
            going.delete(task);
            ended.add(task);
            if (this.stop === "first" || (this.stop === "all" && ended.size === tasks.length)) return;
            if (this.stop === "once") break;
            next = begin(task);
          }
          yield [task, next.value] as Mixed<S>;
        }
        left = left.filter((task) => !ended.has(task));
      }
    } finally {
      for (const iterator of going.values()) iterator.return?.();
    }
  }
}

/**
 * Goes through the batches of several tasks in one order, as pairs of task and batch: `for (const [task, batch] of
 * mix({ task1: loader1, task2: loader2 })) await step(task, ...batch)`. They come in turn, or as often as `ratios` say;
 * see `MixOptions`. Throws `ArgumentError` where a source has no batches.
 */
export function mix<S extends Sources>(sources: S, options: MixOptions<keyof S & string> = {}): Mix<S> {
  return new Mix(sources, options);
}

/**
 * Whose turn it is, without end: of any number of turns from the start, each has its share, rounded up or down. Among
 * those that are not ahead of their share, the turn goes to whom it is due first, which always works out (Liu and
 * Layland, "Scheduling algorithms for multiprogramming in a hard-real-time environment", 1973, section 7).
 */
function* evenTurns(ratios: readonly number[]): Generator<number> {
  const all = ratios.reduce((sum, ratio) => sum + ratio, 0);
  const had = ratios.map(() => 0);
  // Shares such as 0.1 of 1 are not exact.
  const rounding = 1e-9;
  for (let turn = 0; ; turn++) {
    let [next, due] = [-1, Infinity];
    for (const [i, ratio] of ratios.entries()) {
      const last = Math.ceil(((had[i]! + 1) * all) / ratio - rounding);
      if ((had[i]! * all) / ratio < turn + 1 - rounding && last < due) [next, due] = [i, last];
    }
    had[next]!++;
    yield next;
  }
}

/** As `evenTurns`, each stretch as long as the rarest takes to come once in a random order of its own. */
const shuffledTurns = (seed: number, pass: number) => {
  const [key] = threefry2x32(seed, pass, 0, 0);
  let stretches = 0;
  return function* (ratios: readonly number[]): Generator<number> {
    const length = Math.ceil(ratios.reduce((sum, ratio) => sum + ratio, 0) / Math.min(...ratios));
    const turns = evenTurns(ratios);
    for (;;) {
      const stretch = Array.from({ length }, () => turns.next().value as number);
      for (const at of permutation(length, key, stretches++)) yield stretch[at]!;
    }
  };
};
