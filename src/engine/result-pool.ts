import type { Allocation, Backend } from "../backends/contract.ts";
import { allowedMemory } from "../backends/memory-limit.ts";
import { allocate, bytesOf, type DType, dtypes, type TypedArray, windowsOf } from "../base/dtype.ts";
import { OutOfMemoryError } from "../base/errors.ts";
import { settings } from "../base/settings.ts";

/** Bytes from which on a result is in memory of the pool: less is copied in no time. */
const leastBytes = 2 ** 16;
/** Slots of one size. */
const mostSlots = 2;

let most = 0;
/** Bytes of all slots together: what is in the pool stays there, so it is a small part of what there may be. */
function mostBytes(): number {
  if (most === 0) most = Math.min(2 ** 28, (settings.maxMemory ?? allowedMemory()) / 16);
  return most;
}

/**
 * Memory of the pool that holds a result until the slot is needed again: then an array has it. Whether anybody still
 * means the result is not asked. Only a finalizer could tell, and V8 keeps what has one, with the arrays that it leads
 * to, until a whole collection: that cost up to half of a product of 256, and a copy costs a twelfth.
 */
export class Lease {
  allocation: Allocation | null;
  host: TypedArray | null = null;
  readonly dtype: DType;
  readonly length: number;

  constructor(allocation: Allocation, dtype: DType, length: number) {
    this.allocation = allocation;
    this.dtype = dtype;
    this.length = length;
  }

  /** Copies the result out. */
  vacate(): void {
    const from = this.allocation!;
    const host = allocate(this.dtype, this.length);
    for (const [at, bytes] of windowsOf(host.byteLength)) bytesOf(host, at, bytes).set(from.view(at, bytes));
    this.host = host;
    this.allocation = null;
  }
}

/** A piece of the backend's memory for one result at a time. */
interface Slot {
  readonly allocation: Allocation;
  lease: Lease | null;
  /** Whether a run that is under way writes there. */
  taken: boolean;
}

/** Slots by their bytes, those of a size and the sizes each with what was unused for longest first. */
const sizes = new Map<number, Slot[]>();
let held = 0;
let underWay: Slot[] = [];

/** Has whoever means what is in a slot read a copy. */
function vacate(slot: Slot): void {
  slot.lease?.vacate();
  slot.lease = null;
}

/** Whether a result is of a size that the pool has. */
export function isLeased(dtype: DType, length: number): boolean {
  const bytes = length * dtypes[dtype].bytes;
  return bytes >= leastBytes && bytes <= mostBytes();
}

/**
 * Memory for a result of a run, of such a size, which writes it there; null where the pool has no more. What was
 * in it before is copied out first. `endRun` says that the run has ended.
 */
export function leaseFor(backend: Backend, dtype: DType, length: number): Lease | null {
  const bytes = length * dtypes[dtype].bytes;
  const slots = sizes.get(bytes) ?? [];
  sizes.delete(bytes);
  sizes.set(bytes, slots);
  let slot = slots.find((one) => one.lease === null && !one.taken) ?? null;
  if (slot === null && slots.length < mostSlots) slot = made(backend, bytes, slots);
  slot ??= slots.find((one) => !one.taken) ?? null;
  if (slot === null) return null;
  vacate(slot);
  slots.splice(slots.indexOf(slot), 1);
  slots.push(slot);
  const lease = new Lease(slot.allocation, dtype, length);
  slot.lease = lease;
  slot.taken = true;
  underWay.push(slot);
  return lease;
}

/** Says that a run has ended; where it has `failed`, nothing is in its results. */
export function endRun(failed: boolean): void {
  if (underWay.length === 0) return;
  for (const slot of underWay) {
    slot.taken = false;
    if (failed) slot.lease = null;
  }
  underWay = [];
}

/** A new slot, in whose favour slots of other sizes go; null where there is no memory for it. */
function made(backend: Backend, bytes: number, slots: Slot[]): Slot | null {
  for (const [size, others] of sizes) {
    if (held + bytes <= mostBytes()) break;
    if (others === slots) continue;
    for (const slot of others.filter(({ taken }) => !taken)) {
      if (held + bytes <= mostBytes()) break;
      vacate(slot);
      slot.allocation.free();
      others.splice(others.indexOf(slot), 1);
      held -= size;
    }
    if (others.length === 0) sizes.delete(size);
  }
  if (held + bytes > mostBytes()) return null;
  try {
    const slot: Slot = { allocation: backend.allocate(bytes), lease: null, taken: false };
    slots.push(slot);
    held += bytes;
    return slot;
  } catch (error) {
    if (error instanceof OutOfMemoryError) return null;
    throw error;
  }
}
