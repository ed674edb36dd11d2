import type { Stateful } from "../base/stateful.ts";
import type { Module } from "../nn/module.ts";
import type { OptimizerStateDict } from "../optim/saved-state.ts";
import type { Base } from "./base.ts";
import type { HeldWeights } from "./held-weights.ts";
import type { SavingGroup } from "./meet.ts";
import type { WriteOptions } from "./write.ts";

/** What checkpoints need of an optimizer. */
export interface SavedOptimizer extends Stateful<OptimizerStateDict> {
  readonly name: string;
}

/** What else may stand among the options of saving and loading, under any name. */
export type TakingPart =
  | Stateful
  | Module
  | SavedOptimizer
  | Base
  | HeldWeights
  | AbortSignal
  | SavingGroup
  | boolean
  | string
  | ((path: string) => string)
  | Readonly<Record<string, string>>
  | undefined;

/**
 * What goes into a checkpoint. Whatever has `stateDict` and `loadStateDict` goes in under any other name: `{ module,
 * optimizer, ema, schedule, step, loader }`, another optimizer, another module, a counter of your own.
 */
export interface SaveOptions extends WriteOptions {
  module: Module;
  /** With it, training can go on from the checkpoint. */
  optimizer?: SavedOptimizer;
  /**
   * Weights that are in another file, such as those that a fine-tuning started from: what is still the same, bit for
   * bit, is referred to with a checksum and not written. Who loads the checkpoint needs that file, beside it or as
   * their `base`.
   */
  base?: Base | HeldWeights;
  /**
   * Aborted before the file is whole, it leaves the file that was there, and the signal's reason is thrown: of
   * `saveAsync` while it is written, of the others before they begin.
   */
  signal?: AbortSignal;
  /**
   * Ranks that train together, `distributed.group()`: all make the call, and rank 0 writes the file, which has the random
   * state of each, and otherwise what is rank 0's. No rank goes on before it is there, and what fails on one, such as a
   * full disk on rank 0, fails on all: on the others as `RankError`. For `save`, `saveAsync` and `CheckpointFolder`.
   */
  group?: SavingGroup;
  [name: string]: TakingPart;
}
