import { availableCores } from "./cores.ts";

/** What is used of Node's threads. */
interface NodeThreads {
  readonly isMainThread: boolean;
  getEnvironmentData(key: string): unknown;
  setEnvironmentData(key: string, value: unknown): void;
}

/** Threads of JavaScript that can be told apart; of more than these some share a place. */
const places = 64;
/** Milliseconds for which somebody who has computed counts as computing. */
const lately = 2000;
/** Milliseconds between two looks at what the others do. */
const between = 100;

function boardOf(): Int32Array | null {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } };
  const threads = process?.getBuiltinModule?.("node:worker_threads") as NodeThreads | undefined;
  if (threads === undefined) return new Int32Array(places + 1);
  const inherited = threads.getEnvironmentData("thaw:cores");
  if (inherited instanceof SharedArrayBuffer) return new Int32Array(inherited);
  if (!threads.isMainThread) return null;
  const own = new SharedArrayBuffer(4 * (places + 1));
  threads.setEnvironmentData("thaw:cores", own);
  return new Int32Array(own);
}

/**
 * When each thread of JavaScript in this process last had work for several cores, in milliseconds since an hour that all
 * agree on; the last word counts the threads. Workers inherit it from the thread that starts them, if that has
 * imported thaw; null: this is a worker that has not, and knows nothing of its like.
 */
let board: Int32Array | null = null;

/** Has every worker that is started from here on share the cores with this thread: to be called before there are any. */
export function shareCores(): void {
  board = boardOf();
}

/**
 * How many threads a backend has of its own accord: as many as there are cores for this thread of JavaScript, beside
 * others of this process that compute too.
 */
export class Sharing {
  /** The most that there can be. */
  readonly cores = availableCores();
  #place = -1;
  #looked = Number.NEGATIVE_INFINITY;
  #threads = 1;

  /** How many threads of a backend there are, and may be. */
  static describe(threads: number, sharing: Sharing | null): string {
    const more = sharing === null ? "" : ` (up to ${sharing.cores} where work is large)`;
    return `${threads} thread(s)${more}`;
  }

  /** Says that there is work for several cores now, and gives how many threads may do it. */
  threads(): number {
    const now = performance.now();
    if (this.cores === 1 || now - this.#looked < between) return this.#threads;
    this.#looked = now;
    return (this.#threads = this.#shared());
  }

  #shared(): number {
    if (board === null) return 1;
    if (this.#place < 0) this.#place = Atomics.add(board, places, 1) % places;
    // Of 24 days, in which a word of 31 bits comes round.
    const time = ((performance.timeOrigin + performance.now()) % 2 ** 31) | 0;
    Atomics.store(board, this.#place, Math.max(1, time));
    let computing = 0;
    for (let i = 0; i < places; i++) {
      const last = Atomics.load(board, i);
      if (last !== 0 && Math.abs(time - last) < lately) computing++;
    }
    return Math.max(1, Math.floor(this.cores / computing));
  }
}
