import { finishWrites, writeBehind } from "../base/storage/index.ts";
import { contentsOf } from "./contents.ts";
import type { SaveOptions } from "./save-options.ts";
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
  const contents = contentsOf("save()", options, path);
  // What is being written behind was asked for before.
  finishWrites();
  writeContents(path, sealed(contents));
}

/**
 * As `save`, but returns once everything is copied: the file is written by another thread while training goes on, and
 * holds what was there at the call. The promise settles when it is on the disk, or with a `FileError`. One file is
 * written at a time: a save that comes before the last has ended waits for it.
 */
export async function saveAsync(path: string, options: SaveOptions): Promise<void> {
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
export const saveToBytes = (options: SaveOptions): Uint8Array =>
  serializeContents(sealed(contentsOf("saveToBytes()", options, null)));
