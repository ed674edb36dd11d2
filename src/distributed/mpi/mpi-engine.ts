import { availableCores } from "../../backends/cores.ts";
import { type DType, dtypes, type TypedArray } from "../../base/dtype.ts";
import { GroupError, GroupTimeoutError, RankError } from "../../base/errors.ts";
import { type Action, type Engine, Interrupted, interruptions, type Meeting, meetings } from "../engine.ts";
import { sumInOrder } from "../sum-in-order.ts";
import { type Control, seenText } from "../threads/control.ts";
import type { Mpi, Request } from "./library.ts";

/** Words before what a rank brings: which meeting, what it is, its size, and an interruption. */
const header = { words: 4, bytes: 16 } as const;

/** Bytes of a first message. What does not fit into it comes after all have met. */
const firstBytes = 4096;
const inlineBytes = firstBytes - header.bytes;

/** Bytes up to which every rank adds up all of a sum itself: less would not repay a second message. */
const addedByAll = 32_768;

/** Bytes of a sum that are on their way at a time. */
const bucketBytes = 2 ** 22;

/** The most bytes of one message: MPI counts them in 31 bits. */
const mostBytes = 2 ** 30;

const tags = { meeting: 1, rest: 2, share: 3, total: 4 } as const;

/** The longest time without a look at whether others are still there. */
const lookEvery = 50;

/** Looks for a message before this one gives its core away: what takes microseconds is sooner there. */
const looks = 2000;

/** What one rank's messages with another need. */
interface Peer {
  readonly rank: number;
  readonly sent: Request;
  readonly received: Request;
  readonly first: Uint8Array;
  readonly words: Int32Array;
}

/** Ranks that are processes, on one machine or several, and reach each other by MPI's messages from one to another. */
export class MpiEngine implements Engine {
  readonly name = "mpi";
  readonly rank: number;
  readonly size: number;
  readonly restarts: number;
  readonly sent = { sums: 0, messages: 0 };
  readonly #mpi: Mpi;
  readonly #control: Control;
  readonly #timeout: number;
  readonly #looks: number;
  readonly #peers: readonly Peer[];
  readonly #own = new Uint8Array(new ArrayBuffer(firstBytes));
  readonly #ownWords = new Int32Array(this.#own.buffer, 0, header.words);
  /** For each rank what it gives to a sum; of this one, the sum as well. */
  readonly #staging: readonly Uint8Array[];
  readonly #sleep = new Int32Array(new SharedArrayBuffer(4));
  #meeting = 0;

