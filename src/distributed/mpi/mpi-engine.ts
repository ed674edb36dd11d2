import { type DType, dtypes, type TypedArray } from "../../base/dtype.ts";
import type { Control } from "../control.ts";
import { interruptions, type Meeting, meetings } from "../engine.ts";
import { Parts } from "../parts.ts";
import { sumInOrder } from "../sum-in-order.ts";
import { addedByAll, lookEvery, meetingRefusal, sizesRefusal, WatchedEngine } from "../watched-engine.ts";
import type { Mpi, Request } from "./library.ts";
import { pause } from "./pause.ts";

/** Words before what a rank brings: which meeting, what it is, its size, and an interruption. */
const header = { words: 4, bytes: 16 } as const;

/** Bytes of a first message. What does not fit into it comes after all have met. */
const firstBytes = 4096;
const inlineBytes = firstBytes - header.bytes;

/** Bytes of a sum that are on their way at a time. */
const bucketBytes = 2 ** 22;

/** The most bytes of one message: MPI counts them in 31 bits. */
const mostBytes = 2 ** 30;

const tags = { meeting: 1, rest: 2, share: 3, total: 4 } as const;

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
export class MpiEngine extends WatchedEngine {
  readonly name = "mpi";
  readonly #mpi: Mpi;
  readonly #peers: readonly Peer[];
  readonly #own = new Uint8Array(new ArrayBuffer(firstBytes));
  readonly #ownWords = new Int32Array(this.#own.buffer, 0, header.words);
  /** For each rank what it gives to a sum; of this one, the sum as well. */
  readonly #staging: readonly Uint8Array[];
  #meeting = 0;

  /** `timeout` is how many milliseconds a rank waits for another; `control` is where news of the others is written. */
  constructor(mpi: Mpi, control: Control, { timeout, restarts }: { timeout: number; restarts: number }) {
    const { rank, size } = mpi;
    super({ rank, size, restarts, timeout, control, timeoutBy: "THAW_GROUP_TIMEOUT", looks });
    this.#mpi = mpi;
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

  protected meetInterrupting(kind: number): void {
    this.#meet(-1, 0, new Uint8Array(0), kind);
  }

  /** Waits until the messages of a round are there, and those of this rank are gone. */
  #finish(): void {
    let looked = 0;
    let began = 0;
    let next = 0;
    for (const peer of this.#peers)
      for (const request of [peer.received, peer.sent])
        while (!this.#mpi.isDone(request)) {
          if (looked++ < this.looks) continue;
          const now = performance.now();
          if (began === 0) began = now;
          if (now >= next) {
            // News of an end may be here before the last message.
            this.lookAround(peer.rank, now - began, () => now - began > 1000);
            next = now + lookEvery;
          }
          // Longer ones while nothing comes.
          pause(now - began < 20 ? 0.05 : 1);
        }
    this.stopWaiting();
  }

  /** Goes to the next meeting with what fits into a first message; gives the sizes that all have brought. */
  #meet(
    kind: number,
    size: number,
    bytes: Uint8Array,
    interruption: number = interruptions.none,
  ): readonly number[] {
    this.refuseFailure();
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
    if (interrupted.some((each) => each !== interruptions.none) || kinds.some((each) => each !== kind))
      throw meetingRefusal(kinds, interrupted);
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

  sum(meeting: Meeting, parts: readonly TypedArray[], into: TypedArray, dtype: DType): void {
    const { array, bytes } = dtypes[dtype];
    const sizes = this.#meet(meetings.indexOf(meeting), into.length, new Uint8Array(0));
    if (sizes.some((size) => size !== into.length)) throw sizesRefusal(sizes);
    this.sent.sums += into.length * bytes;
    const most = bucketBytes / bytes;
    const slots = this.#staging.map((slot) => new array(slot.buffer as ArrayBuffer) as TypedArray);
    const own = slots[this.rank]!;
    const rest = new Parts(parts);
    for (let from = 0; from < into.length; from += most) {
      const length = Math.min(most, into.length - from);
      rest.fill(own, length);
      if (length * bytes <= addedByAll) {
        this.#exchangeAll(length * bytes);
        sumInOrder(slots, into.subarray(from, from + length), dtype, 0, length);
      } else {
        this.#exchangeShares(slots, length, dtype);
        into.set(own.subarray(0, length), from);
      }
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
}
