import { type DType, dtypes } from "../base/dtype.ts";
import { constant, type KernelBuilder, ops, typeOf } from "../lowered/build.ts";
import type { Cell, Expr, Scalar } from "../lowered/ir.ts";

const { add, and, bits, convert, lt, min, mul, ne, or, select, shl, shr, sub } = ops;

/** How memory holds elements of a dtype. */
export const cellOf = (dtype: DType): Cell => {
  if (dtype === "f32" || dtype === "f64" || dtype === "i32") return dtype;
  return dtypes[dtype].bytes === 1 ? "u8" : "u16";
};

/** What values of a dtype are computed with: u8 is an i32 from 0 to 255. */
export const scalarOfDtype = (dtype: DType): Scalar =>
  dtype === "f32" || dtype === "f64" || dtype === "bool" ? dtype : "i32";

/** A number of a dtype in all lanes. */
export const number = (dtype: DType, lanes: number, value: number): Expr =>
  constant(typeOf(scalarOfDtype(dtype), lanes), dtype === "bool" ? Number(value !== 0) : value);

/** A vector of i32, or of u32, with one number. */
const whole = (like: Expr, value: number): Expr => constant(like.type, value);
const wholeFloat = (like: Expr, value: number): Expr => constant(typeOf("f32", like.type.lanes), value);

/** From what memory holds to what values are: narrow floats are f32. */
export function decode(b: KernelBuilder, dtype: DType, loaded: Expr): Expr {
  if (dtype === "bool") return ne(loaded, whole(loaded, 0));
  if (dtype === "i8") return shr(shl(loaded, whole(loaded, 24)), whole(loaded, 24));
  if (dtype === "bf16") return bits(shl(loaded, whole(loaded, 16)), "f32");
  if (dtype !== "f16") return loaded;
  const half = b.let("half", loaded);
  const magnitude = b.let("magnitude", and(half, whole(half, 0x7fff)));
  // The bits as an f32 that is too small by 2^112, which one exact product puts right.
  const scaled = mul(bits(shl(magnitude, whole(half, 13)), "f32"), wholeFloat(half, 2 ** 112));
  // Infinities and NaNs need the f32's whole exponent.
  const special = bits(lt(whole(half, 0x7bff), magnitude), "i32");
  const sign = shl(and(half, whole(half, 0x8000)), whole(half, 16));
  return bits(or(or(bits(scaled, "i32"), and(special, whole(half, 0x7f800000))), sign), "f32");
}

/** From what values are to what memory holds, each element in the low bits of its lane. */
export function encode(b: KernelBuilder, dtype: DType, value: Expr): Expr {
  if (dtype === "bool") return convert(value, "i32");
  if (dtype === "bf16") return encodeBfloat(b, value);
  return dtype === "f16" ? encodeHalf(b, value) : value;
}

/** Rounds to nearest even by adding just under half of the last bit that stays; NaNs only lose bits. */
function encodeBfloat(b: KernelBuilder, value: Expr): Expr {
  const all = b.let("bits", bits(value, "u32"));
  const k = (n: number) => whole(all, n);
  const high = b.let("high", shr(all, k(16)));
  const rounded = shr(add(add(all, k(0x7fff)), and(high, k(1))), k(16));
  return bits(select(ne(value, value), or(high, k(0x40)), rounded), "i32");
}

/**
 * Rounds to nearest even. Normal halves by integer arithmetic on the bits, as for bf16; subnormal ones by adding 0.5,
 * whose last bit is worth 2^-24; anything from 65520 on carries into infinity's bits, and what is larger is capped.
 */
function encodeHalf(b: KernelBuilder, value: Expr): Expr {
  const all = b.let("bits", bits(value, "i32"));
  const k = (n: number) => whole(all, n);
  const logical = (a: Expr, by: number) =>
    bits(shr(bits(a, "u32"), constant(typeOf("u32", a.type.lanes), by)), "i32");
  // Bits of positive floats are in the order of the floats; the minimum of integers keeps NaNs out of the arithmetic.
  const capped = b.let("capped", min(and(all, k(0x7fffffff)), k(0x47800000)));
  const subnormal = sub(bits(add(bits(capped, "f32"), wholeFloat(all, 0.5)), "i32"), k(0x3f000000));
  // 0xc8000000 is -112 in the exponent.
  const rounding = add(add(capped, k(0xc8000fff | 0)), and(logical(capped, 13), k(1)));
  const magnitude = select(lt(capped, k(0x38800000)), subnormal, logical(rounding, 13));
  const finite = or(magnitude, and(logical(all, 16), k(0x8000)));
  return select(ne(value, value), k(0x7e00), finite);
}
