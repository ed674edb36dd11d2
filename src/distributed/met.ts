import { bytesOf, type DType, dtypes, type TypedArray } from "../base/dtype.ts";
import type { Resident } from "../engine/trace.ts";
import type { Module } from "../nn/module.ts";
import type { Engine } from "./engine.ts";

/** A parameter or buffer of a module. */
export interface Stored {
  readonly path: string;
  readonly isBuffer: boolean;
  readonly resident: Resident;
}

/** All that a module stores: its parameters, then its buffers. */
export const storedOf = (module: Module): Stored[] => [
  ...module.namedParameters().map(([path, { resident }]) => ({ path, isBuffer: false, resident })),
  ...module.namedBuffers().map(([path, { resident }]) => ({ path, isBuffer: true, resident })),
];

/** Parameters and buffers whose values the ranks of a group have compared, or taken from rank 0. All ranks have the same. */
export class Met {
  readonly #residents = new WeakSet<Resident>();

  has({ resident }: Stored): boolean {
    return this.#residents.has(resident);
  }

  note(all: readonly Stored[]): void {
    for (const { resident } of all) this.#residents.add(resident);
  }
}

/** Puts the values that rank 0 has in the place of those of the other ranks. All ranks come here with the same list. */
export function takeFromRankZero(engine: Engine, all: readonly Stored[]): void {
  for (const { resident } of all) {
    const { storage } = resident;
    const bits = engine.rank === 0 ? bytesOf(storage.read()) : null;
    const given = engine.broadcast("a step", bits, 0);
    if (engine.rank !== 0) storage.overwrite(arrayOf(storage.dtype, given));
  }
}

/** Bytes that a rank has given as the elements that they are. */
export function arrayOf(dtype: DType, { buffer, byteOffset, byteLength }: Uint8Array): TypedArray {
  const { array, bytes } = dtypes[dtype];
  return new array(buffer as ArrayBuffer, byteOffset, byteLength / bytes);
}
