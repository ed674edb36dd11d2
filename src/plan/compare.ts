import { type Shape, sameShape } from "../base/shape.ts";

/** Pairs of lists, of one length each, that were compared and are not the same: the first at even places. */
export type Pairs = (readonly number[])[];

/** Sizes that were found to be different, by what they are. */
export interface Differences {
  readonly extents: Pairs;
  readonly strides: Pairs;
  /** Counts of elements. */
  readonly counts: Pairs;
}

let noted: Differences | null = null;

/**
 * Has a decision about a graph taken, and notes which sizes it finds to be different: where these are different too in a
 * graph that is else the same but for sizes, and what was the same is, the decision is the same one.
 */
export function noteDifferences<T>(decide: () => T): [T, Differences] {
  const found: Differences = { extents: [], strides: [], counts: [] };
  const before = noted;
  noted = found;
  try {
    return [decide(), found];
  } finally {
    noted = before;
  }
}

/** Lists of different lengths differ whatever the sizes are, as long as those of 1 are the same ones. */
function compare(a: readonly number[], b: readonly number[], pairs: Pairs | undefined): boolean {
  if (sameShape(a, b)) return true;
  if (pairs !== undefined && a.length === b.length) pairs.push(a, b);
  return false;
}

// Whoever decides how a graph is cut into kernels, and in which order they run, compares sizes by these alone, and with 0 and 1.

/** Whether two shapes, or the same parts of two, are equal. */
export const sameExtents = (a: Shape, b: Shape): boolean => compare(a, b, noted?.extents);

/** Whether two lists of strides are equal. */
export const sameStrides = (a: readonly number[], b: readonly number[]): boolean =>
  compare(a, b, noted?.strides);

/** Whether two extents are equal. */
export function sameExtent(a: number, b: number): boolean {
  if (a !== b) noted?.extents.push([a], [b]);
  return a === b;
}

/** Whether two strides are equal. */
export function sameStride(a: number, b: number): boolean {
  if (a !== b) noted?.strides.push([a], [b]);
  return a === b;
}

/** Whether two counts of elements are equal. */
export function sameCount(a: number, b: number): boolean {
  if (a !== b) noted?.counts.push([a], [b]);
  return a === b;
}
