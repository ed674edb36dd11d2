import { allocate } from "../base/dtype.ts";
import { StateOffloadError } from "../base/errors.ts";
import { hashBytes } from "../base/hash.ts";
import { joinPath, readFile, removeFile, writeFile } from "../base/storage/index.ts";
import { bytesOf } from "../engine/storage.ts";
import type { Part } from "./part.ts";
import { StateTensor } from "./state-tensor.ts";

/** The tensors of a part's state, copied out of the backend's memory to come back bit for bit. */
export class Offload {
  readonly #part: Part;
  readonly #tensors: readonly StateTensor[];
  /** Where each tensor's bytes are, if in a file, and what they hash to. */
  readonly #files: readonly { readonly path: string; readonly hash: string }[] | null;

  /** Copies to a directory, or for null to ordinary memory; the state itself stays until `leave`. */
  constructor(part: Part, directory: string | null) {
    this.#part = part;
    this.#tensors = Object.values(part.state).filter((value) => value instanceof StateTensor);
    this.#files = directory === null ? null : this.#write(directory);
  }

  #write(directory: string): { path: string; hash: string }[] {
    const written: { path: string; hash: string }[] = [];
    try {
      for (const { resident } of this.#tensors) {
        const bytes = bytesOf(resident.storage.read());
        const path = joinPath(directory, `thaw-state-${crypto.randomUUID()}.bin`);
        written.push({ path, hash: hashBytes(bytes) });
        writeFile(path, bytes);
      }
    } catch (error) {
      for (const { path } of written) removeFile(path);
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

  #bits(i: number) {
    const { path, hash } = this.#files![i]!;
    const { storage } = this.#tensors[i]!.resident;
    let bytes: Uint8Array;
    try {
      bytes = readFile(path);
    } catch (error) {
      throw new StateOffloadError(
        `${storage.label} was offloaded to ${path}, which cannot be read: ${(error as Error).message}`,
        { cause: error },
      );
    }
    if (hashBytes(bytes) !== hash)
      throw new StateOffloadError(`${storage.label} was offloaded to ${path}, which has been changed since`);
    const bits = allocate(storage.dtype, storage.length);
    bytesOf(bits).set(bytes);
    return bits;
  }

  /** Brings the bits back, and removes the files. */
  restore(): void {
    const bits = this.#files?.map((_, i) => this.#bits(i));
    for (const [i, { resident }] of this.#tensors.entries()) if (bits) resident.storage.park(bits[i]!);
    this.#part.offloaded = null;
    this.discard();
  }

  /** Removes the files. */
  discard(): void {
    for (const { path } of this.#files ?? []) removeFile(path);
  }
}
