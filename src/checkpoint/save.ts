import { ArgumentError } from "../base/errors.ts";
import { finishWrites, writeBehind } from "../base/storage/index.ts";
import type { RandomState } from "../tensor/draws.ts";
import { contentsOf } from "./contents.ts";
import type { SaveOptions } from "./save-options.ts";
import { meetingOf, savedByRankZero } from "./saving-group.ts";
import { sealed } from "./seal.ts";
import { copyTensors, serializeContents, writeContents } from "./write.ts";

/**
 * Writes a checkpoint: a safetensors file with the parameters and persistent buffers under their paths (tied weights
 * under the first of theirs), the state of whatever else is given under its name, and, as JSON in its metadata, what is
 * no tensor: numbers, the random state, what is frozen (not the modules that are held), which arithmetic made it, and
 * checksums. All of it or nothing is written: a full disk or a crash leaves the file that was there. Throws `FileError`;
 * `CheckpointError` inside `ema.use`, and in the middle of an update whose step is not given.
 */
export function save(path: string, options: SaveOptions): void {
  savedByRankZero("save()", options, "a file", (randomOf) => write(path, options, randomOf));
}

/** Writes it on this rank, with the random states of all ranks, where there are several. */
export function write(path: string, options: SaveOptions, randomOf?: readonly RandomState[]): void {
  const contents = contentsOf("save()", options, path, randomOf);
  // What is being written behind was asked for before.
  finishWrites();
  writeContents(path, sealed(contents));
}

/**
 * As `save`, but returns once everything is copied: the file is written by another thread while training goes on, and
 * holds what was there at the call. The promise settles when it is on the disk, or with a `FileError`. One file is
 * written at a time: a save that comes before the last has ended waits for it. With a `group` of several ranks it is as
 * `save`, as all wait for the file.
 */
export async function saveAsync(path: string, options: SaveOptions): Promise<void> {
  if (meetingOf("saveAsync()", options?.group) !== null) return save(path, options);
  const contents = contentsOf("saveAsync()", options, path);
  const { header, places, headerPlace } = contents;
  const parts = [header];
  const sums = copyTensors(contents).map((pieces, i) => {
    const from = parts.length;
    parts.push(...pieces);
    return { at: places[i]!, from, to: parts.length };
  });
  await writeBehind(path, parts, [...sums, { at: headerPlace, from: 0, to: 1 }], options.signal);
}

/** As `save`, but gives the bytes: for browsers. */
export function saveToBytes(options: SaveOptions): Uint8Array {
  if (options?.group !== undefined)
    throw new ArgumentError(
      "saveToBytes() is of one rank alone: leave out group, or give it to save(), which has rank 0 write a file",
    );
  return serializeContents(sealed(contentsOf("saveToBytes()", options, null)));
}
