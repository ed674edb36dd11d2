import type { TypedArray } from "../base/dtype.ts";

/** Reads the elements of some arrays end to end, so many at a time. */
export class Parts {
  readonly #parts: readonly TypedArray[];
  #part = 0;
  /** Elements of it that have been read. */
  #read = 0;

  constructor(parts: readonly TypedArray[]) {
    this.#parts = parts;
  }

  /** Puts the next `length` elements at the beginning of an array. */
  fill(into: TypedArray, length: number): void {
    for (let filled = 0; filled < length; ) {
      const part = this.#parts[this.#part]!;
      const count = Math.min(part.length - this.#read, length - filled);
      into.set(count === part.length ? part : part.subarray(this.#read, this.#read + count), filled);
      filled += count;
      this.#read += count;
      if (this.#read === part.length) {
        this.#part++;
        this.#read = 0;
      }
    }
  }
}
