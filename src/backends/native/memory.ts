import { OutOfMemoryError } from "../../base/errors.ts";
import { mib } from "../../base/mib.ts";
import type { Allocation } from "../contract.ts";
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
    const release = (): void => {
      this.inUse -= bytes;
      this.#runtime.release(address, size);
    };
    return new NativeAllocation(address, bytes, () => this.#runtime.view(address, bytes), release);
  }
}

/** A block of memory that knows its own address. */
export class NativeAllocation implements Allocation {
  readonly address: number;
  readonly bytes: number;
  readonly #open: () => ArrayBuffer;
  #release: (() => void) | null;
  /** Made when it is first asked for: V8 collects garbage sooner for every buffer that it knows of. */
  #view: Uint8Array<ArrayBuffer> | null = null;

  constructor(address: number, bytes: number, open: () => ArrayBuffer, release: () => void) {
    this.address = address;
    this.bytes = bytes;
    this.#open = open;
    this.#release = release;
  }

  /** The block itself: out of date once it is freed. */
  get buffer(): ArrayBuffer {
    return this.view().buffer;
  }

  view(): Uint8Array<ArrayBuffer> {
    return (this.#view ??= new Uint8Array(this.#open()));
  }

  free(): void {
    this.#release?.();
    this.#release = null;
  }
}
