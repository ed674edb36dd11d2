import { type DType, dtypes, readElement, type TypedArray } from "../base/dtype.ts";
import type { Storage } from "../engine/storage.ts";
import { eachPiece } from "../tensor/pieces.ts";
import type { Region } from "../tensor/region.ts";

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

/** Elements side by side that go to sums side by side, from one that a hash says. */
const together = 32;

/** The last steps of MurmurHash3, which spread every bit over all. */
function spread(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * A sketch of elements: each is added to one of 4096 sums, or taken from it, by a hash of its place (Charikar, Chen and
 * Farach-Colton, "Finding frequent items in data streams", 2002). It is linear, and keeps lengths: that of the difference
 * of two sketches is that of the difference of what they are of, about, be it in a few elements or in all. One hash serves
 * 32 elements, which is ten times as fast: any two of different hashes share a sum as seldom as if each had its own, and
 * those of one never do.
 */
export function sketchOf(storage: Storage, region: Region | null): Float64Array {
  const sums = new Float64Array(sketchSize + together);
  let [place, first, signs] = [0, 0, 0];
  eachRun(storage, region, (elements) => {
    for (let i = 0; i < elements.length; ) {
      const within = place % together;
      if (within === 0) {
        const hash = spread(Math.imul(place / together + 1, 0x9e3779b1));
        first = hash & (sketchSize - 1);
        signs = spread(hash ^ 0x3c6ef372);
      }
      const end = Math.min(elements.length, i + together - within);
      place += end - i;
      for (let at = first + within, bits = signs >>> within; i < end; i++, at++, bits >>>= 1)
        // Not a branch, which no processor could foresee.
        sums[at]! += elements[i]! * (1 - ((bits & 1) << 1));
    }
  });
  for (let i = 0; i < together; i++) sums[i]! += sums[sketchSize + i]!;
  return sums.slice(0, sketchSize);
}

/** Shows elements as numbers, some at a time, in order. */
function eachRun(storage: Storage, region: Region | null, see: (elements: TypedArray) => void): void {
  const { dtype } = storage;
  const { array, bytes } = dtypes[dtype];
  eachPiece(storage, region, (piece) => {
    const elements = new array(piece.buffer, piece.byteOffset, piece.length / bytes);
    see(
      dtype === "bf16" || dtype === "f16"
        ? Float32Array.from(elements, (_, i) => readElement(dtype, elements, i))
        : elements,
    );
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
    eachRun(storage, start.region, (run) => {
      for (let i = 0; i < run.length; i++) {
        const change = run[i]! - readElement(dtype, elements, place++);
        squares += change * change;
        max = Math.max(max, Math.abs(change));
      }
    });
  }
  return { norm: Math.sqrt(squares), max: exact ? max : null, exact };
}
