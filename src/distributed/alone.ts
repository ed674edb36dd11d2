import type { TypedArray } from "../base/dtype.ts";
import { ArgumentError, RankError } from "../base/errors.ts";
import { copied } from "./codec.ts";
import type { Group } from "./group.ts";

/** A group of one: what a script has that was started plainly. Nothing is sent, and a step does as without a group. */
export class Alone implements Group {
  readonly rank = 0;
  readonly size = 1;
  readonly engine = "none";
  readonly restarts = 0;
  readonly sent = { sums: 0, messages: 0 };

  async sum<A extends TypedArray>(values: A): Promise<A> {
    return values.slice() as A;
  }
  async broadcast<T>(value: T, from = 0): Promise<T> {
    requireRank("broadcast", from, 1);
    return copied("broadcast", value);
  }
  async gather<T>(value: T): Promise<T[]> {
    return [copied("gather", value)];
  }
  async barrier(): Promise<void> {}
  abort(message: string): never {
    throw new RankError(message, { rank: 0 });
  }
  forStep(): null {
    return null;
  }
  forCheckpoint(): null {
    return null;
  }
}

/** Throws `ArgumentError` where a rank is none of a group's. */
export function requireRank(what: string, rank: number, size: number): void {
  if (!Number.isInteger(rank) || rank < 0 || rank >= size)
    throw new ArgumentError(`${what}(): from is ${rank}; ranks are 0${size > 1 ? ` to ${size - 1}` : ""}`);
}
