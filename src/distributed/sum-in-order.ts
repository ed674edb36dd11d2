import { type DType, dtypes, readElement, type TypedArray, writeElement } from "../base/dtype.ts";

/**
 * Sums elements `from` up to `to` of some arrays of one dtype, in the order of the arrays, into one of them or another.
 * Each addition is rounded to the dtype, and of those that only store (bf16, f16, i8) the whole sum once: the bits do not
 * depend on who adds which elements.
 */
export function sumInOrder(
  arrays: readonly TypedArray[],
  into: TypedArray,
  dtype: DType,
  from: number,
  to: number,
): void {
  const [first, second] = arrays;
  if (arrays.length === 2 && dtypes[dtype].compute) {
    // The array that it goes to rounds.
    for (let i = from; i < to; i++) into[i] = first![i]! + second![i]!;
    return;
  }
  const round = dtype === "f64" ? (x: number) => x : dtypes[dtype].float ? Math.fround : (x: number) => x | 0;
  for (let i = from; i < to; i++) {
    let sum = readElement(dtype, first!, i);
    for (let n = 1; n < arrays.length; n++) sum = round(sum + readElement(dtype, arrays[n]!, i));
    writeElement(dtype, into, i, sum);
  }
}
