import { GroupTimeoutError, RankError } from "../base/errors.ts";
import { type Action, actions } from "./engine.ts";

/** Words of the group, then of each rank, then of texts. */
const words = { group: 16, rank: 16, message: 512 } as const;

/** Words of the group; the last three are of ranks that are processes. */
const ofGroup = { failed: 0, kind: 1, length: 2, port: 3, told: 4, connected: 5 } as const;
/** Words of a rank; what is of a meeting alternates between two. */
const ofRank = {
  arrived: 0,
  interruption: 1,
  meeting: 3,
  size: 5,
  count: 7,
  time: 8,
  ended: 9,
  action: 10,
  waits: 11,
  heard: 12,
} as const;

/** Milliseconds without a word of a rank's watch after which it may be stopped: it has one twice a second. */
const suspicious = 1500;

const kinds = { error: 1, timeout: 2 } as const;

/** What is known of a rank. */
export interface Seen {
  readonly action: Action;
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
    this.memory = memory ?? new SharedArrayBuffer(4 * (this.#texts + words.message));
    this.#words = new Int32Array(this.memory);
    this.#bytes = new Uint8Array(this.memory);
  }

  /** Where a thread that has this memory and not this class finds what it needs, in words of 32 bits. */
  get places() {
    const { count, time, ended, action, waits, heard } = ofRank;
    return {
      ...ofGroup,
      ...{ count, time, ended, action, waits, heard },
      ...{ message: this.#texts, messageBytes: words.message * 4 },
      ...{ rank: words.group, rankWords: words.rank },
    };
  }

  #word(rank: number, word: number): number {
    return words.group + rank * words.rank + word;
  }

  /** Says that a rank has come to a meeting, and with what. */
  arrive(rank: number, meeting: number, kind: number, size: number, interruption: number): void {
    const turn = meeting & 1;
    Atomics.store(this.#words, this.#word(rank, ofRank.meeting + turn), kind);
    Atomics.store(this.#words, this.#word(rank, ofRank.size + turn), size);
    Atomics.store(this.#words, this.#word(rank, ofRank.interruption + turn), interruption);
    const arrived = this.#word(rank, ofRank.arrived);
    Atomics.store(this.#words, arrived, meeting);
    Atomics.notify(this.#words, arrived);
  }

  /** Whether a rank has come to a meeting. They are counted in 32 bits, and come round. */
  hasArrived(rank: number, meeting: number): boolean {
    return ((Atomics.load(this.#words, this.#word(rank, ofRank.arrived)) - meeting) | 0) >= 0;
  }

  /** What a rank has come for, to a meeting at which all are. */
  kindOf(rank: number, meeting: number): number {
    return Atomics.load(this.#words, this.#word(rank, ofRank.meeting + (meeting & 1)));
  }
  /** How much it has brought. */
  sizeOf(rank: number, meeting: number): number {
    return Atomics.load(this.#words, this.#word(rank, ofRank.size + (meeting & 1)));
  }
  /** With what it interrupts the others; 0: it does not. */
  interruptionOf(rank: number, meeting: number): number {
    return Atomics.load(this.#words, this.#word(rank, ofRank.interruption + (meeting & 1)));
  }

  /** Waits until a rank has come to a meeting, or for so many milliseconds, or until something else has happened. */
  wait(rank: number, meeting: number, milliseconds: number): void {
    const arrived = this.#word(rank, ofRank.arrived);
    const now = Atomics.load(this.#words, arrived);
    if (((now - meeting) | 0) < 0) Atomics.wait(this.#words, arrived, now, milliseconds);
  }

  /** Has everybody who waits look up. */
  #wake(): void {
    for (let rank = 0; rank < this.ranks; rank++)
      Atomics.notify(this.#words, this.#word(rank, ofRank.arrived));
  }

  /** Says that a rank has failed, unless one has before; gives whether it is the first. */
  fail(rank: number, message: string, timeout = false): boolean {
    // The text comes first; whoever is not the first must not touch it.
    if (Atomics.compareExchange(this.#words, ofGroup.failed, 0, -1) !== 0) return false;
    const bytes = encoder.encode(message).subarray(0, words.message * 4);
    this.#bytes.set(bytes, this.#texts * 4);
    Atomics.store(this.#words, ofGroup.length, bytes.length);
    Atomics.store(this.#words, ofGroup.kind, timeout ? kinds.timeout : kinds.error);
    Atomics.store(this.#words, ofGroup.failed, rank + 1);
    this.#wake();
    return true;
  }

  /** The error that a rank has failed with, as others throw it; null where none has. */
  failure(): RankError | null {
    const failed = Atomics.load(this.#words, ofGroup.failed);
    if (failed <= 0) return null;
    const from = this.#texts * 4;
    const text = decoder.decode(
      this.#bytes.slice(from, from + Atomics.load(this.#words, ofGroup.length)),
      // Cut in the middle of a character, it ends before that.
      { stream: false },
    );
    const Class = Atomics.load(this.#words, ofGroup.kind) === kinds.timeout ? GroupTimeoutError : RankError;
    return new Class(text, { rank: failed - 1 });
  }

  /** Says that a rank's script has come to its end. */
  end(rank: number): void {
    Atomics.store(this.#words, this.#word(rank, ofRank.ended), 1);
    this.#wake();
  }

  hasEnded(rank: number): boolean {
    return Atomics.load(this.#words, this.#word(rank, ofRank.ended)) === 1;
  }

  /** Says which rank this one waits for; null: it waits for none. */
  waitFor(rank: number, other: number | null): void {
    Atomics.store(this.#words, this.#word(rank, ofRank.waits), other === null ? 0 : other + 1);
  }

  /**
   * Who is to blame where a rank does not come: it may itself wait for another, and that for a third. One that is silent
   * is not asked for whom it waits, and where rank 0 is, by way of which all others are heard, it is that one; where they
   * wait for each other it is the first.
   */
  missing(rank: number, by: number): number {
    if (by !== 0 && this.#isSilent(0)) return 0;
    const asked = new Set([by]);
    for (let at = rank; ; ) {
      asked.add(at);
      const next = Atomics.load(this.#words, this.#word(at, ofRank.waits)) - 1;
      if (next < 0 || this.#isSilent(at)) return at;
      if (asked.has(next)) return rank;
      at = next;
    }
  }

  /** Whether nothing has been heard of a rank for a while; of threads one hears nothing, and has no need to. */
  #isSilent(rank: number): boolean {
    const heard = Atomics.load(this.#words, this.#word(rank, ofRank.heard));
    return heard !== 0 && ((clock() - heard) | 0) > suspicious;
  }

  /** Notes what a rank is at. */
  note(rank: number, action: Action, count: number): void {
    const at = words.group + rank * words.rank;
    this.#words[at + ofRank.action] = actions.indexOf(action);
    this.#words[at + ofRank.count] = count;
    this.#words[at + ofRank.time] = clock();
  }

  /** What a rank was last seen at. */
  seen(rank: number): Seen {
    const at = words.group + rank * words.rank;
    return {
      action: actions[this.#words[at + ofRank.action]!]!,
      count: this.#words[at + ofRank.count]!,
      since: Math.max(0, (clock() - this.#words[at + ofRank.time]!) | 0),
    };
  }
}

/** Milliseconds by the clock that all threads share, in 31 bits. */
const clock = (): number => ((performance.timeOrigin + performance.now()) % 2 ** 31) | 0;

/** What a rank was last seen at, as errors say it. */
export function seenText({ action, count, since }: Seen): string {
  if (action === "nothing") return "it has not come to the group yet";
  const seconds = (since / 1000).toFixed(1);
  return `it last was in ${action}${count > 0 ? ` ${count}` : ""}, ${seconds} s ago`;
}
