import { type DType, dtypes, readElement, type TypedArray, writeElement } from "../base/dtype.ts";

/**
 * Sums arrays of one dtype, element by element and in their order: what a sum over ranks is, which kernels must give the
 * same bits of. Each addition is rounded to the dtype, and of those that only store (bf16, f16, i8) the whole sum once.
 */
export function sumInOrder(arrays: readonly TypedArray[], into: TypedArray, dtype: DType): void {
  const round = dtype === "f64" ? (x: number) => x : dtypes[dtype].float ? Math.fround : (x: number) => x | 0;
  for (let i = 0; i < into.length; i++) {
    let sum = readElement(dtype, arrays[0]!, i);
    for (let n = 1; n < arrays.length; n++) sum = round(sum + readElement(dtype, arrays[n]!, i));
    writeElement(dtype, into, i, sum);
  }
}
