import { type DType, dtypes, type TypedArray } from "../../base/dtype.ts";
import { Control } from "../control.ts";
import { interruptions, type Meeting, meetings } from "../engine.ts";
import { Parts } from "../parts.ts";
import { sumInOrder } from "../sum-in-order.ts";
import { addedByAll, lookEvery, meetingRefusal, sizesRefusal, WatchedEngine } from "../watched-engine.ts";

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

/** Looks at another rank before this one sleeps: what takes microseconds is sooner over than a thread wakes. */
const looks = 4000;

/**
 * Ranks that are threads of one process. What they give each other goes through shared memory: each writes its own slots
 * and reads those of all others. Slots are used in turn, so that one meeting between two uses is enough.
 */
export class ThreadsEngine extends WatchedEngine {
  readonly name = "threads";
  readonly #staging: SharedArrayBuffer;
  readonly #slotBytes: number;
  /** By slot and dtype, the slots of all ranks. */
  readonly #views: readonly Map<DType, readonly TypedArray[]>[] = [new Map(), new Map()];
  #meeting = 0;
  #slot = 0;

  constructor({ ranks: size, control, staging, slotBytes, ...data }: RankData) {
    super({ ...data, size, control: new Control(size, control), timeoutBy: "--timeout", looks });
    this.#staging = staging;
    this.#slotBytes = slotBytes;
  }

  protected meetInterrupting(kind: number): void {
    // The slot that the others take for what is interrupted.
    this.#slot ^= 1;
    this.#meet(-1, 0, kind);
  }

  /** Goes to the next meeting; gives its number. */
  #meet(kind: number, size: number, interruption: number = interruptions.none): number {
    const { control } = this;
    this.refuseFailure();
    const meeting = (this.#meeting = (this.#meeting + 1) | 0);
    control.arrive(this.rank, meeting, kind, size, interruption);
    let looked = 0;
    let began = 0;
    for (let rank = 0; rank < this.size; rank++)
      while (!control.hasArrived(rank, meeting)) {
        if (looked++ < this.looks) continue;
        if (began === 0) began = performance.now();
        const isMissing = (): boolean => !control.hasArrived(rank, meeting);
        this.lookAround(rank, performance.now() - began, isMissing);
        control.wait(rank, meeting, lookEvery);
      }
    this.stopWaiting();
    for (let rank = 0; rank < this.size; rank++)
      if (control.interruptionOf(rank, meeting) !== 0 || control.kindOf(rank, meeting) !== kind)
        throw this.#refusal(meeting);
    return meeting;
  }

  #refusal(meeting: number): Error {
    const all = (of: (rank: number) => number): number[] =>
      Array.from({ length: this.size }, (_, rank) => of(rank));
    return meetingRefusal(
      all((rank) => this.control.kindOf(rank, meeting)),
      all((rank) => this.control.interruptionOf(rank, meeting)),
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
          all.push(new Uint8Array(this.control.sizeOf(rank, meeting)));
          most = Math.max(most, all[rank]!.length);
        }
        const into = all[rank]!;
        const length = Math.min(this.#slotBytes, into.length - from);
        if (length > 0) into.set(new Uint8Array(this.#staging, this.#at(rank), length), from);
      }
    }
    return all;
  }

  sum(meeting: Meeting, parts: readonly TypedArray[], into: TypedArray, dtype: DType): void {
    const kind = meetings.indexOf(meeting);
    const { bytes } = dtypes[dtype];
    const most = this.#slotBytes / bytes;
    this.sent.sums += into.length * bytes;
    const rest = new Parts(parts);
    for (let from = 0; from === 0 || from < into.length; from += most) {
      this.#slot ^= 1;
      const length = Math.min(most, into.length - from);
      const slots = this.#slots(dtype);
      const own = slots[this.rank]!;
      rest.fill(own, length);
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
    const size = this.control.sizeOf(this.rank, meeting);
    for (let rank = 0; rank < this.size; rank++)
      if (this.control.sizeOf(rank, meeting) !== size)
        throw sizesRefusal(
          Array.from({ length: this.size }, (_, each) => this.control.sizeOf(each, meeting)),
        );
  }
}
