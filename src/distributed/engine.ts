import type { Given, Transfer } from "../ir/collective.ts";

/** What scripts ask of a group: each is one meeting, and what a rank is at meanwhile. */
const calls = ["sum()", "broadcast()", "gather()", "barrier()", "a checkpoint"] as const;

/** What ranks do together, by its place in this list: ranks that meet in different things are told so. */
export const meetings = [
  "a step",
  "a sum of gradients",
  "the end of a step that has failed",
  "the start",
  "the first call of a step",
  ...calls,
] as const;

/** What ranks meet for. */
export type Meeting = (typeof meetings)[number];

/** What a rank can be at, as others say it of one that is missing; the first before all else. */
export const actions = [
  "nothing",
  "step",
  "the sum of gradients of step",
  "what follows step",
  ...calls,
] as const;

/** What a rank can be at. */
export type Action = (typeof actions)[number];

/** What a rank brings to a meeting in place of what was meant: 0 is nothing. */
export const interruptions = { none: 0, again: 1, failed: 2 } as const;

/** Thrown at every rank of a meeting to which some have come with an interruption; by rank, which. */
export class Interrupted extends Error {
  readonly by: readonly number[];

  constructor(by: readonly number[]) {
    super("a rank has interrupted what the others wait for");
    this.by = by;
  }
}

/** Bytes that a rank has given to others so far: gradients and other sums, and messages. */
export interface Sent {
  readonly sums: number;
  readonly messages: number;
}

/**
 * How the ranks of a group reach each other. Everything that they do together is a meeting: all come to it, in the same
 * order, and nobody goes on before all have come. Calls wait in place, and come back to JavaScript at least every 50 ms.
 * They throw `RankError` where a rank has failed or ended, `GroupTimeoutError` where one does not come in time, and
 * `GroupError` where ranks meet in different things.
 */
export interface Engine {
  readonly name: string;
  readonly rank: number;
  readonly size: number;
  /** How often all ranks have been started again. */
  readonly restarts: number;
  readonly sent: Sent;
  /** What every rank brings, of any length, by rank. */
  gather(meeting: Meeting, bytes: Uint8Array): Uint8Array[];
  /** What one rank brings; the others bring nothing. */
  broadcast(meeting: Meeting, bytes: Uint8Array | null, from: number): Uint8Array;
  /** As `Collective.begin`: comes to a meeting, and goes on while the others come. No other is between it and its end. */
  begin(meeting: Meeting, given: Given): Transfer;
  /** As `Collective.release`. */
  release(meeting: Meeting): void;
  /** Comes to the next meeting, whatever it is, with an interruption. */
  interrupt(kind: number): void;
  /** Says what this rank is at, for others to name it by. */
  note(action: Action, count: number): void;
  /** Has every other rank throw `RankError` with a message, at once or where it next meets others. */
  abort(message: string): void;
}
