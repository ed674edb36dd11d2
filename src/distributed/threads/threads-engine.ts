import { availableCores } from "../../backends/cores.ts";
import { type DType, dtypes, type TypedArray } from "../../base/dtype.ts";
import { GroupError } from "../../base/errors.ts";
import { type Action, type Engine, Interrupted, interruptions, type Meeting, meetings } from "../engine.ts";
import { sumInOrder } from "../sum-in-order.ts";
import { Control, seenText } from "./control.ts";

/** The name, in a thread's `workerData`, of what makes it a rank: threads that a rank starts have none. */
export const rankKey = "thaw:rank";

/** What the thread of a rank is given. */
export interface RankData {
  readonly rank: number;
  readonly ranks: number;
  readonly restarts: number;
  /** Milliseconds that a rank waits for the others. */
  readonly timeout: number;
  readonly control: SharedArrayBuffer;
  /** For each rank two slots of so many bytes, which are used in turn. */
  readonly staging: SharedArrayBuffer;
  readonly slotBytes: number;
}

/** Bytes up to which every rank adds up all of a sum itself: less would not repay a second meeting. */
const addedByAll = 32_768;

/** The longest time without a look at whether others are still there. */
const lookEvery = 50;

/** Looks at another rank before this one sleeps: what takes microseconds is sooner over than a thread wakes. */
const looks = 4000;

/**
 * Ranks that are threads of one process. What they give each other goes through shared memory: each writes its own slots
 * and reads those of all others. Slots are used in turn, so that one meeting between two uses is enough.
 */
export class ThreadsEngine implements Engine {
  readonly name = "threads";
  readonly rank: number;
  readonly size: number;
  readonly restarts: number;
  readonly sent = { sums: 0, messages: 0 };
  readonly #control: Control;
  readonly #timeout: number;
  readonly #staging: SharedArrayBuffer;
  readonly #slotBytes: number;
  readonly #looks: number;
  /** By slot and dtype, the slots of all ranks. */
  readonly #views: readonly Map<DType, readonly TypedArray[]>[] = [new Map(), new Map()];
  #meeting = 0;
  #slot = 0;

  constructor({ rank, ranks, restarts, timeout, control, staging, slotBytes }: RankData) {
    this.rank = rank;
    this.size = ranks;
    this.restarts = restarts;
    this.#timeout = timeout;
    this.#control = new Control(ranks, control);
    this.#staging = staging;
    this.#slotBytes = slotBytes;
    // A rank that looks on would keep the core from those that have work.
    this.#looks = ranks <= availableCores() ? looks : 1;
  }

  note(action: Action, count: number): void {
    this.#control.note(this.rank, action, count);
  }

  abort(message: string): void {
    this.#control.fail(this.rank, message);
  }

