import type { DType } from "../../base/dtype.ts";

/** An access within one outer index: a `char *`, strides over (outer, axis, inner) in bytes, and the type of its elements. */
export interface Line {
  readonly line: string;
  readonly strides: readonly string[];
  readonly dtype: DType;
  /** The type of a single element in memory. */
  readonly element: string;
}
