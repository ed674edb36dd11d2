import { bytesOf } from "../../../base/dtype.ts";
import { FileError } from "../../../base/errors.ts";
import type { FileReader } from "../../../base/storage/file-reader.ts";
import {
  appendFile,
  openFile,
  removeAtExit,
  removeFile,
  temporaryFile,
} from "../../../base/storage/index.ts";

/** Where some numbers are: in memory, or from a byte of a file on; its own file where no other is said. */
type Place = Float32Array | { readonly from: number; readonly length: number; readonly reader?: FileReader };

/** What names of such files begin with. */
const fileName = "thaw-kept";

/** Whether a file is of a store. */
export const isKeptFile = (name: string): boolean => name.startsWith(`${fileName}-`) && name.endsWith(".bin");

/** Lists of numbers by their keys: in memory up to a bound, then in a file that is removed with it. */
export class KeptStore {
  readonly #memory: number;
  readonly #folder: string | null;
  readonly #places = new Map<number, Place>();
  #file: { readonly path: string; readonly forget: () => void; size: number } | null = null;
  #reader: FileReader | null = null;
  /** Files of others that numbers are in. */
  readonly #others = new Set<FileReader>();
  #bytesOfOthers = 0;
  /** Bytes that are kept. */
  bytes = 0;

  /** The file is made in `folder`, or where the system has its temporary ones. */
  constructor(memory: number, folder: string | null) {
    this.#memory = memory;
    this.#folder = folder;
  }

  /** Bytes of these in a file. */
  get bytesInFile(): number {
    return (this.#file?.size ?? 0) + this.#bytesOfOthers;
  }

  has(key: number): boolean {
    return this.#places.has(key);
  }

  put(key: number, values: Float32Array): void {
    this.bytes += values.byteLength;
    this.#places.set(key, this.bytes <= this.#memory ? values.slice() : this.#append(values));
  }

  /** Keeps what a file has that another process has written: in memory, as far as there is room, and else where it is. */
  take(key: number, reader: FileReader, { from, length }: { from: number; length: number }): void {
    this.#others.add(reader);
    const bytes = length * Float32Array.BYTES_PER_ELEMENT;
    this.bytes += bytes;
    this.#places.set(key, { from, length, reader });
    if (this.bytes <= this.#memory) this.#places.set(key, this.get(key));
    else this.#bytesOfOthers += bytes;
  }

  #append(values: Float32Array): Place {
    try {
      if (this.#file === null) {
        const path = temporaryFile(fileName, this.#folder);
        this.#file = { path, forget: removeAtExit([path]), size: 0 };
      }
      const file = this.#file;
      appendFile(file.path, bytesOf(values));
      const from = file.size;
      file.size += values.byteLength;
      // What is open has the size that the file had.
      this.#reader?.close();
      this.#reader = null;
      return { from, length: values.length };
    } catch (cause) {
      if (!(cause instanceof FileError)) throw cause;
      throw new FileError(
        `fit: what frozen layers give takes more than the ${this.#memory} bytes of memory that it may, and cannot be kept in a file: ${cause.message}. Give keepPrefix: false, or { memory } in bytes.`,
        { cause },
      );
    }
  }

  get(key: number): Float32Array {
    const place = this.#places.get(key)!;
    if (place instanceof Float32Array) return place;
    const values = new Float32Array(place.length);
    const read = this.#readerOf(place).read(bytesOf(values), place.from);
    if (read !== values.byteLength)
      throw new FileError(
        `fit: ${place.reader === undefined ? this.#file!.path : "a file of kept layers"} has been changed: ${read} of ${values.byteLength} bytes are left of what was kept there`,
      );
    return values;
  }

  #readerOf({ reader }: { readonly reader?: FileReader }): FileReader {
    if (reader !== undefined) return reader;
    this.#reader ??= openFile(this.#file!.path);
    return this.#reader;
  }

  /** Forgets all, and removes the file that is its own. */
  clear(): void {
    this.#places.clear();
    this.bytes = 0;
    for (const reader of this.#others) reader.close();
    this.#others.clear();
    this.#bytesOfOthers = 0;
    this.#reader?.close();
    this.#reader = null;
    if (this.#file === null) return;
    this.#file.forget();
    removeFile(this.#file.path);
    this.#file = null;
  }
}
