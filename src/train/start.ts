import { type DType, dtypes, readElement, type TypedArray } from "../base/dtype.ts";
import type { Storage } from "../engine/storage.ts";
import type { Region } from "../tensor/region.ts";
import { eachPiece } from "./pieces.ts";

/** How far a parameter is from where it was. */
export interface Movement {
  /** The length of the way: the L2 norm of the difference. */
  readonly norm: number;
  /** The largest difference of an element; null where it is not known. */
  readonly max: number | null;
  /** False where `norm` is an estimate, from a sketch of the start: within some 3 %. */
  readonly exact: boolean;
}

/** Numbers of a sketch: the square of a distance is estimated from so many with a deviation of √(2 / 4096), 2.2 %. */
export const sketchSize = 4096;

/** What a region of a parameter (null: all of it) was when a step first trained it: its elements, of the dtype that it had, or a sketch of them. */
export type Start = {
  readonly region: Region | null;
} & ({ readonly elements: TypedArray; readonly dtype: DType } | { readonly sketch: Float64Array });

/**
 * A sketch of elements: each is added to one of 4096 sums, or taken from it, by a hash of its place (Charikar, Chen and
 * Farach-Colton, "Finding frequent items in data streams", 2002). It is linear, and keeps lengths: that of the difference
 * of two sketches is that of the difference of what they are of, about, be it in a few elements or in all.
 */
export function sketchOf(storage: Storage, region: Region | null): Float64Array {
  const sums = new Float64Array(sketchSize);
  let place = 0;
  eachElement(storage, region, (value) => {
    // The last steps of MurmurHash3, which spread every bit over all.
    let h = Math.imul(++place, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    sums[h & (sketchSize - 1)]! += h < 0 ? -value : value;
  });
  return sums;
}

function eachElement(storage: Storage, region: Region | null, see: (value: number) => void): void {
  const { dtype } = storage;
  const { array, bytes } = dtypes[dtype];
  eachPiece(storage, region, (piece) => {
    const elements = new array(piece.buffer, piece.byteOffset, piece.length / bytes);
    if (dtype === "bf16" || dtype === "f16")
      for (let i = 0; i < elements.length; i++) see(readElement(dtype, elements, i));
    else for (let i = 0; i < elements.length; i++) see(elements[i]!);
  });
}

/** How far what is stored is from where parts of it, which share nothing, have begun. */
export function movement(storage: Storage, starts: readonly Start[]): Movement {
  let [squares, max, exact] = [0, 0, true];
  for (const start of starts) {
    if ("sketch" in start) {
      const now = sketchOf(storage, start.region);
      for (let i = 0; i < sketchSize; i++) squares += (now[i]! - start.sketch[i]!) ** 2;
      exact = false;
      continue;
    }
    const { elements, dtype } = start;
    let place = 0;
    eachElement(storage, start.region, (value) => {
      const change = value - readElement(dtype, elements, place++);
      squares += change * change;
      max = Math.max(max, Math.abs(change));
    });
  }
  return { norm: Math.sqrt(squares), max: exact ? max : null, exact };
}
