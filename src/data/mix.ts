import { ArgumentError, StateDictError } from "../base/errors.ts";
import { refuseOptions, wholeNumber } from "../base/options.ts";
import type { Stateful } from "../base/stateful.ts";
import { threefry2x32 } from "../base/threefry.ts";
import { DataLoader } from "./data-loader.ts";
import { type Ranks, requireRanks } from "./sharding.ts";
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
  /**
   * Shares each source out among ranks, as the `group` of a `DataLoader` does, which each source then must be: all ranks
   * have the same task at each turn, and rows of their own. Loaders that have a group as they are.
   */
  group?: Ranks;
  /** Once it is aborted a pass ends: asked for the next batch, it throws the signal's reason. */
  signal?: AbortSignal;
}

/** Where one source of a mix stands. */
export interface MixedSourceState {
  /** Batches that were taken since it was last begun; null where it is to be begun. */
  taken: number | null;
  ended: boolean;
  /** Its own state, where it is a loader or such: otherwise what was taken is taken again, and left. */
  state?: unknown;
}

/** Where a mix stands in a pass. */
interface Pass {
  readonly epoch: number;
  /** Batches given. */
  batches: number;
  /** Tasks that have turns. */
  left: readonly string[];
  /** Turns had since those came to be the ones that are left, and stretches of turns begun before. */
  turns: number;
  stretches: number;
  readonly taken: Map<string, number>;
  readonly ended: Set<string>;
}

/** Where a mix stands, with its sources, and what makes its order. */
export interface MixStateDict {
  /** The pass that comes next; with `batch`, the one that is under way. */
  epoch: number;
  /** Batches of the pass that it has given; 0 between passes. */
  batch: number;
  left: string[];
  turns: number;
  stretches: number;
  ratios: Record<string, number>;
  seed: number | null;
  stop: string;
  sources: Record<string, MixedSourceState>;
}

/** Batches of several tasks in one order, a pass at each `for … of`: made by `mix`. It takes part in checkpoints. */
export class Mix<S extends Sources> implements Iterable<Mixed<S>>, Stateful<MixStateDict> {
  readonly sources: S;
  readonly ratios: Readonly<Record<keyof S & string, number>>;
  readonly seed: number | null;
  readonly stop: NonNullable<MixOptions["stop"]>;
  readonly #signal: AbortSignal | undefined;
  /** Passes begun, each of which has a random order of its own. Set it to come to the order of another pass. */
  epoch = 0;
  /** The pass that was begun last, if it has not ended. */
  #pass: Pass | null = null;
  /** A pass that is to be gone on with. */
  #resume: Pass | null = null;
  #loads = 0;

  constructor(given: S, options: MixOptions<keyof S & string> = {}) {
    refuseOptions("mix", options, { ratios: null, seed: wholeNumber, stop: null, group: null, signal: null });
    const { ratios, seed, stop = "first", group, signal } = options;
    const sources = group === undefined ? given : sharedOut(given, group);
    const tasks = Object.keys(sources);
    if (tasks.length === 0) throw new ArgumentError("mix: no sources; give at least one, by its task's name");
    if (!["first", "all", "once", "never"].includes(stop))
      throw new ArgumentError(`mix: stop is "${stop}"; there are "first", "all", "once" and "never"`);
    const shares: Readonly<Record<string, number>> =
      ratios ?? Object.fromEntries(tasks.map((task) => [task, 1]));
    for (const task of new Set([...tasks, ...Object.keys(shares)]))
      if (!Object.hasOwn(sources, task))
        throw new ArgumentError(
          `mix: a ratio for "${task}", which has no source; there are ${tasks.join(", ")}`,
        );
      else if (!(shares[task]! > 0 && Number.isFinite(shares[task])))
        throw new ArgumentError(
          `mix: the ratio of "${task}" is ${shares[task]}; it must be a number above 0 (leave out the source of a task that never comes)`,
        );
    this.sources = sources;
    this.ratios = shares as Readonly<Record<keyof S & string, number>>;
    this.seed = seed ?? null;
    this.stop = stop;
    this.#signal = signal;
  }