  /** `timeout` is how many milliseconds a rank waits for another; `control` is where news of the others is written. */
  constructor(mpi: Mpi, control: Control, { timeout, restarts }: { timeout: number; restarts: number }) {
    this.rank = mpi.rank;
    this.size = mpi.size;
    this.restarts = restarts;
    this.#mpi = mpi;
    this.#control = control;
    this.#timeout = timeout;
    // A rank that looks on would keep the core from those that have work.
    this.#looks = mpi.size <= availableCores() ? looks : 1;
    const others = Array.from({ length: mpi.size }, (_, rank) => rank).filter((rank) => rank !== mpi.rank);
    const requests = new BigInt64Array(new ArrayBuffer(Math.max(128, 16 * mpi.size)));
    this.#peers = others.map((rank) => {
      const first = new Uint8Array(new ArrayBuffer(firstBytes));
      return {
        rank,
        sent: requests.subarray(2 * rank, 2 * rank + 1),
        received: requests.subarray(2 * rank + 1, 2 * rank + 2),
        first,
        words: new Int32Array(first.buffer, 0, header.words),
      };
    });
    this.#staging = Array.from({ length: mpi.size }, () => new Uint8Array(new ArrayBuffer(bucketBytes)));
  }

  note(action: Action, count: number): void {
    this.#control.note(this.rank, action, count);
  }

  abort(message: string): void {
    this.#control.fail(this.rank, message);
  }

  interrupt(kind: number): void {
    try {
      this.#meet(-1, 0, new Uint8Array(0), kind);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
  }

  /** Waits until the messages of a round are there, and those of this rank are gone. */
  #finish(): void {
    let looked = 0;
    let began = 0;
    let next = 0;
    for (const peer of this.#peers)
      for (const request of [peer.received, peer.sent])
        while (!this.#mpi.isDone(request)) {
          if (looked++ < this.#looks) continue;
          const now = performance.now();
          if (began === 0) began = now;
          if (now >= next) {
            this.#lookAround(peer.rank, now - began);
            next = now + lookEvery;
          }
          // Longer ones while nothing comes: a message wakes nobody.
          Atomics.wait(this.#sleep, 0, 0, now - began < 20 ? 0.05 : 1);
        }
  }

  /** Throws where the rank that is waited for will not come. */
  #lookAround(rank: number, waited: number): void {
    const control = this.#control;
    const failure = control.failure();
    if (failure !== null) throw failure;
    // News of an end may be here before the last message.
    if (control.hasEnded(rank) && waited > 1000) {
      const where = control.seen(this.rank);
      throw new RankError(
        `rank ${rank}'s script has ended, and rank ${this.rank} waits for it in ${where.action} ${where.count || ""}`.trimEnd() +
          `: ${seenText(control.seen(rank))}. All ranks must make the same calls: as many steps, sums and barriers.`,
        { rank },
      );
    }
    if (waited < this.#timeout) return;
    const message =
      `rank ${rank} has not come within ${this.#timeout / 1000} s to where rank ${this.rank} waits for it: ${seenText(control.seen(rank))}. ` +
      "Where it has more to do than others, allow more by THAW_GROUP_TIMEOUT.";
    control.fail(rank, message, true);
    throw control.failure() ?? new GroupTimeoutError(message, { rank });
  }

  /** Goes to the next meeting with what fits into a first message; gives the sizes that all have brought. */
  #meet(
    kind: number,
    size: number,
    bytes: Uint8Array,
    interruption: number = interruptions.none,
  ): readonly number[] {
    const failure = this.#control.failure();
    if (failure !== null) throw failure;
    const meeting = (this.#meeting = (this.#meeting + 1) | 0);
    this.#ownWords.set([meeting, kind, size, interruption]);
    const inline = bytes.subarray(0, inlineBytes);
    this.#own.set(inline, header.bytes);
    const message = this.#own.subarray(0, header.bytes + inline.length);
    for (const { rank, first, received } of this.#peers)
      this.#mpi.receive(first, rank, tags.meeting, received);
    for (const { rank, sent } of this.#peers) this.#mpi.send(message, rank, tags.meeting, sent);
    this.#finish();
    return this.#brought(kind, size, interruption);
  }

  /** What all have brought; throws where it does not go together. */
  #brought(kind: number, size: number, interruption: number): readonly number[] {
    const kinds: number[] = [];
    const sizes: number[] = [];
    const interrupted: number[] = [];
    kinds[this.rank] = kind;
    sizes[this.rank] = size;
    interrupted[this.rank] = interruption;
    for (const { rank, words } of this.#peers) {
      kinds[rank] = words[1]!;
      sizes[rank] = words[2]!;
      interrupted[rank] = words[3]!;
    }
    if (interrupted.some((each) => each !== interruptions.none)) throw new Interrupted(interrupted);
    if (kinds.some((each) => each !== kind)) {
      const where = kinds.map((each, rank) => `rank ${rank} in ${meetings[each]}`);
      throw new GroupError(
        `Ranks meet in different things: ${where.join(", ")}. All ranks must make the same calls in the same order.`,
      );
    }
    return sizes;
  }

  gather(meeting: Meeting, bytes: Uint8Array): Uint8Array[] {
    this.sent.messages += bytes.length;
    const sizes = this.#meet(meetings.indexOf(meeting), bytes.length, bytes);
    const all = sizes.map((size, rank) => (rank === this.rank ? bytes.slice() : new Uint8Array(size)));
    for (const { rank, first } of this.#peers) {
      const inline = Math.min(inlineBytes, sizes[rank]!);
      all[rank]!.set(first.subarray(header.bytes, header.bytes + inline));
    }
    const most = Math.max(...sizes);
    for (let from = inlineBytes; from < most; from += mostBytes) this.#rest(bytes, all, from);
    return all;
  }

  /** What did not fit into the first messages, a piece of it. */
  #rest(bytes: Uint8Array, all: readonly Uint8Array[], from: number): void {
    for (const { rank, received } of this.#peers) {
      const piece = all[rank]!.subarray(from, from + mostBytes);
      // A message of nothing keeps the rounds of all ranks alike.
      this.#mpi.receive(
        piece.length > 0 ? piece : this.#staging[rank]!.subarray(0, 0),
        rank,
        tags.rest,
        received,
      );
    }
    const piece = bytes.subarray(from, from + mostBytes);
    for (const { rank, sent } of this.#peers) this.#mpi.send(piece, rank, tags.rest, sent);
    this.#finish();
  }

  broadcast(meeting: Meeting, bytes: Uint8Array | null, from: number): Uint8Array {
    return this.gather(meeting, from === this.rank ? bytes! : new Uint8Array(0))[from]!;
  }

  sum(meeting: Meeting, parts: readonly TypedArray[], into: TypedArray, dtype: DType): void {
    const { array, bytes } = dtypes[dtype];
    this.#requireSame(this.#meet(meetings.indexOf(meeting), into.length, new Uint8Array(0)));
    this.sent.sums += into.length * bytes;
    const most = bucketBytes / bytes;
    const slots = this.#staging.map((slot) => new array(slot.buffer as ArrayBuffer) as TypedArray);
    const own = slots[this.rank]!;
    let part = 0;
    let inPart = 0;
    for (let from = 0; from < into.length; from += most) {
      const length = Math.min(most, into.length - from);
      for (let filled = 0; filled < length; ) {
        const rest = parts[part]!.length - inPart;
        const count = Math.min(rest, length - filled);
        own.set(parts[part]!.subarray(inPart, inPart + count), filled);
        filled += count;
        inPart += count;
        if (count === rest) {
          part++;
          inPart = 0;
        }
      }
      if (length * bytes <= addedByAll) this.#exchangeAll(length * bytes);
      else this.#exchangeShares(slots, length, dtype);
      if (length * bytes <= addedByAll)
        sumInOrder(slots, into.subarray(from, from + length), dtype, 0, length);
      else into.set(own.subarray(0, length), from);
    }
  }

  /** Has every rank's slot on every rank. */
  #exchangeAll(bytes: number): void {
    for (const { rank, received } of this.#peers)
      this.#mpi.receive(this.#staging[rank]!.subarray(0, bytes), rank, tags.share, received);
    const own = this.#staging[this.rank]!.subarray(0, bytes);
    for (const { rank, sent } of this.#peers) this.#mpi.send(own, rank, tags.share, sent);
    this.#finish();
  }

  /** Has the sum in this rank's slot: each rank adds up a share, which it is given by all, and gives it to all. */
  #exchangeShares(slots: readonly TypedArray[], length: number, dtype: DType): void {
    const { bytes } = dtypes[dtype];
    const start = (rank: number): number => Math.floor((length * rank) / this.size);
    const share = (slot: number, rank: number): Uint8Array =>
      this.#staging[slot]!.subarray(start(rank) * bytes, start(rank + 1) * bytes);
    for (const { rank, received } of this.#peers)
      this.#mpi.receive(share(rank, this.rank), rank, tags.share, received);
    for (const { rank, sent } of this.#peers) this.#mpi.send(share(this.rank, rank), rank, tags.share, sent);
    this.#finish();
    sumInOrder(slots, slots[this.rank]!, dtype, start(this.rank), start(this.rank + 1));
    for (const { rank, received } of this.#peers)
      this.#mpi.receive(share(this.rank, rank), rank, tags.total, received);
    for (const { rank, sent } of this.#peers)
      this.#mpi.send(share(this.rank, this.rank), rank, tags.total, sent);
    this.#finish();
  }

  #requireSame(sizes: readonly number[]): void {
    if (sizes.every((size) => size === sizes[0])) return;
    const given = sizes.map((size, rank) => `rank ${rank} gives ${size}`);
    throw new GroupError(
      `A sum over ranks takes as many elements of each: ${given.join(", ")}. Nothing was summed.`,
    );
  }
}
