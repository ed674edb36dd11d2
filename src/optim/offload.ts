import { allocate, bytesOf, type TypedArray } from "../base/dtype.ts";
import { StateOffloadError } from "../base/errors.ts";
import { hashBytes } from "../base/hash.ts";
import { joinPath, readFile, removeAtExit, removeFile, writeFile } from "../base/storage/index.ts";
import type { Part } from "./part.ts";
import { StateTensor } from "./state-tensor.ts";

/** A file with one tensor's bytes, and what they hash to. */
interface Written {
  readonly path: string;
  readonly hash: string;
}

/** Removes the files of an optimizer that nobody has any more. */
const collected = new FinalizationRegistry<() => void>((discard) => discard());

/** The tensors of a part's state, copied out of the backend's memory to come back bit for bit. */
export class Offload {
  /** Whether what was copied could not be had back: the state has started anew, and waits in ordinary memory. */
  lost = false;
  readonly #part: Part;
  readonly #tensors: readonly StateTensor[];
  readonly #restart: () => void;
  /** Where each tensor's bytes are, if in a file. */
  #files: readonly Written[] | null;
  #keep: (() => void) | null = null;

  /**
   * Copies to a directory, or for null to ordinary memory; the state itself stays until `leave`. `restart` has the
   * state start anew, outside the backend's memory.
   */
  constructor(part: Part, directory: string | null, restart: () => void) {
    this.#part = part;
    this.#restart = restart;
    this.#tensors = Object.values(part.state).filter((value) => value instanceof StateTensor);
    this.#files = directory === null ? null : this.#write(directory);
    if (this.#files === null) return;
    const paths = this.#files.map(({ path }) => path);
    this.#keep = removeAtExit(paths);
    const keep = this.#keep;
    collected.register(this, () => remove(paths, keep), this);
  }

  #write(directory: string): Written[] {
    const written: Written[] = [];
    try {
      for (const { resident } of this.#tensors) {
        const bytes = bytesOf(resident.storage.read());
        const path = joinPath(directory, `thaw-state-${crypto.randomUUID()}.bin`);
        written.push({ path, hash: hashBytes(bytes) });
        writeFile(path, bytes);
      }
    } catch (error) {
      remove(written.map(({ path }) => path));
      throw new StateOffloadError(
        `The optimizer's state of ${this.#part.parameter.label} could not be offloaded to ${directory}: ${(error as Error).message}. ` +
          "It stays in memory, and the step was not taken.",
        { cause: error },
      );
    }
    return written;
  }

  /** Frees the backend's memory. */
  leave(): void {
    for (const [i, { resident }] of this.#tensors.entries()) {
      const { storage } = resident;
      storage.park(this.#files === null ? storage.read() : () => this.#bits(i));
    }
    this.#part.offloaded = this;
  }

  /** The bits of a tensor; where its file has gone or changed, those with which all of the state starts anew. */
  #bits(i: number): TypedArray {
    const { storage } = this.#tensors[i]!.resident;
    if (this.#files === null) return storage.read();
    const { path, hash } = this.#files[i]!;
    let why: string;
    try {
      const bytes = readFile(path);
      if (hashBytes(bytes) === hash) {
        const bits = allocate(storage.dtype, storage.length);
        bytesOf(bits).set(bytes);
        return bits;
      }
      why = "has been changed since";
    } catch (error) {
      why = `cannot be read: ${(error as Error).message}`;
    }
    this.#lose(`${storage.label} was offloaded to ${path}, which ${why}`);
    return storage.read();
  }

  #lose(why: string): void {
    const { parameter, region } = this.#part;
    this.discard();
    this.lost = true;
    this.#restart();
    console.warn(
      `thaw: ${why}. The optimizer's state of ${parameter.label || "a parameter"}${region?.text ?? ""} starts anew; all other state is as it was.`,
    );
  }

  /** Brings the bits back, and removes the files. */
  restore(): void {
    // All are read before the first is put back: the loss of one is the loss of the state.
    const bits = this.#files === null ? null : this.#tensors.map((_, i) => this.#bits(i));
    if (bits !== null && !this.lost)
      for (const [i, { resident }] of this.#tensors.entries()) resident.storage.park(bits[i]!);
    this.#part.offloaded = null;
    this.discard();
  }

  /** Removes the files. */
  discard(): void {
    if (this.#files === null) return;
    remove(
      this.#files.map(({ path }) => path),
      this.#keep,
    );
    collected.unregister(this);
    this.#files = null;
  }
}

/** Removes files, where they are and can be. */
function remove(paths: readonly string[], keep: (() => void) | null = null): void {
  keep?.();
  for (const path of paths)
    try {
      removeFile(path);
    } catch {
      // What is only in the way costs nobody a step.
    }
}