  [Symbol.iterator](): IterableIterator<Mixed<S>> {
    const epoch = this.epoch++;
    // One that was set to another pass has nothing to go on with.
    const resumed = this.#resume?.epoch === epoch ? this.#resume : null;
    const pass: Pass = resumed ?? this.#begun(epoch);
    this.#resume = null;
    this.#pass = pass;
    const going = new Map<string, Iterator<unknown>>();
    if (resumed !== null)
      for (const [task, taken] of pass.taken) going.set(task, goneOn(task, this.sources[task]!, taken));
    const end = (): void => {
      if (this.#pass === pass) this.#pass = null;
      for (const iterator of going.values()) iterator.return?.();
      going.clear();
    };
    const given = this.#batches(pass, going, end);
    const batches: IterableIterator<Mixed<S>> = {
      next: () => {
        if (this.#signal?.aborted) batches.return!();
        this.#signal?.throwIfAborted();
        return given.next();
      },
      return: () => {
        given.return(undefined);
        // A generator that is ended before its first batch does nothing.
        end();
        return { done: true, value: undefined };
      },
      [Symbol.iterator]: () => batches,
    };
    return batches;
  }

  *#batches(
    pass: Pass,
    going: Map<string, Iterator<unknown>>,
    end: () => void,
  ): Generator<Mixed<S>, undefined> {
    const { ended } = pass;
    const turnsOf = this.seed === null ? evenTurns : shuffledTurns(this.seed, pass.epoch);
    const tasks = Object.keys(this.sources);
    const begin = (task: string): IteratorResult<unknown> => {
      const iterator = this.sources[task]![Symbol.iterator]();
      going.set(task, iterator);
      pass.taken.set(task, 0);
      const first = iterator.next();
      if (first.done)
        throw new ArgumentError(
          `mix: the source of "${task}" gives no batch${ended.has(task) ? " when it is begun again; give a loader or an array, not an iterator, which can be gone through once" : ""}`,
        );
      return first;
    };
    const loads = this.#loads;
    try {
      while (pass.left.length > 0) {
        const { left } = pass;
        const ratios = left.map((task) => this.ratios[task]!);
        const order = turnsOf(ratios, pass.stretches);
        for (let turn = 0; turn < pass.turns; turn++) order.next();
        for (const turn of order) {
          // A pass that another has been loaded over is over.
          if (loads !== this.#loads) return;
          const task = left[turn]!;
          let next = going.get(task)?.next() ?? begin(task);
          pass.turns++;
          if (next.done) {
            going.delete(task);
            pass.taken.delete(task);
            ended.add(task);
            if (this.stop === "first" || (this.stop === "all" && ended.size === tasks.length)) return;
            if (this.stop === "once") break;
            next = begin(task);
          }
          pass.taken.set(task, pass.taken.get(task)! + 1);
          pass.batches++;
          yield [task, next.value] as Mixed<S>;
        }
        pass.left = left.filter((task) => !ended.has(task));
        pass.stretches += Math.ceil(pass.turns / stretchOf(ratios));
        pass.turns = 0;
      }
    } finally {
      end();
    }
  }

  #begun(epoch: number): Pass {
    const left = Object.keys(this.sources);
    return { epoch, batches: 0, left, turns: 0, stretches: 0, taken: new Map(), ended: new Set() };
  }

  /** Where it stands, and its sources with it: batches count as given from when the loop that takes them has them. */
  stateDict(): MixStateDict {
    const resume = this.#resume?.epoch === this.epoch ? this.#resume : null;
    const pass = this.#pass ?? resume ?? this.#begun(this.epoch);
    const sources = Object.entries(this.sources).map(([task, source]) => {
      const state = loadable(source)?.stateDict();
      const at = { taken: pass.taken.get(task) ?? null, ended: pass.ended.has(task) };
      return [task, { ...at, ...(state !== undefined && { state }) }] as const;
    });
    return {
      epoch: pass.epoch,
      batch: pass.batches,
      left: [...pass.left],
      turns: pass.turns,
      stretches: pass.stretches,
      ratios: { ...this.ratios },
      seed: this.seed,
      stop: this.stop,
      sources: Object.fromEntries(sources),
    };
  }

  /** Goes to where another of the same sources stood. A pass that is under way here ends. */
  loadStateDict(state: MixStateDict): void {
    this.prepareLoad(state)();
  }

  /** Checks what `loadStateDict` takes; gives what puts it in place, which cannot fail. */
  prepareLoad(state: MixStateDict): () => void {
    const { epoch, batch, turns, stretches, left } = state;
    const refuse = (problem: string): StateDictError => new StateDictError(`mix: loadStateDict: ${problem}`);
    if (![epoch, batch, turns, stretches].every((n) => Number.isSafeInteger(n) && n >= 0))
      throw refuse(`epoch, batch, turns and stretches are ${[epoch, batch, turns, stretches].join(", ")}`);
    const [here, there] = [Object.keys(this.sources), Object.keys(state.sources)];
    if (here.length !== there.length || !here.every((task, i) => task === there[i]))
      throw refuse(`the state is of the tasks ${there.join(", ")}, and this mixes ${here.join(", ")}`);
    const mine = this.stateDict();
    const wrong = (["ratios", "seed", "stop"] as const).filter(
      (name) => JSON.stringify(state[name]) !== JSON.stringify(mine[name]),
    );
    if (batch > 0 && wrong.length > 0)
      throw refuse(
        `after ${batch} batches of a pass, others would follow: ${wrong
          .map((name) => `${name} was ${JSON.stringify(state[name])} and is ${JSON.stringify(mine[name])}`)
          .join(", ")}. Make it as it was, or leave it out to begin a pass`,
      );
    if (!Array.isArray(left) || !left.every((task) => here.includes(task)))
      throw refuse("it does not say which tasks are left");
    const taken = new Map<string, number>();
    const puts: (() => void)[] = [];
    for (const task of here) {
      const source = state.sources[task]!;
      if (source.taken !== null && !(Number.isSafeInteger(source.taken) && source.taken >= 0))
        throw refuse(`of "${task}", ${source.taken} batches were taken`);
      if (source.taken !== null) taken.set(task, source.taken);
      const own = loadable(this.sources[task]!);
      if (own !== null && source.state !== undefined) puts.push(own.prepareLoad(source.state));
    }
    const ended = new Set(here.filter((task) => state.sources[task]!.ended));
    return () => {
      for (const put of puts) put();
      this.epoch = epoch;
      this.#pass = null;
      this.#loads++;
      this.#resume =
        batch > 0 ? { epoch, batches: batch, left: [...left], turns, stretches, taken, ended } : null;
    };
  }
}

/** Sources of which each rank has its share. */
function sharedOut<S extends Sources>(sources: S, group: Ranks): S {
  requireRanks("mix", group);
  const shared = Object.entries(sources).map(([task, source]) => {
    if (!(source instanceof DataLoader))
      throw new ArgumentError(
        `mix: the source of "${task}" is no DataLoader, and cannot be shared out among ranks; give a DataLoader, or leave group out and give each rank batches of its own`,
      );
    return [task, source.group === null ? source.sharedOut(group) : source];
  });
  return Object.fromEntries(shared) as S;
}

/** A source that goes on by itself from where its state says; null where it is none. */
function loadable(source: Iterable<unknown>): Required<Stateful> | null {
  const { stateDict, prepareLoad } = source as Partial<Stateful>;
  return typeof stateDict === "function" && typeof prepareLoad === "function"
    ? (source as unknown as Required<Stateful>)
    : null;
}

/** A source that so many batches have been taken from. */
function goneOn(task: string, source: Iterable<unknown>, taken: number): Iterator<unknown> {
  const iterator = source[Symbol.iterator]();
  if (loadable(source) !== null) return iterator;
  for (let i = 0; i < taken; i++)
    if (iterator.next().done)
      throw new ArgumentError(
        `mix: ${taken} batches of "${task}" had been taken, and its source gives ${i} now; give it what it had`,
      );
  return iterator;
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

/** How many turns it takes until the rarest has come once. */
const stretchOf = (ratios: readonly number[]): number =>
  Math.ceil(ratios.reduce((sum, ratio) => sum + ratio, 0) / Math.min(...ratios));

/** As `evenTurns`, each stretch as long as the rarest takes to come once in a random order of its own. */
const shuffledTurns = (seed: number, epoch: number) => {
  const [key] = threefry2x32(seed, epoch, 0, 0);
  return function* (ratios: readonly number[], before: number): Generator<number> {
    const length = stretchOf(ratios);
    const turns = evenTurns(ratios);
    // Stretches before have had orders of their own.
    for (let n = before; ; n++) {
      const stretch = Array.from({ length }, () => turns.next().value as number);
      for (const at of permutation(length, key, n)) yield stretch[at]!;
    }
  };
};
