import type { Allocation, Backend, Binding } from "../backends/contract.ts";
import {
  allocate,
  bytesOf,
  type DType,
  dtypes,
  readElement,
  type TypedArray,
  windowsOf,
} from "../base/dtype.ts";
import { InternalError, StaleTensorError } from "../base/errors.ts";
import type { Node } from "../ir/node.ts";
import type { Source } from "../ir/op.ts";
import type { Lease } from "./result-pool.ts";

let nextId = 1;
let moves = 0;

/** Counts how often memory that was bound has been let go of: bindings from before may be out of date. */
export const relocations = (): number => moves;

/**
 * A stored value. Resident storage lives in a backend's memory, is overwritten in place by writes, and counts its
 * versions. Anything else is never overwritten: an ordinary array, or memory of the pool of results, from which it is
 * copied to an array before that is used again.
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
  /** Memory of the pool that it is in until that is needed again, where a captured function gave it. */
  #lease: Lease | null = null;

  constructor(
    dtype: DType,
    length: number,
    host: TypedArray | null,
    resident: boolean,
    lease: Lease | null = null,
  ) {
    this.#lease = lease;
    this.dtype = dtype;
    this.length = length;
    this.resident = resident;
    this.#host = host;
  }

  get byteLength(): number {
    return this.length * dtypes[this.dtype].bytes;
  }

  /** What a run on `backend` binds. */
  binding(backend: Backend): Binding {
    if (!this.resident) return this.#lease?.allocation ?? this.#parked()!;
    if (this.#device === null) {
      const host = this.#parked();
      const device = backend.allocate(this.byteLength);
      if (host !== null) write(device, host);
      this.#host = null;
      this.#device = device;
      collected.register(this, device, this);
    }
    return this.#device;
  }

  /** The same value as a storage of its own. */
  alias(): Storage {
    return new Storage(this.dtype, this.length, this.#parked(), false, this.#lease);
  }

  /** Has a value that is in the pool be an array for good, so that bindings of it never change. */
  settle(): this {
    if (this.#lease !== null) {
      this.#host = this.read();
      this.#lease = null;
    }
    return this;
  }

  #parked(): TypedArray | null {
    if (this.#lease !== null) return this.#lease.host;
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

  /**
   * Takes over, as its next version, what another storage of its dtype and length has in a backend's memory. Nothing is
   * copied, and nothing of it can fail.
   */
  takeOver(from: Storage): void {
    const device = from.#device;
    if (device === null) throw new InternalError("takeOver: there is nothing in a backend's memory");
    collected.unregister(from);
    from.#device = null;
    this.park(null);
    this.#device = device;
    collected.register(this, device, this);
    this.version++;
  }

  /**
   * The elements' bytes where they are, from one on, so many (as many as `windowBytes` can always be had), to be looked
   * at before anything else runs; null: zeros.
   */
  bytes(from = 0, length: number = this.byteLength - from): Uint8Array | null {
    const device = this.#memory;
    if (device !== null) return device.view(from, length);
    const host = this.#parked();
    return host === null ? null : bytesOf(host, from, length);
  }

  /** The backend's memory that it is in now. */
  get #memory(): Allocation | null {
    return this.#device ?? this.#lease?.allocation ?? null;
  }

  /** A copy of the elements as they are at the call, which may take until later to be there. */
  readLater(): TypedArray | Promise<TypedArray> {
    const device = this.#memory;
    if (!device?.read) return this.read();
    const copy = allocate(this.dtype, this.length);
    const reads = Array.from(windowsOf(this.byteLength), ([from, length]) =>
      device.read!(bytesOf(copy, from, length), from),
    );
    return Promise.all(reads).then(() => copy);
  }

  /** A copy of the elements. */
  read(): TypedArray {
    const copy = allocate(this.dtype, this.length);
    for (const [from, length] of windowsOf(this.byteLength)) {
      const bytes = this.bytes(from, length);
      if (bytes === null) break;
      bytesOf(copy, from, length).set(bytes);
    }
    return copy;
  }

  /** Overwrites the elements now, outside any step. */
  overwrite(data: TypedArray): void {
    if (this.#device !== null) write(this.#device, data);
    else this.#host = data.slice();
    this.version++;
  }

  /** One element as a number, without a copy of the others. */
  at(index: number): number {
    const device = this.#memory;
    if (device === null) {
      const host = this.#parked();
      return host === null ? 0 : readElement(this.dtype, host, index);
    }
    const { bytes, array } = dtypes[this.dtype];
    const copy = device.view(index * bytes, bytes).slice();
    return readElement(this.dtype, new array(copy.buffer, 0, 1), 0);
  }
}

function write(device: Allocation, data: TypedArray): void {
  for (const [from, length] of windowsOf(data.byteLength)) device.write(bytesOf(data, from, length), from);
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
