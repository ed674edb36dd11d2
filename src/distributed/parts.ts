/** Reads the bytes of some arrays end to end, so many at a time. */
export class Parts {
  readonly #parts: readonly Uint8Array[];
  #part = 0;
  /** Bytes of it that have been read. */
  #read = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
  }

  /** Puts the next `length` bytes at the beginning of an array. */
  fill(into: Uint8Array, length: number): void {
    for (let filled = 0; filled < length; ) {
      const part = this.#parts[this.#part]!;
      const count = Math.min(part.length - this.#read, length - filled);
      into.set(part.subarray(this.#read, this.#read + count), filled);
      filled += count;
      this.#read += count;
      if (this.#read === part.length) {
        this.#part++;
        this.#read = 0;
      }
    }
  }
}
