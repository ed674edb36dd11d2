import type { Allocation, Backend, Binding } from "../backends/contract.ts";
import { allocate, type DType, dtypes, readElement, type TypedArray } from "../base/dtype.ts";
import { StaleTensorError } from "../base/errors.ts";
import type { Node } from "../ir/node.ts";
import type { Source } from "../ir/op.ts";

let nextId = 1;
let moves = 0;

/** Counts how often memory that was bound has been let go of: bindings from before may be out of date. */
export const relocations = (): number => moves;

/**
 * A stored value. Host storage is an ordinary array that is never overwritten; resident storage lives in a
 * backend's memory, is overwritten in place by writes, and counts its versions.
 */
export class Storage implements Source {
  readonly id = nextId++;
  readonly dtype: DType;
  readonly length: number;
  readonly resident: boolean;
  /** Grows by one at each write: a graph that needs an older version is stale. */
  version = 0;
  /** What errors call it: a parameter's path, once a module has named it. */
  label = "";
  #host: TypedArray | (() => TypedArray) | null;
  #device: Allocation | null = null;

  constructor(dtype: DType, length: number, host: TypedArray | null, resident: boolean) {
    this.dtype = dtype;
    this.length = length;
    this.resident = resident;
    this.#host = host;
  }

  /** What a run on `backend` binds. */
  binding(backend: Backend): Binding {
    if (!this.resident) return this.#parked()!;
    if (this.#device === null) {
      const host = this.#parked();
      const device = backend.allocate(this.length * dtypes[this.dtype].bytes);
      if (host !== null) device.view().set(bytesOf(host));
      this.#host = null;
      this.#device = device;
      collected.register(this, device, this);
    }
    return this.#device;
  }

  #parked(): TypedArray | null {
    return typeof this.#host === "function" ? this.#host() : this.#host;
  }

  /**
   * Lets go of the backend's memory until the value is next bound. It is from now on `data` (null: zeros), or what a
   * function brings whenever it is asked for. Whether that is another value is the caller's to say: see `version`.
   */
  park(data: TypedArray | (() => TypedArray) | null): void {
    this.#host = data;
    if (this.#device === null) return;
    collected.unregister(this);
    this.#device.free();
    this.#device = null;
    moves++;
  }

  /** The elements' bytes where they are, to be looked at before anything else runs; null: zeros. */
  bytes(): Uint8Array | null {
    if (this.#device !== null) return this.#device.view();
    const host = this.#parked();
    return host === null ? null : bytesOf(host);
  }

  /** A copy of the elements. */
  read(): TypedArray {
    const copy = allocate(this.dtype, this.length);
    this.readBytes(bytesOf(copy));
    return copy;
  }

  /** Copies the elements' bytes. */
  readBytes(into: Uint8Array): void {
    const bytes = this.bytes();
    if (bytes === null) into.fill(0);
    else into.set(bytes.length === into.length ? bytes : bytes.subarray(0, into.length));
  }

  /** Overwrites the elements now, outside any step. */
  overwrite(data: TypedArray): void {
    if (this.#device !== null) this.#device.view().set(bytesOf(data));
    else this.#host = data.slice();
    this.version++;
  }

  /** One element as a number, without a copy of the others. */
  at(index: number): number {
    if (this.#device === null) {
      const host = this.#parked();
      return host === null ? 0 : readElement(this.dtype, host, index);
    }
    const { bytes, array } = dtypes[this.dtype];
    const copy = this.#device.view().slice(index * bytes, (index + 1) * bytes);
    return readElement(this.dtype, new array(copy.buffer, 0, 1), 0);
  }
}

/** Throws `StaleTensorError` where a leaf of a graph means a value that has been overwritten; gives its storage. */
export function presentStorage(leaf: Node<"input">): Storage {
  const storage = leaf.attrs.source as Storage;
  if (leaf.attrs.version === storage.version) return storage;
  throw new StaleTensorError(
    `This tensor was computed from ${storage.label || "a parameter or buffer"} as it was before a step overwrote it, ` +
      "and was not kept. Call keep() or clone() on it before the step, or return it from the step.",
  );
}

/** Frees the memory of resident storage that nothing refers to any more (a dropped model; never a loop's values). */
const collected = new FinalizationRegistry<Allocation>((device) => device.free());

/** The bytes under a typed array. */
export const bytesOf = (array: TypedArray): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
