import type { DType, TypedArray } from "../../base/dtype.ts";
import { BackendError, OutOfMemoryError } from "../../base/errors.ts";
import { mib } from "../../base/mib.ts";
import { settings } from "../../base/settings.ts";
import { allowedMemory } from "../memory-limit.ts";
import { AddressedAllocation } from "../table.ts";

const page = 65_536;
/** Pages at the start. */
const initial = 16;
/** Bytes that have an address of 32 bits. */
const mostAddresses = 2 ** 32;
/** Where not even so many bytes of addresses are to be had, there is no use in trying. */
const leastReserved = 2 ** 26;
const round = (n: number): number => Math.max(64, Math.ceil(n / 64) * 64);

/** One memory seen as arrays of each element type. */
export interface Views {
  readonly buffer: ArrayBufferLike;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly u16: Uint16Array;
  readonly u8: Uint8Array;
  readonly i8: Int8Array;
}

const viewsOf = (buffer: ArrayBufferLike): Views => ({
  buffer,
  f32: new Float32Array(buffer),
  f64: new Float64Array(buffer),
  i32: new Int32Array(buffer),
  u16: new Uint16Array(buffer),
  u8: new Uint8Array(buffer),
  i8: new Int8Array(buffer),
});

/** The view of memory in which a dtype's elements are. */
export const viewFor = (views: Views, dtype: DType): TypedArray => {
  switch (dtype) {
    case "f32":
      return views.f32;
    case "f64":
      return views.f64;
    case "i32":
      return views.i32;
    case "bf16":
    case "f16":
      return views.u16;
    case "i8":
      return views.i8;
    default:
      return views.u8;
  }
};

/** A free or used stretch of memory. */
interface Block {
  start: number;
  bytes: number;
}

/** One WebAssembly memory for everything: parameters, state, arena, tables. Shared between threads where that can be. */
export class WasmMemory {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  /** Pages it may grow to: part of every module's import. */
  readonly maximum: number;
  inUse = 0;
  #views: Views;
  #free: Block[] = [];
  #reserved = 0;
  /** Where memory begins that nobody has had yet: it is zeros as it is, and costs nothing until it is written to. */
  #fresh = 0;

  /** Grows to `maxBytes` at most, or to less where the system does not give a program so many addresses. */
  constructor(maxBytes: number = Math.min(mostAddresses, settings.maxMemory ?? allowedMemory())) {
    const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
    this.shared = typeof SharedArrayBuffer === "function" && isolated !== false;
    this.memory = this.#reserve(maxBytes, Math.min(leastReserved, maxBytes));
    this.maximum = Math.floor(this.#reserved / page);
    this.#views = viewsOf(this.memory.buffer);
    // Address 0 stays unused, so that a null pointer is never a value's.
    this.#free.push({ start: 64, bytes: this.memory.buffer.byteLength - 64 });
  }

  /** A memory of up to `most` bytes; of half, and half of that, down to `least`, where the engine or system has no more. */
  #reserve(most: number, least: number): WebAssembly.Memory {
    for (let bytes = most; ; bytes = Math.max(bytes / 2, least))
      try {
        this.#reserved = bytes;
        const maximum = Math.floor(bytes / page);
        return new WebAssembly.Memory({ initial: Math.min(initial, maximum), maximum, shared: this.shared });
      } catch (error) {
        if (bytes > least) continue;
        throw new BackendError(
          `wasm: no memory of up to ${mib(bytes)} can be reserved (${(error as Error).message}). Where addresses are limited (ulimit -v), ` +
            "Node before 22 needs --disable-wasm-trap-handler for it; else set THAW_MAX_MEMORY lower",
          { cause: error },
        );
      }
  }

  /** The whole memory as arrays, as it is now: growing replaces the buffer. */
  get views(): Views {
    const { buffer } = this.memory;
    if (this.#views.buffer !== buffer || this.#views.u8.length !== buffer.byteLength)
      this.#views = viewsOf(buffer);
    return this.#views;
  }

  get bytes(): Uint8Array {
    return this.views.u8;
  }

  /** The address of `bytes` of zeroed memory, 64-byte aligned. */
  reserve(bytes: number): number {
    const size = round(bytes);
    let at = this.#free.findIndex((b) => b.bytes >= size);
    if (at < 0) {
      this.#grow(size);
      at = this.#free.findIndex((b) => b.bytes >= size);
    }
    const block = this.#free[at]!;
    const { start } = block;
    block.start += size;
    block.bytes -= size;
    if (block.bytes === 0) this.#free.splice(at, 1);
    this.inUse += size;
    this.bytes.fill(0, start, Math.min(start + size, this.#fresh));
    this.#fresh = Math.max(this.#fresh, start + size);
    return start;
  }

  /** Gives memory back. */
  release(start: number, bytes: number): void {
    const size = round(bytes);
    this.inUse -= size;
    let at = this.#free.findIndex((b) => b.start > start);
    if (at < 0) at = this.#free.length;
    this.#free.splice(at, 0, { start, bytes: size });
    this.#join(at);
    this.#join(at - 1);
  }

  /** An allocation that knows its own address. */
  allocate(bytes: number): WasmAllocation {
    return new WasmAllocation(this, this.reserve(bytes), bytes);
  }

  #join(at: number): void {
    const a = this.#free[at];
    const b = this.#free[at + 1];
    if (a === undefined || b === undefined || a.start + a.bytes !== b.start) return;
    a.bytes += b.bytes;
    this.#free.splice(at + 1, 1);
  }

  #grow(bytes: number): void {
    const before = this.memory.buffer.byteLength;
    // A little more than asked, so that many small requests do not each grow it.
    const wanted = Math.ceil(Math.max(bytes, Math.min(before / 4, 2 ** 26)) / page);
    const least = Math.ceil(bytes / page);
    const room = this.maximum - before / page;
    try {
      if (least > room) throw new RangeError("the maximum is reached");
      this.memory.grow(Math.min(wanted, room));
    } catch (error) {
      const [first, last] =
        this.inUse + bytes > mostAddresses
          ? [
              "WebAssembly's addresses end at 4 GiB; the native backend's do not (THAW_BACKEND=native, which needs a C compiler). Else use",
              "",
            ]
          : ["Use", ", or set THAW_MAX_MEMORY"];
      throw new OutOfMemoryError(
        `wasm: ${mib(bytes)} more are needed; ${mib(this.inUse)} are in use of at most ${mib(this.maximum * page)} ` +
          `(${(error as Error).message}). ${first} smaller batches or a smaller model${last}.`,
      );
    }
    const grown = this.memory.buffer.byteLength - before;
    this.inUse += grown;
    this.release(before, grown);
  }
}

/** A block of the memory. */
class WasmAllocation extends AddressedAllocation {
  readonly #memory: WasmMemory;
  #held = true;

  constructor(memory: WasmMemory, address: number, bytes: number) {
    super(address, bytes);
    this.#memory = memory;
  }

  view(from = 0, length: number = this.bytes - from): Uint8Array {
    const first = this.address + from;
    return this.#memory.bytes.subarray(first, first + length);
  }

  free(): void {
    if (this.#held) this.#memory.release(this.address, this.bytes);
    this.#held = false;
  }
}
