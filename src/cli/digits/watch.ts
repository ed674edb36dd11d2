import type { TypedArray } from "../../base/dtype.ts";
import type { Parameter } from "../../tensor/index.ts";

/** What became of a parameter while it was meant to rest. */
export interface Unrest {
  /** Bits that differ after a step from what they were before it, over all steps in which it was frozen. */
  bits: number;
  /** How far it went in those steps: the lengths of all its moves. */
  distance: number;
}

/** Looks at parameters right before and right after the steps in which they are meant to rest. */
export class Watch {
  readonly unrest = new Map<Parameter, Unrest>();

  /** Runs a step, and compares bit by bit what must not change in it. */
  async around<T>(resting: readonly Parameter[], step: () => Promise<T>): Promise<T> {
    const before = resting.map((p) => p.dataSync());
    const result = await step();
    for (const [i, p] of resting.entries()) {
      const after = p.dataSync();
      const seen = this.unrest.get(p) ?? { bits: 0, distance: 0 };
      seen.bits += differingBits(before[i]!, after);
      seen.distance += distance(before[i]!, after);
      this.unrest.set(p, seen);
    }
    return result;
  }
}

/** The length of the way from one value to another. */
export function distance(a: TypedArray, b: TypedArray): number {
  let squares = 0;
  for (let i = 0; i < a.length; i++) squares += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(squares);
}

/** How many bits of two arrays of one type differ. */
export function differingBits(a: TypedArray, b: TypedArray): number {
  const [x, y] = [a, b].map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)) as [
    Uint8Array,
    Uint8Array,
  ];
  let bits = 0;
  for (let i = 0; i < x.length; i++) for (let rest = x[i]! ^ y[i]!; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
