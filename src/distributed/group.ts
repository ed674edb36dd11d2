import type { TypedArray } from "../base/dtype.ts";
import type { Meet } from "../checkpoint/meet.ts";
import type { Sent } from "./engine.ts";
import type { StepGroup, StepGroupSettings } from "./step-group.ts";

/**
 * Ranks that train one network together, each with a copy of it and data of its own. All of them must make the same calls
 * in the same order: what one does alone, the others wait for, and are told of.
 */
export interface Group {
  /** Which of them this is, from 0. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** How they reach each other: `"threads"`; `"none"` for a group of one. */
  readonly engine: string;
  /** How often `--restarts` has begun again. */
  readonly restarts: number;
  /** Bytes that this rank has given to the others so far. */
  readonly sent: Sent;
  /** The sum over all ranks of an array's elements, added in rank order, so that all get the same bits; as a new array. */
  sum<A extends TypedArray>(values: A): Promise<A>;
  /** What rank `from` (default 0) gives, at all ranks; others give anything. It is copied as between threads. */
  broadcast<T>(value: T, from?: number): Promise<T>;
  /** What each rank gives, by rank, at all ranks. It is copied as between threads. */
  gather<T>(value: T): Promise<T[]>;
  /** Settles when all ranks have come here. */
  barrier(): Promise<void>;
  /** Has every other rank throw `RankError` with this message, now or where it next meets others; throws it here too. */
  abort(message: string): never;
  /** What `trainStep` has of it for one step; null for a group of one, which does as without. */
  forStep(settings: StepGroupSettings): StepGroup | null;
  /** What saving and loading have of it; null for a group of one. */
  forCheckpoint(): Meet | null;
}
