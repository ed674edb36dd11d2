import { allocate, type DType, dtypes, type TypedArray } from "../base/dtype.ts";
import type { Source } from "../ir/op.ts";
import type { Allocation, Backend, Binding } from "../plan/plan.ts";

let nextId = 1;

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
  #host: TypedArray | null;
  #device: Allocation | null = null;

  constructor(dtype: DType, length: number, host: TypedArray | null, resident: boolean) {
    this.dtype = dtype;
    this.length = length;
    this.resident = resident;
    this.#host = host;
  }

  /** What a run on `backend` binds. */
  binding(backend: Backend): Binding {
    if (!this.resident) return this.#host!;
    if (this.#device === null) {
      const device = backend.allocate(this.length * dtypes[this.dtype].bytes);
      if (this.#host !== null) device.view().set(bytesOf(this.#host));
      this.#host = null;
      this.#device = device;
      collected.register(this, device);
    }
    return this.#device;
  }

  /** A copy of the elements. */
  read(): TypedArray {
    const copy = allocate(this.dtype, this.length);
    if (this.#device !== null) bytesOf(copy).set(this.#device.view().subarray(0, copy.byteLength));
    else if (this.#host !== null) copy.set(this.#host);
    return copy;
  }

  /** One element, without a copy. */
  at(index: number): number {
    if (this.#device === null) return this.#host?.[index] ?? 0;
    const { bytes } = dtypes[this.dtype];
    const view = this.#device.view().slice(index * bytes, (index + 1) * bytes);
    return new dtypes[this.dtype].array(view.buffer, 0, 1)[0]!;
  }
}

/** Frees the memory of resident storage that nothing refers to any more (a dropped model; never a loop's values). */
const collected = new FinalizationRegistry<Allocation>((device) => device.free());

/** The bytes under a typed array. */
export const bytesOf = (array: TypedArray): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
