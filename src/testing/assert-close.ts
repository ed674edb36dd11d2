import { type DType, isFloat, promoteTypes } from "../base/dtype.ts";
import { ThawError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** How close is close: |actual − expected| ≤ atol + rtol · |expected|. */
export interface Tolerance {
  rtol?: number;
  atol?: number;
  /** Whether NaN equals NaN; default false. */
  equalNan?: boolean;
}

/** PyTorch's tolerances: relative and absolute. */
function defaults(dtype: DType): [rtol: number, atol: number] {
  if (dtype === "f64") return [1e-7, 1e-7];
  if (dtype === "f32") return [1.3e-6, 1e-5];
  if (dtype === "bf16") return [1.6e-2, 1e-5];
  if (dtype === "f16") return [1e-3, 1e-5];
  return [0, 0];
}

/**
 * Throws where two tensors differ in shape, dtype or a value, as `torch.testing.assert_close`; the message says how
 * many elements differ, and where most.
 */
export async function assertClose(
  actual: Tensor,
  expected: Tensor,
  tolerance: Tolerance = {},
): Promise<void> {
  refuseOptions("assertClose", tolerance, { rtol: null, atol: null, equalNan: null });
  const difference = await differenceOf(actual, expected, tolerance);
  if (difference !== null) throw new ThawError(`assertClose: ${difference}`);
}

async function differenceOf(actual: Tensor, expected: Tensor, tolerance: Tolerance): Promise<string | null> {
  if (!sameShape(actual.shape, expected.shape))
    return `the shapes differ: ${shapeText(actual.shape)} and ${shapeText(expected.shape)} (expected)`;
  if (actual.dtype !== expected.dtype)
    return `the dtypes differ: ${actual.dtype} and ${expected.dtype} (expected)`;
  const dtype = promoteTypes(actual.dtype, expected.dtype);
  const [rtol, atol] = isFloat(dtype) ? defaults(dtype) : [0, 0];
  const limit = { rtol: tolerance.rtol ?? rtol, atol: tolerance.atol ?? atol };
  const [a, b] = [await actual.data(), await expected.data()];
  let count = 0;
  let worst = 0;
  let worstExcess = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (x === y || (tolerance.equalNan && Number.isNaN(x) && Number.isNaN(y))) continue;
    const excess = Math.abs(x - y) - (limit.atol + limit.rtol * Math.abs(y));
    if (excess <= 0 && Number.isFinite(y)) continue;
    count++;
    const size = Number.isNaN(excess) ? Number.POSITIVE_INFINITY : excess;
    if (size > worstExcess) [worst, worstExcess] = [i, size];
  }
  if (count === 0) return null;
  return (
    `${count} of ${a.length} elements differ; most at ${indexText(worst, actual.shape)}: ${a[worst]} and ${b[worst]} (expected), ` +
    `allowed are ${limit.atol} + ${limit.rtol} · |expected|`
  );
}

/** A position in row-major order as one index a dimension. */
export function indexText(position: number, shape: readonly number[]): string {
  const index: number[] = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    index.unshift(position % shape[i]!);
    position = Math.floor(position / shape[i]!);
  }
  return `[${index.join(", ")}]`;
}
