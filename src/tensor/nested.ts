import type { DType, TypedArray } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";

/** Elements as nested arrays; a scalar is itself. */
export type Nested = number | boolean | Nested[];

/** Row-major elements as nested arrays. */
export function nested(data: TypedArray, shape: Shape, dtype: DType): Nested {
  let at = 0;
  const level = (axis: number): Nested => {
    if (axis < shape.length) return Array.from({ length: shape[axis]! }, () => level(axis + 1));
    const value = data[at++]!;
    return dtype === "bool" ? value !== 0 : value;
  };
  return level(0);
}
