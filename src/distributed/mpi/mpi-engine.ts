import { type Given, type Stored, sentOf, shareOf, type Transfer } from "../../ir/collective.ts";
import type { Control } from "../control.ts";
import { interruptions, type Meeting, meetings } from "../engine.ts";
import { lookEvery, meetingRefusal, sizesRefusal, WatchedEngine } from "../watched-engine.ts";
import type { Mpi, Request } from "./library.ts";
import { pause } from "./pause.ts";

/** Words before what a rank brings: which meeting, what it is, its size, and an interruption. */
const header = { words: 4, bytes: 16 } as const;

/** Bytes of a first message. What does not fit into it comes after all have met. */
const firstBytes = 4096;
const inlineBytes = firstBytes - header.bytes;

/** Parts of fewer bytes go together in a message. */
const packedBytes = 65_536;

/** The most bytes of one message: MPI counts them in 31 bits. */
const mostBytes = 2 ** 30;

const tags = { meeting: 1, rest: 2, part: 3 } as const;

/** Looks for a message before this one gives its core away, as long as threads look: each takes from 0.1 to 1 µs. */
const looks = 20_000;

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
  /** The requests of first messages. */
  readonly #firsts: readonly Pending[];
  readonly #own = new Uint8Array(new ArrayBuffer(firstBytes));
  readonly #ownWords = new Int32Array(this.#own.buffer, 0, header.words);
  /** Requests of parts, which are as many as there are, and where small ones are put together, by use. */
  readonly #requests: Request[] = [];
  readonly #packs: Uint8Array[] = [];
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
    this.#firsts = this.#peers.flatMap(({ rank, received, sent }) => [
      { rank, request: received },
      { rank, request: sent },
    ]);
  }

  protected meetInterrupting(kind: number): void {
    this.#meet(-1, 0, new Uint8Array(0), kind);
  }

  /** Waits until some messages are there, or gone. */
  #settle(pending: readonly Pending[]): void {
    let looked = 0;
    let began = 0;
    let next = 0;
    for (const { rank, request } of pending)
      while (!this.#mpi.isDone(request)) {
        if (looked++ < this.looks) continue;
        const now = performance.now();
        if (began === 0) began = now;
        if (now >= next) {
          // News of an end may be here before the last message.
          this.lookAround(rank, now - began, () => now - began > 1000);
          next = now + lookEvery;
        }
        // Longer ones while nothing comes.
        pause(now - began < 20 ? 0.05 : 1);
      }
    this.stopWaiting();
  }

  /** Waits until the first messages, or rests, of a meeting are there, and those of this rank are gone. */
  #finish(): void {
    this.#settle(this.#firsts);
  }

  /** Goes to the next meeting with what fits into a first message; gives the sizes that all have brought. */
  #meet(
    kind: number,
    size: number,
    bytes: Uint8Array,
    interruption: number = interruptions.none,
  ): readonly number[] {
    this.#arrive(kind, size, bytes, interruption);
    this.#finish();
    return this.#brought(kind, size, interruption);
  }

  /** Comes to the next meeting, and goes on. */
  #arrive(kind: number, size: number, bytes: Uint8Array, interruption: number = interruptions.none): void {
    this.refuseFailure();
    const meeting = (this.#meeting = (this.#meeting + 1) | 0);
    this.#ownWords.set([meeting, kind, size, interruption]);
    const inline = bytes.subarray(0, inlineBytes);
    this.#own.set(inline, header.bytes);
    const message = this.#own.subarray(0, header.bytes + inline.length);
    for (const { rank, first, received } of this.#peers)
      this.#mpi.receive(first, rank, tags.meeting, received);
    for (const { rank, sent } of this.#peers) this.#mpi.send(message, rank, tags.meeting, sent);
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
      this.#mpi.receive(piece.length > 0 ? piece : this.#own.subarray(0, 0), rank, tags.rest, received);
    }
    const piece = bytes.subarray(from, from + mostBytes);
    for (const { rank, sent } of this.#peers) this.#mpi.send(piece, rank, tags.rest, sent);
    this.#finish();
  }

  begin(meeting: Meeting, given: Given): Transfer {
    const kind = meetings.indexOf(meeting);
    const { parts, unit, shares } = given;
    const sizes = parts.map(({ length }) => length);
    this.sent.sums += sentOf(sizes, unit, shares, this);
    const bytes = sizes.reduce((sum, length) => sum + length, 0);
    const isInline = bytes <= inlineBytes;
    this.#arrive(kind, bytes / unit, isInline ? joined(parts) : new Uint8Array(0));
    let pending = this.#firsts;
    /** What is to be done when those that are pending are done, in order. */
    const next: (() => readonly Pending[])[] = [
      () => {
        const brought = this.#brought(kind, bytes / unit, interruptions.none);
        if (brought.some((size) => size !== bytes / unit)) throw sizesRefusal(brought);
        if (!isInline) return this.#startParts(given);
        for (const { rank, first } of this.#peers)
          separate(first.subarray(header.bytes), given.takes[rank]!, sizes);
        return [];
      },
      () => {
        this.#unpack(given);
        return [];
      },
    ];
    if (isInline) next.pop();
    const goOn = (): void => {
      pending = next.shift()!();
    };
    return {
      poll: () => {
        while (next.length > 0) {
          pending = pending.filter(({ request }) => !this.#mpi.isDone(request));
          if (pending.length > 0) return;
          goOn();
        }
      },
      finish: () => {
        while (next.length > 0) {
          this.#settle(pending);
          goOn();
        }
      },
    };
  }

  /** What goes to a rank of what is given, or comes from it: large parts by themselves, and small ones in one message. */
  #piecesOf({ parts, unit, shares, takes }: Given, rank: number, outward: boolean) {
    const taker = { rank: outward ? rank : this.rank, size: this.size };
    const all = parts.map((part, i) => {
      const { start, end } = shareOf(part.length, shares, unit, taker);
      const stored = outward ? part : (takes[rank]![i] ?? null);
      return { stored, start: outward ? start : 0, length: end - start };
    });
    return {
      large: all.filter(({ length }) => length >= packedBytes),
      small: all.filter(({ length }) => length < packedBytes),
    };
  }

  #startParts(given: Given): Pending[] {
    const pending: Pending[] = [];
    const add = (rank: number, begin: (request: Request) => void): void => {
      const request = (this.#requests[pending.length] ??= new BigInt64Array(new ArrayBuffer(128), 0, 1));
      begin(request);
      pending.push({ rank, request });
    };
    for (const outward of [false, true])
      for (const { rank } of this.#peers) {
        const { large, small } = this.#piecesOf(given, rank, outward);
        const move = (bytes: Uint8Array): void => {
          for (let from = 0; from < bytes.length; from += mostBytes) {
            const piece = bytes.subarray(from, from + mostBytes);
            if (outward) add(rank, (request) => this.#mpi.send(piece, rank, tags.part, request));
            else add(rank, (request) => this.#mpi.receive(piece, rank, tags.part, request));
          }
        };
        const packed = small.reduce((sum, { length }) => sum + length, 0);
        const pack = this.#packOf(2 * rank + (outward ? 1 : 0), packed);
        if (outward) {
          let at = 0;
          for (const { stored, start, length } of small) {
            pack.set(stored!.bytes().subarray(start, start + length), at);
            at += length;
          }
        }
        move(pack);
        // What nobody here uses comes all the same.
        for (const { stored, start, length } of large)
          move(stored === null ? new Uint8Array(length) : stored.bytes().subarray(start, start + length));
      }
    return pending;
  }

  #packOf(use: number, bytes: number): Uint8Array {
    const found = this.#packs[use];
    if (found !== undefined && found.length >= bytes) return found.subarray(0, bytes);
    return (this.#packs[use] = new Uint8Array(new ArrayBuffer(Math.max(128, bytes)))).subarray(0, bytes);
  }

  #unpack(given: Given): void {
    for (const { rank } of this.#peers) {
      const { small } = this.#piecesOf(given, rank, false);
      const lengths = small.map(({ length }) => length);
      const stored = small.map((piece) => piece.stored);
      const bytes = lengths.reduce((sum, length) => sum + length, 0);
      separate(this.#packOf(2 * rank, bytes), stored, lengths);
    }
  }

  /** Nothing of one process is read by another. */
  release(): void {}
}

/** A message on its way to or from a rank. */
interface Pending {
  readonly rank: number;
  readonly request: Request;
}

/** Parts end to end. */
function joined(parts: readonly Stored[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part.bytes(), at);
    at += part.length;
  }
  return bytes;
}

/** Puts bytes of some lengths, which come end to end, where they go. */
function separate(bytes: Uint8Array, into: readonly (Stored | null)[], lengths: readonly number[]): void {
  let at = 0;
  for (const [i, length] of lengths.entries()) {
    into[i]?.bytes().set(bytes.subarray(at, at + length));
    at += length;
  }
}
