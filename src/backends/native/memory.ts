import { OutOfMemoryError } from "../../base/errors.ts";
import { mib } from "../../base/mib.ts";
import { AddressedAllocation } from "../table.ts";
import type { Runtime } from "./runtime.ts";

/** Elements that a typed array has at most (in Node before 22), and bytes that koffi opens at a time. */
const mostViewed = 2 ** 32;

/** The process's memory as the backend uses it: counted, and bounded. */
export class NativeMemory {
  inUse = 0;
  readonly #runtime: Runtime;
  readonly #most: number;

  /** At most `most` bytes are allocated at a time. */
  constructor(runtime: Runtime, most: number) {
    this.#runtime = runtime;
    this.#most = most;
  }

  /** Zeroed memory; throws `OutOfMemoryError` beyond the bound, or where the system has none. */
  allocate(bytes: number): NativeAllocation {
    const size = Math.max(1, bytes);
    const address = this.inUse + bytes > this.#most ? 0 : this.#runtime.allocate(size);
    if (address === 0)
      throw new OutOfMemoryError(
        `native: ${mib(bytes)} more are needed; ${mib(this.inUse)} are in use of at most ${mib(this.#most)}. ` +
          "Use smaller batches or a smaller model, or set THAW_MAX_MEMORY.",
      );
    return this.#blockAt(address, bytes);
  }

  /**
   * Memory with what there is in a block, and more, in its place; null where that cannot be, and the block is as before.
   * What is there need not be touched a first time again.
   */
  grown(block: NativeAllocation, bytes: number): NativeAllocation | null {
    if (this.inUse - block.bytes + bytes > this.#most) return null;
    const address = this.#runtime.grow(block.address, block.bytes, bytes);
    if (address === 0) return null;
    block.moved();
    this.inUse -= block.bytes;
    return this.#blockAt(address, bytes);
  }

  #blockAt(address: number, bytes: number): NativeAllocation {
    this.inUse += bytes;
    const release = (): void => {
      this.inUse -= bytes;
      this.#runtime.release(address, Math.max(1, bytes));
    };
    const open = (from: number, length: number) => this.#runtime.view(address + from, length);
    return new NativeAllocation(address, bytes, open, release);
  }
}

/** A block of the process's memory. */
export class NativeAllocation extends AddressedAllocation {
  readonly #open: (from: number, length: number) => ArrayBuffer;
  #release: (() => void) | null;
  /** All of it, made when it is first asked for: V8 collects garbage sooner for every buffer that it knows of. */
  #view: Uint8Array<ArrayBuffer> | null = null;

  constructor(
    address: number,
    bytes: number,
    open: (from: number, length: number) => ArrayBuffer,
    release: () => void,
  ) {
    super(address, bytes);
    this.#open = open;
    this.#release = release;
  }

  /** Out of date once it is freed. */
  view(from = 0, length: number = this.bytes - from): Uint8Array<ArrayBuffer> {
    // Of more than an array has elements, parts are opened.
    if (this.bytes > mostViewed) return new Uint8Array(this.#open(from, length));
    this.#view ??= new Uint8Array(this.#open(0, this.bytes));
    return length === this.bytes ? this.#view : this.#view.subarray(from, from + length);
  }

  free(): void {
    this.#release?.();
    this.#release = null;
  }

  /** Says that its pages are another block's now. */
  moved(): void {
    this.#release = null;
  }
}