  interrupt(kind: number): void {
    try {
      // The slot that the others take for what is interrupted.
      this.#slot ^= 1;
      this.#meet(-1, 0, kind);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
  }

  /** Goes to the next meeting; gives its number. */
  #meet(kind: number, size: number, interruption: number = interruptions.none): number {
    const control = this.#control;
    const failure = control.failure();
    if (failure !== null) throw failure;
    const meeting = (this.#meeting = (this.#meeting + 1) | 0);
    control.arrive(this.rank, meeting, kind, size, interruption);
    let looked = 0;
    let began = 0;
    for (let rank = 0; rank < this.size; rank++)
      while (!control.hasArrived(rank, meeting)) {
        if (looked++ < this.#looks) continue;
        if (began === 0) began = performance.now();
        this.#lookAround(rank, meeting, performance.now() - began);
        control.wait(rank, meeting, lookEvery);
      }
    for (let rank = 0; rank < this.size; rank++)
      if (control.interruptionOf(rank, meeting) !== 0 || control.kindOf(rank, meeting) !== kind)
        throw this.#refusal(meeting);
    return meeting;
  }

  /** Looks whether the rank that is waited for will come. Where it will not, all who wait throw that when they next look. */
  #lookAround(rank: number, meeting: number, waited: number): void {
    const control = this.#control;
    const failure = control.failure();
    if (failure !== null) throw failure;
    if (control.hasEnded(rank) && !control.hasArrived(rank, meeting)) {
      const { action, count } = control.seen(this.rank);
      const where = count > 0 ? `${action} ${count}` : action;
      control.fail(
        rank,
        `rank ${rank}'s script has ended, and rank ${this.rank} waits for it in ${where}: ${seenText(control.seen(rank))}. ` +
          "All ranks must make the same calls: as many steps, sums and barriers.",
      );
      return;
    }
    if (waited < this.#timeout) return;
    control.fail(
      rank,
      `rank ${rank} has not come within ${this.#timeout / 1000} s to where the others wait for it: ${seenText(control.seen(rank))}. ` +
        "Where it has more to do than others, allow more by --timeout.",
      true,
    );
  }

  /** Why a meeting has come to nothing. */
  #refusal(meeting: number): Error {
    const all = <T>(of: (rank: number) => T): T[] => Array.from({ length: this.size }, (_, rank) => of(rank));
    const interrupted = all((rank) => this.#control.interruptionOf(rank, meeting));
    if (interrupted.some((kind) => kind !== 0)) return new Interrupted(interrupted);
    const where = all((rank) => `rank ${rank} in ${meetings[this.#control.kindOf(rank, meeting)]}`);
    return new GroupError(
      `Ranks meet in different things: ${where.join(", ")}. All ranks must make the same calls in the same order.`,
    );
  }

  /** The first byte in the staging memory of a rank's slot of this use. */
  #at(rank: number): number {
    return (2 * rank + this.#slot) * this.#slotBytes;
  }

  gather(meeting: Meeting, bytes: Uint8Array): Uint8Array[] {
    const kind = meetings.indexOf(meeting);
    const all: Uint8Array[] = [];
    this.sent.messages += bytes.length;
    for (let from = 0, most = 1; from < most; from += this.#slotBytes) {
      this.#slot ^= 1;
      const piece = bytes.subarray(from, from + this.#slotBytes);
      new Uint8Array(this.#staging, this.#at(this.rank), piece.length).set(piece);
      const meeting = this.#meet(kind, bytes.length);
      for (let rank = 0; rank < this.size; rank++) {
        if (from === 0) {
          all.push(new Uint8Array(this.#control.sizeOf(rank, meeting)));
          most = Math.max(most, all[rank]!.length);
        }
        const into = all[rank]!;
        const length = Math.min(this.#slotBytes, into.length - from);
        if (length > 0) into.set(new Uint8Array(this.#staging, this.#at(rank), length), from);
      }
    }
    return all;
  }

  broadcast(meeting: Meeting, bytes: Uint8Array | null, from: number): Uint8Array {
    return this.gather(meeting, from === this.rank ? bytes! : new Uint8Array(0))[from]!;
  }

  sum(meeting: Meeting, parts: readonly TypedArray[], into: TypedArray, dtype: DType): void {
    const kind = meetings.indexOf(meeting);
    const { bytes } = dtypes[dtype];
    const most = this.#slotBytes / bytes;
    this.sent.sums += into.length * bytes;
    let part = 0;
    let inPart = 0;
    for (let from = 0; from === 0 || from < into.length; from += most) {
      this.#slot ^= 1;
      const length = Math.min(most, into.length - from);
      const slots = this.#slots(dtype);
      const own = slots[this.rank]!;
      for (let filled = 0; filled < length; ) {
        const rest = parts[part]!.length - inPart;
        const count = Math.min(rest, length - filled);
        const whole = count === parts[part]!.length;
        own.set(whole ? parts[part]! : parts[part]!.subarray(inPart, inPart + count), filled);
        filled += count;
        inPart += count;
        if (count === rest) {
          part++;
          inPart = 0;
        }
      }
      this.#requireSame(this.#meet(kind, into.length));
      if (length * bytes <= addedByAll) {
        sumInOrder(slots, from === 0 ? into : into.subarray(from), dtype, 0, length);
        continue;
      }
      // Each adds up a share, in its own slot, of which nobody else reads that share before it is done.
      const share = (rank: number): number => Math.floor((length * rank) / this.size);
      sumInOrder(slots, own, dtype, share(this.rank), share(this.rank + 1));
      this.#meet(kind, into.length);
      for (const [rank, slot] of slots.entries())
        into.set(slot.subarray(share(rank), share(rank + 1)), from + share(rank));
    }
  }

  /** All ranks' slots of this use, as elements of a dtype. */
  #slots(dtype: DType): readonly TypedArray[] {
    const made = this.#views[this.#slot]!;
    let views = made.get(dtype);
    if (views === undefined) {
      const { array, bytes } = dtypes[dtype];
      views = Array.from(
        { length: this.size },
        (_, rank) => new array(this.#staging, this.#at(rank), this.#slotBytes / bytes) as TypedArray,
      );
      made.set(dtype, views);
    }
    return views;
  }

  #requireSame(meeting: number): void {
    const size = this.#control.sizeOf(this.rank, meeting);
    for (let rank = 0; rank < this.size; rank++)
      if (this.#control.sizeOf(rank, meeting) !== size) this.#refuseSizes(meeting);
  }

  #refuseSizes(meeting: number): never {
    const given = Array.from(
      { length: this.size },
      (_, rank) => `rank ${rank} gives ${this.#control.sizeOf(rank, meeting)}`,
    );
    throw new GroupError(
      `A sum over ranks takes as many elements of each: ${given.join(", ")}. Nothing was summed.`,
    );
  }
}
