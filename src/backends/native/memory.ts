import { OutOfMemoryError } from "../../base/errors.ts";
import { mib } from "../../base/mib.ts";
import type { Allocation } from "../../plan/plan.ts";
import type { Runtime } from "./runtime.ts";

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
    this.inUse += bytes;
    return new NativeAllocation(address, this.#runtime.view(address, bytes), () => {
      this.inUse -= bytes;
      this.#runtime.release(address, size);
    });
  }
}

/** A block of memory that knows its own address. */
export class NativeAllocation implements Allocation {
  readonly address: number;
  readonly bytes: number;
  /** The block itself: out of date once it is freed. */
  readonly buffer: ArrayBuffer;
  readonly #view: Uint8Array;
  #release: (() => void) | null;

  constructor(address: number, buffer: ArrayBuffer, release: () => void) {
    this.address = address;
    this.buffer = buffer;
    this.bytes = buffer.byteLength;
    this.#view = new Uint8Array(buffer);
    this.#release = release;
  }

  view(): Uint8Array {
    return this.#view;
  }

  free(): void {
    this.#release?.();
    this.#release = null;
  }
}
