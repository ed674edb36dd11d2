import { GroupTimeoutError, RankError } from "../../base/errors.ts";

/** Words of the group, then of each rank, then of texts. */
const words = { group: 16, rank: 16, message: 512, action: 16 } as const;

/** Words of the group; the last two are of ranks that are processes. */
const at = { failed: 0, kind: 1, length: 2, port: 3, told: 4 } as const;
/** Words of a rank; what is of a meeting alternates between two. */
const of = {
  arrived: 0,
  interruption: 1,
  meeting: 3,
  size: 5,
  count: 7,
  time: 8,
  ended: 9,
  action: 10,
} as const;

const kinds = { error: 1, timeout: 2 } as const;

/** What is known of a rank. */
export interface Seen {
  readonly action: string;
  readonly count: number;
  /** Milliseconds since it was noted. */
  readonly since: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The memory in which the ranks of a group, each a thread, and their supervisor find each other: who has come to which
 * meeting, what each is at, and whether one has failed. Of ranks that are processes each has its own, which its watch
 * keeps as the others say.
 */
export class Control {
  readonly ranks: number;
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #texts: number;

  constructor(ranks: number, memory?: SharedArrayBuffer) {
    this.ranks = ranks;
    this.#texts = words.group + ranks * words.rank;
    this.memory = memory ?? new SharedArrayBuffer(4 * (this.#texts + words.message + ranks * words.action));
    this.#words = new Int32Array(this.memory);
    this.#bytes = new Uint8Array(this.memory);
  }

  /** Where a thread that has this memory and not this class finds what it needs, in words of 32 bits. */
  get places() {
    const { count, time, ended } = of;
    const actions = this.#texts + words.message;
    return {
      ...at,
      ...{ count, time, ended },
      ...{ message: this.#texts, messageBytes: words.message * 4 },
      ...{ rank: words.group, rankWords: words.rank },
      ...{ actions, actionBytes: words.action * 4 },
    };
  }

  #word(rank: number, word: number): number {
    return words.group + rank * words.rank + word;
  }

  /** Says that a rank has come to a meeting, and with what. */
  arrive(rank: number, meeting: number, kind: number, size: number, interruption: number): void {
    const turn = meeting & 1;
    Atomics.store(this.#words, this.#word(rank, of.meeting + turn), kind);
    Atomics.store(this.#words, this.#word(rank, of.size + turn), size);
    Atomics.store(this.#words, this.#word(rank, of.interruption + turn), interruption);
    const arrived = this.#word(rank, of.arrived);
    Atomics.store(this.#words, arrived, meeting);
    Atomics.notify(this.#words, arrived);
  }

  /** Whether a rank has come to a meeting. They are counted in 32 bits, and come round. */
  hasArrived(rank: number, meeting: number): boolean {
    return ((Atomics.load(this.#words, this.#word(rank, of.arrived)) - meeting) | 0) >= 0;
  }

  /** What a rank has brought to a meeting at which all are. */
  broughtBy(rank: number, meeting: number): { kind: number; size: number; interruption: number } {
    const turn = meeting & 1;
    const word = (at: number): number => Atomics.load(this.#words, this.#word(rank, at + turn));
    return { kind: word(of.meeting), size: word(of.size), interruption: word(of.interruption) };
  }

  /** Waits until a rank has come to a meeting, or for so many milliseconds, or until something else has happened. */
  wait(rank: number, meeting: number, milliseconds: number): void {
    const arrived = this.#word(rank, of.arrived);
    const now = Atomics.load(this.#words, arrived);
    if (((now - meeting) | 0) < 0) Atomics.wait(this.#words, arrived, now, milliseconds);
  }

  /** Has everybody who waits look up. */
  #wake(): void {
    for (let rank = 0; rank < this.ranks; rank++) Atomics.notify(this.#words, this.#word(rank, of.arrived));
  }

  /** Says that a rank has failed, unless one has before; gives whether it is the first. */
  fail(rank: number, message: string, timeout = false): boolean {
    // The text comes first; whoever is not the first must not touch it.
    if (Atomics.compareExchange(this.#words, at.failed, 0, -1) !== 0) return false;
    const bytes = encoder.encode(message).subarray(0, words.message * 4);
    this.#bytes.set(bytes, this.#texts * 4);
    Atomics.store(this.#words, at.length, bytes.length);
    Atomics.store(this.#words, at.kind, timeout ? kinds.timeout : kinds.error);
    Atomics.store(this.#words, at.failed, rank + 1);
    this.#wake();
    return true;
  }

  /** The error that a rank has failed with, as others throw it; null where none has. */
  failure(): RankError | null {
    const failed = Atomics.load(this.#words, at.failed);
    if (failed <= 0) return null;
    const from = this.#texts * 4;
    const text = decoder.decode(
      this.#bytes.slice(from, from + Atomics.load(this.#words, at.length)),
      // Cut in the middle of a character, it ends before that.
      { stream: false },
    );
    const Class = Atomics.load(this.#words, at.kind) === kinds.timeout ? GroupTimeoutError : RankError;
    return new Class(text, { rank: failed - 1 });
  }

  /** Says that a rank's script has come to its end. */
  end(rank: number): void {
    Atomics.store(this.#words, this.#word(rank, of.ended), 1);
    this.#wake();
  }

  hasEnded(rank: number): boolean {
    return Atomics.load(this.#words, this.#word(rank, of.ended)) === 1;
  }

  /** Notes what a rank is at. */
  note(rank: number, action: string, count: number): void {
    const from = (this.#texts + words.message + rank * words.action) * 4;
    const room = words.action * 4;
    for (let i = 0; i < room; i++) this.#bytes[from + i] = i < action.length ? action.charCodeAt(i) : 0;
    this.#words[this.#word(rank, of.count)] = count;
    this.#words[this.#word(rank, of.time)] = clock();
  }

  /** What a rank was last seen at. */
  seen(rank: number): Seen {
    const from = (this.#texts + words.message + rank * words.action) * 4;
    const bytes = this.#bytes.slice(from, from + words.action * 4);
    const end = bytes.indexOf(0);
    return {
      action: decoder.decode(end < 0 ? bytes : bytes.subarray(0, end)),
      count: this.#words[this.#word(rank, of.count)]!,
      since: Math.max(0, (clock() - this.#words[this.#word(rank, of.time)]!) | 0),
    };
  }
}

/** Milliseconds by the clock that all threads share, in 31 bits. */
const clock = (): number => ((performance.timeOrigin + performance.now()) % 2 ** 31) | 0;

/** What a rank was last seen at, as errors say it. */
export function seenText({ action, count, since }: Seen): string {
  if (action === "") return "it has not come to the group yet";
  const seconds = (since / 1000).toFixed(1);
  return `it last was in ${action}${count > 0 ? ` ${count}` : ""}, ${seconds} s ago`;
}
