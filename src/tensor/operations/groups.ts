import { type Shape, sizeOf } from "../../base/shape.ts";

/** Which slices of values are equal: a member of each group, how many there are, and the group of each slice. */
export interface Groups {
  readonly firsts: number[];
  readonly counts: number[];
  readonly inverse: number[];
}

/**
 * Groups of equal slices along an axis, in the order of their elements, or, not sorted, of equal neighbours. A NaN is equal
 * to nothing, and comes last.
 */
export function groups(values: ArrayLike<number>, shape: Shape, axis: number, sorted: boolean): Groups {
  const count = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const compare = (a: number, b: number): number => {
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        const x = values[(o * count + a) * inner + i]!;
        const y = values[(o * count + b) * inner + i]!;
        if (x !== y) return Number.isNaN(x) ? 1 : Number.isNaN(y) || x < y ? -1 : 1;
      }
    return 0;
  };
  const order = Array.from({ length: count }, (_, i) => i);
  // Two NaN are in the order in which they were; compare() alone would have each of them after the other.
  if (sorted) order.sort((a, b) => (compare(a, b) === compare(b, a) ? a - b : compare(a, b)));
  const found: Groups = { firsts: [], counts: [], inverse: new Array<number>(count) };
  for (const [i, k] of order.entries()) {
    if (i === 0 || compare(order[i - 1]!, k) !== 0) {
      found.firsts.push(k);
      found.counts.push(0);
    }
    found.counts[found.counts.length - 1]!++;
    found.inverse[k] = found.firsts.length - 1;
  }
  return found;
}
