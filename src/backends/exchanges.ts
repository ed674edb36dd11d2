import type { DType, TypedArray } from "../base/dtype.ts";
import type { Exchange, Stretch } from "../plan/plan.ts";

/** How a backend runs the rows of a plan's table, and finds the elements of a buffer. */
export interface Walk {
  /** Runs rows from one on, so many; gives -1, or which of their checks has failed. */
  rows(first: number, count: number): number;
  elements(stretch: Stretch, dtype: DType): TypedArray;
}

/**
 * Runs all rows of a plan, and between them its exchanges with other ranks. Gives -1, or the check that has failed: all
 * checks come after the last exchange. Throws what an exchange throws; nothing has been written by then.
 */
export function walkBetween(exchanges: readonly Exchange[], calls: number, walk: Walk): number {
  let first = 0;
  for (const { at, dtype, parts, into, by } of exchanges) {
    walk.rows(first, at - first);
    first = at;
    by.sum(
      parts.map((part) => walk.elements(part, dtype)),
      walk.elements(into, dtype),
      dtype,
    );
  }
  return walk.rows(first, calls - first);
}
