import type { Stateful } from "../base/stateful.ts";
import { finishWrites, writeBehind } from "../base/storage/index.ts";
import type { Module } from "../nn/module.ts";
import type { OptimizerStateDict } from "../optim/state-dict.ts";
import type { Base } from "./base.ts";
import { contentsOf } from "./contents.ts";
import { copyContents, serializeContents, type WriteOptions, writeContents } from "./write.ts";

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
  | boolean
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
  base?: Base;
  [name: string]: TakingPart;
}

/**
 * Writes a checkpoint: a safetensors file with the parameters and persistent buffers under their paths (tied weights
 * under the first of theirs), the state of whatever else is given under its name, and, as JSON in its metadata, what is
 * no tensor: numbers, the random state, what is frozen (not the modules that are held), which arithmetic made it, and
 * checksums. All of it or nothing is written: a full disk or a crash leaves the file that was there. Throws `FileError`;
 * `CheckpointError` inside `ema.use`, and in the middle of an update whose step is not given.
 */
export function save(path: string, options: SaveOptions): void {
  const contents = contentsOf("save()", options, path);
  // What is being written behind was asked for before.
  finishWrites();
  writeContents(path, contents);
}

/**
 * As `save`, but returns once everything is copied: the file is written by another thread while training goes on, and
 * holds what was there at the call. The promise settles when it is on the disk, or with a `FileError`. One file is
 * written at a time: a save that comes before the last has ended waits for it.
 */
export async function saveAsync(path: string, options: SaveOptions): Promise<void> {
  await writeBehind(path, copyContents(contentsOf("saveAsync()", options, path)));
}

/** As `save`, but gives the bytes: for browsers. */
export const saveToBytes = (options: SaveOptions): Uint8Array =>
  serializeContents(contentsOf("saveToBytes()", options, null));
