import { type DType, dtypes, integerRange, isFloat } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import * as kind from "./argument-kinds.ts";
import { checked, takes } from "./signature.ts";

/** What a floating-point dtype can hold. */
export interface FloatInfo {
  readonly dtype: DType;
  readonly bits: number;
  /** The largest finite number; the smallest is `min`, its negative. */
  readonly max: number;
  readonly min: number;
  /** How far the next number after 1 is from it. */
  readonly eps: number;
  /** The smallest positive number with all its digits. */
  readonly tiny: number;
  /** As `tiny`. */
  readonly smallestNormal: number;
  /** 10 to the power of minus the decimal digits that are certain. */
  readonly resolution: number;
}

/** What an integer dtype can hold. */
export interface IntegerInfo {
  readonly dtype: DType;
  readonly bits: number;
  readonly min: number;
  readonly max: number;
}

/** Digits of the significand behind the point, the largest power of two, and `resolution`'s power of ten. */
const layouts: { readonly [D in DType]?: readonly [digits: number, exponent: number, decimals: number] } = {
  f64: [52, 1023, 15],
  f32: [23, 127, 6],
  bf16: [7, 127, 2],
  f16: [10, 15, 3],
};

const signature = takes({ dtype: kind.dtype });

/**
 * Limits of a floating-point dtype: `finfo("f32").min` fills masked scores.
 *
 * Throws `DTypeError` for integers and bool.
 * Source: `torch.finfo`. Example: `scores.maskedFill(mask.logicalNot(), finfo(scores.dtype).min)`.
 */
export const finfo = checked("finfo", signature, (dtype: DType): FloatInfo => {
  const layout = layouts[dtype];
  if (layout === undefined)
    throw new DTypeError(`finfo: ${dtype} is not a floating-point dtype; use iinfo() for integers`);
  const [digits, exponent, decimals] = layout;
  const eps = 2 ** -digits;
  const max = (2 - eps) * 2 ** exponent;
  const tiny = 2 ** (1 - exponent);
  return {
    dtype,
    bits: 8 * dtypes[dtype].bytes,
    max,
    min: -max,
    eps,
    tiny,
    smallestNormal: tiny,
    resolution: 10 ** -decimals,
  };
});

/**
 * Limits of an integer dtype.
 *
 * Throws `DTypeError` for floating-point dtypes and bool.
 * Source: `torch.iinfo`. Example: `iinfo("i32").max` is 2147483647.
 */
export const iinfo = checked("iinfo", signature, (dtype: DType): IntegerInfo => {
  const range = integerRange(dtype);
  if (range === null)
    throw new DTypeError(
      `iinfo: ${dtype} is not an integer dtype${isFloat(dtype) ? "; use finfo() for floating point" : ""}`,
    );
  return { dtype, bits: 8 * dtypes[dtype].bytes, min: range[0], max: range[1] };
});
