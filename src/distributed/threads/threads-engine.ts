import { type Given, sentOf, shareOf, type Transfer, type Updated } from "../../ir/collective.ts";
import { Control } from "../control.ts";
import { interruptions, type Meeting, meetings } from "../engine.ts";
import { Parts } from "../parts.ts";
import { lookEvery, meetingRefusal, sizesRefusal, WatchedEngine } from "../watched-engine.ts";

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

/**
 * Looks at another rank before this one sleeps: what takes microseconds is sooner over than a thread wakes. They take
 * longer than that, or a rank that has slept would come late to the next meeting, and have the other one sleep there.
 */
const looks = 10_000;

/**
 * Ranks that are threads of one process. What they give each other goes through shared memory: each writes its own slots
 * and reads those of all others. Slots are used in turn, so that one meeting between two uses is enough.
 */
export class ThreadsEngine extends WatchedEngine {
  readonly name = "threads";
  /** Of each rank two, which are used in turn. */
  readonly #slots: readonly Uint8Array[];
  readonly #slotBytes: number;
  /** Whether others may still read memory of this rank. */
  #lends = false;
  #meeting = 0;
  #slot = 0;

  constructor({ ranks: size, control, staging, slotBytes, ...data }: RankData) {
    super({ ...data, size, control: new Control(size, control), timeoutBy: "--timeout", looks });
    this.#slotBytes = slotBytes;
    this.#slots = Array.from(
      { length: 2 * size },
      (_, i) => new Uint8Array(staging, i * slotBytes, slotBytes),
    );
  }

  protected meetInterrupting(kind: number): void {
    // The slot that the others take for what is interrupted.
    this.#slot ^= 1;
    this.#meet(-1, 0, kind);
  }

  /** Comes to the next meeting, and goes on; gives its number. */
  #arrive(kind: number, size: number, interruption: number = interruptions.none): number {
    this.refuseFailure();
    const meeting = (this.#meeting = (this.#meeting + 1) | 0);
    this.control.arrive(this.rank, meeting, kind, size, interruption);
    return meeting;
  }

  /** Waits until all have come to a meeting. */
  #await(meeting: number, kind: number): void {
    const { control } = this;
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
  }

  /** Goes to the next meeting, and waits for all; gives its number. */
  #meet(kind: number, size: number, interruption: number = interruptions.none): number {
    const meeting = this.#arrive(kind, size, interruption);
    this.#await(meeting, kind);
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

  gather(meeting: Meeting, bytes: Uint8Array): Uint8Array[] {
    const kind = meetings.indexOf(meeting);
    const all: Uint8Array[] = [];
    this.sent.messages += bytes.length;
    for (let from = 0, most = 1; from < most; from += this.#slotBytes) {
      this.#slot ^= 1;
      const piece = bytes.subarray(from, from + this.#slotBytes);
      this.#bytes(this.rank).set(piece);
      const meeting = this.#meet(kind, bytes.length);
      for (let rank = 0; rank < this.size; rank++) {
        if (from === 0) {
          all.push(new Uint8Array(this.control.sizeOf(rank, meeting)));
          most = Math.max(most, all[rank]!.length);
        }
        const into = all[rank]!;
        const length = Math.min(this.#slotBytes, into.length - from);
        if (length > 0) into.set(this.#bytes(rank).subarray(0, length), from);
      }
    }
    return all;
  }

  begin(meeting: Meeting, given: Given): Transfer {
    const kind = meetings.indexOf(meeting);
    const { parts, unit, shares } = given;
    const sizes = parts.map(({ length }) => length);
    this.sent.sums += sentOf(sizes, unit, shares, this);
    const message = given.bind === null ? null : placesOf(given);
    if (parts.some(({ length }) => message !== null && isLent(length))) this.#lends = true;
    const elements = sizes.reduce((sum, length) => sum + length, 0) / unit;
    const length = message?.length ?? elements * unit;
    const rest = new Parts(message === null ? parts.map((part) => part.bytes()) : [message]);
    const messages = message && Array.from({ length: this.size }, () => new Uint8Array(length));
    const write = (from: number): void => {
      this.#slot ^= 1;
      rest.fill(this.#bytes(this.rank), Math.min(this.#slotBytes, length - from));
    };
    const read = (from: number): void => {
      for (let rank = 0; rank < this.size; rank++) {
        if (rank === this.rank) continue;
        const bytes = this.#bytes(rank).subarray(0, Math.min(this.#slotBytes, length - from));
        if (messages === null) this.#take(given, rank, from, bytes);
        else messages[rank]!.set(bytes, from);
      }
    };
    write(0);
    const begun = this.#arrive(kind, elements);
    return {
      poll() {},
      finish: () => {
        this.#await(begun, kind);
        this.#requireSame(begun);
        read(0);
        for (let from = this.#slotBytes; from < length; from += this.#slotBytes) {
          write(from);
          this.#meet(kind, elements);
          read(from);
        }
        if (messages !== null) this.#bind(given, messages);
      },
    };
  }

  /** Takes what this rank is given of some bytes of all parts of another, end to end. */
  #take({ parts, unit, shares, takes }: Given, rank: number, from: number, bytes: Uint8Array): void {
    let at = -from;
    for (const [i, { length }] of parts.entries()) {
      const into = takes[rank]![i];
      const start = at + shareOf(length, shares, unit, this).start;
      at += length;
      if (into == null || start >= bytes.length || start + into.length <= 0) continue;
      const piece = bytes.subarray(Math.max(0, start), start + into.length);
      into.bytes().set(piece, Math.max(0, -start));
    }
  }

  /**
   * Has memory of others stand in for what they give, or copies what is too small for that; and where all ranks have the
   * same update by a part, has them share it out.
   */
  #bind({ parts, unit, shares, takes, bind, updates, share }: Given, messages: readonly Uint8Array[]): void {
    let at = 0;
    for (const [i, { length }] of parts.entries()) {
      const places = messages.map((message) => (isLent(length) ? readPlace(message, at) : null));
      for (const [rank, place] of places.entries()) {
        const into = takes[rank]![i];
        if (rank === this.rank || into == null) continue;
        if (place === null) into.bytes().set(messages[rank]!.subarray(at, at + length));
        else bind!(rank, i, place.part + shareOf(length, shares, unit, this).start);
      }
      const update = updates[i];
      if (share !== null && update != null && mayShare(update)) {
        places[this.rank] = { part: 0, ...update };
        if (places.every((place) => place?.key === update.key))
          share(
            i,
            places.map((place) => place!.addresses.slice(0, update.addresses.length)),
          );
      }
      at += isLent(length) ? placeBytes : length;
    }
  }

  release(meeting: Meeting): void {
    if (!this.#lends) return;
    this.#lends = false;
    this.#meet(meetings.indexOf(meeting), 0);
  }

  /** A rank's slot of this use. */
  #bytes(rank: number): Uint8Array {
    return this.#slots[2 * rank + this.#slot]!;
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

/** Whether a part of so many bytes is read where it is; less is copied with the message that says where the others are. */
const isLent = (bytes: number): boolean => bytes > 4096;

/** The most things that an update goes over where it is shared out: a parameter, and what an optimizer keeps of it. */
const mostUpdated = 6;

/** Bytes that tell where a part is, which update there is by its sum, and where what that goes over is. */
const placeBytes = 8 * (2 + mostUpdated);

const mayShare = ({ addresses }: Updated): boolean => addresses.length <= mostUpdated;

/** What tells other threads of parts: small ones themselves, and of others where they are. */
function placesOf({ parts, updates }: Given): Uint8Array {
  const length = parts.reduce((sum, part) => sum + (isLent(part.length) ? placeBytes : part.length), 0);
  const message = new Uint8Array(length);
  const view = new DataView(message.buffer);
  let at = 0;
  for (const [i, part] of parts.entries())
    if (isLent(part.length)) {
      view.setFloat64(at, part.address!);
      const update = updates[i];
      if (update != null && mayShare(update)) {
        view.setFloat64(at + 8, update.key);
        for (const [n, address] of update.addresses.entries()) view.setFloat64(at + 16 + 8 * n, address);
      }
      at += placeBytes;
    } else {
      message.set(part.bytes(), at);
      at += part.length;
    }
  return message;
}

/** What a rank has said of a part; a key of 0 is none. */
function readPlace(message: Uint8Array, at: number): Updated & { readonly part: number } {
  const view = new DataView(message.buffer);
  const addresses = Array.from({ length: mostUpdated }, (_, n) => view.getFloat64(at + 16 + 8 * n));
  return { part: view.getFloat64(at), key: view.getFloat64(at + 8), addresses };
}
