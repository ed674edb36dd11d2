import { availableCores } from "../backends/cores.ts";
import { GroupError } from "../base/errors.ts";
import type { Given, Transfer } from "../ir/collective.ts";
import { type Control, seenText } from "./control.ts";
import { type Action, type Engine, Interrupted, type Meeting, meetings } from "./engine.ts";

/** The longest time in milliseconds without a look at whether others are still there. */
export const lookEvery = 50;

/** What an engine is made of. */
export interface EngineSettings {
  readonly rank: number;
  readonly size: number;
  readonly restarts: number;
  /** Milliseconds that a rank waits for another. */
  readonly timeout: number;
  /** What of a user's allows more. */
  readonly timeoutBy: string;
  /** Where news of the other ranks is. */
  readonly control: Control;
  /** How often a rank looks for what it waits for before it gives its core away, where there is a core for each. */
  readonly looks: number;
}

/** What engines have in common, whatever the bytes go by: ranks that know of each other by a `Control`. */
export abstract class WatchedEngine implements Engine {
  abstract readonly name: string;
  readonly rank: number;
  readonly size: number;
  readonly restarts: number;
  readonly sent = { sums: 0, messages: 0 };
  protected readonly control: Control;
  readonly #mostLooks: number;
  protected looks = 1;
  readonly #timeout: number;
  readonly #timeoutBy: string;
  #waits = false;

  constructor({ rank, size, restarts, timeout, timeoutBy, control, looks }: EngineSettings) {
    this.rank = rank;
    this.size = size;
    this.restarts = restarts;
    this.control = control;
    this.#timeout = timeout;
    this.#timeoutBy = timeoutBy;
    this.#mostLooks = looks;
    this.shareCores(size);
  }

  /** Says how many ranks share the cores of this one: one that looks on would keep a core from those that have work. */
  shareCores(ranks: number): void {
    this.looks = ranks <= availableCores() ? this.#mostLooks : 1;
  }

  abstract gather(meeting: Meeting, bytes: Uint8Array): Uint8Array[];
  abstract begin(meeting: Meeting, given: Given): Transfer;
  abstract release(meeting: Meeting): void;
  /** Goes to the next meeting with an interruption; all who come throw it. */
  protected abstract meetInterrupting(kind: number): void;

  broadcast(meeting: Meeting, bytes: Uint8Array | null, from: number): Uint8Array {
    return this.gather(meeting, from === this.rank ? bytes! : new Uint8Array(0))[from]!;
  }

  interrupt(kind: number): void {
    try {
      this.meetInterrupting(kind);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
  }

  note(action: Action, count: number): void {
    this.control.note(this.rank, action, count);
  }

  abort(message: string): void {
    this.control.fail(this.rank, message);
  }

  /** Throws what a rank has failed with, if one has. */
  protected refuseFailure(): void {
    const failure = this.control.failure();
    if (failure !== null) throw failure;
  }

  /** Says that this rank goes on. */
  protected stopWaiting(): void {
    if (this.#waits) this.control.waitFor(this.rank, null);
    this.#waits = false;
  }

  /**
   * Looks whether the rank that is waited for will come; `isMissing` says of one that has ended whether it has not come
   * before. Where it will not, all who wait throw that when they next look.
   */
  protected lookAround(rank: number, waited: number, isMissing: () => boolean): void {
    this.refuseFailure();
    const { control } = this;
    if (control.hasEnded(rank) && isMissing()) {
      const { action, count } = control.seen(this.rank);
      const where = count > 0 ? `${action} ${count}` : action;
      control.fail(
        rank,
        `rank ${rank}'s script has ended, and rank ${this.rank} waits for it in ${where}: ${seenText(control.seen(rank))}. ` +
          "All ranks must make the same calls: as many steps, sums and barriers.",
      );
      return;
    }
    control.waitFor(this.rank, rank);
    this.#waits = true;
    if (waited < this.#timeout) return;
    const missing = control.missing(rank, this.rank);
    control.fail(
      missing,
      `rank ${missing} has not come within ${this.#timeout / 1000} s to where the others wait for it: ${seenText(control.seen(missing))}. ` +
        `Where it has more to do than others, allow more by ${this.#timeoutBy}.`,
      true,
    );
  }
}

/** Why a meeting has come to nothing, from what each rank has come for, and with which interruption. */
export function meetingRefusal(kinds: readonly number[], interrupted: readonly number[]): Error {
  if (interrupted.some((kind) => kind !== 0)) return new Interrupted(interrupted);
  const where = kinds.map((kind, rank) => `rank ${rank} in ${meetings[kind]}`);
  return new GroupError(
    `Ranks meet in different things: ${where.join(", ")}. All ranks must make the same calls in the same order.`,
  );
}

/** Why there is no sum of as many elements as each rank gives. */
export function sizesRefusal(sizes: readonly number[]): GroupError {
  const given = sizes.map((size, rank) => `rank ${rank} gives ${size}`);
  return new GroupError(
    `A sum over ranks takes as many elements of each: ${given.join(", ")}. Nothing was summed.`,
  );
}
