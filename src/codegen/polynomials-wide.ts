import type { Expr } from "../lowered/ir.ts";
import type { ExprLanes, ExprWide } from "./expr-lanes.ts";
import { polynomial } from "./polynomials.ts";

/** 1.5 · 2^52: what is added to it is rounded to an integer, which is then in the low bits. */
const rounder = 6755399441055744;

/** `sine` is for angles up to this. */
export const largestAngle = 1e6;

/**
 * sin or cos of |x| up to `largestAngle`, by Cephes' polynomials (single precision). The multiple of π/2 is taken off
 * in f64, with π/2 in two parts of which the first times 2^20 is exact: what is left has full relative precision.
 */
export function sine(v: ExprLanes, name: "sin" | "cos", x: Expr): Expr {
  const w = v.wide;
  const parts = v.widen(x).map((part) => {
    const shifted = w.keep(w.mulAdd(part, w.k(2 / Math.PI), w.k(rounder)));
    const count = w.keep(w.sub(shifted, w.k(rounder)));
    const first = w.mulSub(count, w.k(1.5707963267341256), part);
    return { shifted, rest: w.keep(w.mulSub(count, w.k(6.077100506506192e-11), first)) };
  });
  const r = v.keep(v.narrow(parts.map((p) => p.rest)));
  const quadrants = v.keep(v.lowWords(parts.map((p) => p.shifted)));
  const quadrant = name === "sin" ? quadrants : v.keep(v.addBits(quadrants, v.bits(1)));
  const square = v.keep(v.mul(r, r));
  const sinP = polynomial(v, square, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
  const cosP = polynomial(v, square, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]);
  const sinR = v.keep(v.mulAdd(v.mul(sinP, square), r, r));
  const cosR = v.keep(v.add(v.mulSub(square, v.k(0.5), v.mul(v.mul(cosP, square), square)), v.k(1)));
  const isCosine = v.neBits(v.and(quadrant, v.bits(1)), v.bits(0));
  const sign = v.shl(v.and(quadrant, v.bits(2)), 30);
  const result = v.xor(v.where(isCosine, cosR, sinR), sign);
  if (name === "cos") return result;
  // Tiny angles are their own sines, and keep the sign of a zero.
  const kept = v.keep(result);
  return v.where(v.lt(v.abs(x), v.k(2 ** -13)), x, kept);
}

/** log2 of a positive f64 vector, to about 2^-40 of the result; the vector comes from f32, so it is not subnormal. */
function log2(w: ExprWide, x: Expr): Expr {
  // Bits of sqrt(1/2).
  const root = w.bits(0x3fe6a09e667f3bcdn);
  const shifted = w.keep(w.subBits(x, root));
  const mantissa = w.keep(w.addBits(w.and(shifted, w.bits(0xfffffffffffffn)), root));
  const exponent = w.topBits(shifted);
  const s = w.keep(w.div(w.sub(mantissa, w.k(1)), w.add(mantissa, w.k(1))));
  const square = w.keep(w.mul(s, s));
  // 2 · artanh(s) in units of ln 2.
  const series = [15, 13, 11, 9, 7, 5, 3, 1].map((n) => 2 / n / Math.LN2);
  return w.mulAdd(polynomial(w, square, series), s, exponent);
}

/** 2^x of an f64 vector from -300 to 300. */
function exp2(w: ExprWide, x: Expr): Expr {
  const shifted = w.keep(w.add(x, w.k(rounder)));
  const r = w.keep(w.sub(x, w.sub(shifted, w.k(rounder))));
  let factor = 1;
  const series = [1, ...Array.from({ length: 10 }, (_, n) => (factor *= Math.LN2 / (n + 1)))].reverse();
  const power = w.shl(w.addBits(shifted, w.bits(1023n)), 52);
  return w.mul(polynomial(w, r, series), power);
}

/** |x|^y in f64: 2^(y · log2|x|), clamped to what certainly is 0 or infinite in f32. */
function positivePower(w: ExprWide, x: Expr, y: Expr): Expr {
  const a = w.keep(w.abs(x));
  const ordinary = w.keep(log2(w, a));
  const finite = w.keep(w.where(w.lt(a, w.k(Number.POSITIVE_INFINITY)), ordinary, a));
  const logarithm = w.where(w.eq(a, w.k(0)), w.k(Number.NEGATIVE_INFINITY), finite);
  const product = w.mul(y, logarithm);
  const clamped = w.keep(w.atMost(w.atLeast(product, w.k(-300)), w.k(300)));
  return w.keep(exp2(w, clamped));
}

/** x to the power y, as C's pow has it in all special cases. */
export function power(v: ExprLanes, x: Expr, y: Expr): Expr {
  const [bases, exponents] = [v.widen(x), v.widen(y)];
  const size = v.keep(v.narrow(bases.map((base, i) => positivePower(v.wide, base, exponents[i]!))));
  const half = v.keep(v.mul(y, v.k(0.5)));
  const isOdd = v.and(v.eq(v.trunc(y), y), v.ne(v.trunc(half), half));
  const sign = v.and(v.and(isOdd, x), v.bits(0x80000000));
  const signed = v.keep(v.or(size, sign));
  const isRoot = v.and(v.lt(x, v.k(0)), v.ne(v.trunc(y), y));
  const bounded = v.gt(x, v.k(Number.NEGATIVE_INFINITY));
  const real = v.keep(v.where(v.and(isRoot, bounded), v.k(Number.NaN), signed));
  const endless = v.eq(v.abs(y), v.k(Number.POSITIVE_INFINITY));
  const isOne = v.or(v.or(v.eq(y, v.k(0)), v.eq(x, v.k(1))), v.and(v.eq(x, v.k(-1)), endless));
  return v.where(isOne, v.k(1), real);
}
