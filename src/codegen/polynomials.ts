import type { Expr } from "../lowered/ir.ts";
import type { ExprArithmetic, ExprLanes } from "./expr-lanes.ts";

/**
 * Functions of f32 vectors as polynomials. Reductions and polynomials of exp, log, tanh, sin and cos are those of
 * Cephes (Moshier), single precision; erf's were fitted by Lawson's iteration (reweighted least squares), erfc's
 * interpolates at Chebyshev nodes.
 * Errors against f64, over every 19th bit pattern of an f32 (test/codegen/functions.ts has a thinner sweep), in units
 * of the last place: exp 1, log 0.9, expm1 1.7, log1p 1.5, sin and cos 1.6, tanh 1.4, sigmoid 2.4, erf 2.6, erfc 4.3. pow, over
 * 600,000 pairs: 0.6.
 */

/** A polynomial by Horner's rule, the highest coefficient first. */
export function polynomial(v: ExprArithmetic, x: Expr, coefficients: readonly number[]): Expr {
  const [first, ...rest] = coefficients;
  return rest.reduce((sum: Expr, c) => v.mulAdd(sum, x, v.k(c)), v.k(first!));
}

/** The magnitude of a non-negative number with the sign of another. */
const signed = (v: ExprLanes, magnitude: Expr, sign: Expr): Expr =>
  v.or(magnitude, v.and(sign, v.bits(0x80000000)));

/** 1.5 · 2^23: what is added to it is rounded to an integer, which is then in the low bits. */
const rounder = 12582912;
const rounderBits = 0x4b400000;

/** x as n · ln 2 + r: e^r - 1, and n as an integer. x must be within about ±104. */
function reduceExp(v: ExprLanes, x: Expr): { less1: Expr; n: Expr } {
  const shifted = v.keep(v.mulAdd(x, v.k(Math.LOG2E), v.k(rounder)));
  const n = v.keep(v.sub(shifted, v.k(rounder)));
  // ln 2 in two parts, of which the first times n is exact.
  const r = v.keep(v.mulSub(n, v.k(-2.1219444e-4), v.mulSub(n, v.k(0.693359375), x)));
  return { less1: expLess1(v, r), n: v.keep(v.subBits(shifted, v.bits(rounderBits))) };
}

/** e^r - 1 of what is left of an exponent. */
function expLess1(v: ExprLanes, r: Expr): Expr {
  const p = polynomial(
    v,
    r,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
  );
  return v.keep(v.mulAdd(v.mul(p, r), r, r));
}

/** 2^n as an f32. */
const powerOf2 = (v: ExprLanes, n: Expr): Expr => v.shl(v.addBits(n, v.bits(127)), 23);

/** p · 2^n in two steps, so that results may be subnormal or overflow. */
function scale(v: ExprLanes, p: Expr, n: Expr): Expr {
  const half = v.keep(v.shrSigned(n, 1));
  return v.mul(v.mul(p, powerOf2(v, half)), powerOf2(v, v.subBits(n, half)));
}

const clamp = (v: ExprLanes, x: Expr, low: number, high: number): Expr =>
  v.keep(v.atMost(v.atLeast(x, v.k(low)), v.k(high)));

function exp(v: ExprLanes, x: Expr): Expr {
  const { less1, n } = reduceExp(v, clamp(v, x, -104, 89));
  return scale(v, v.add(less1, v.k(1)), n);
}

/** exp of what is not positive. What would be below 2^-126 is 0, as it is exactly for -Infinity; a NaN stays one. */
export function expNegative(v: ExprLanes, x: Expr): Expr {
  // From -87.7 down n is -127, whose power of two has the bits of 0.
  const { less1, n } = reduceExp(v, v.keep(v.atLeast(x, v.k(-88))));
  return v.mul(v.add(less1, v.k(1)), powerOf2(v, n));
}

/** 2^n · (e^r - 1) + (2^n - 1), exact in what would cancel; for large x, exp. */
function expm1(v: ExprLanes, x: Expr): Expr {
  const { less1, n } = reduceExp(v, clamp(v, x, -60, 89));
  const large = v.keep(scale(v, v.add(less1, v.k(1)), n));
  const power = v.keep(powerOf2(v, n));
  const small = v.keep(v.mulAdd(power, less1, v.sub(power, v.k(1))));
  const result = v.where(v.gt(x, v.k(20)), large, small);
  return signed(v, v.abs(result), x);
}

function log(v: ExprLanes, x: Expr): Expr {
  const tiny = v.keep(v.lt(x, v.k(2 ** -126)));
  const scaled = v.keep(v.where(tiny, v.mul(x, v.k(2 ** 23)), x));
  // Bits of sqrt(1/2): the mantissa is then from sqrt(1/2) to sqrt(2).
  const shifted = v.keep(v.subBits(scaled, v.bits(0x3f3504f3)));
  const exponent = v.shrSigned(shifted, 23);
  const e = v.keep(v.toFloat(v.subBits(exponent, v.and(tiny, v.bits(23)))));
  const mantissa = v.addBits(v.and(shifted, v.bits(0x7fffff)), v.bits(0x3f3504f3));
  const r = v.keep(v.sub(mantissa, v.k(1)));
  const square = v.keep(v.mul(r, r));
  const p = polynomial(
    v,
    r,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const low = v.mulAdd(v.mul(p, r), square, v.mul(e, v.k(-2.1219444e-4)));
  const sum = v.add(v.add(r, v.mulSub(square, v.k(0.5), low)), v.mul(e, v.k(0.693359375)));
  const finite = v.keep(v.where(v.lt(x, v.k(Number.POSITIVE_INFINITY)), sum, x));
  const positive = v.keep(v.where(v.lt(x, v.k(0)), v.k(Number.NaN), finite));
  return v.where(v.eq(x, v.k(0)), v.k(Number.NEGATIVE_INFINITY), positive);
}

/** log of u = 1 + x rounded, and what the rounding lost. */
function log1p(v: ExprLanes, x: Expr): Expr {
  const u = v.keep(v.add(x, v.k(1)));
  const lost = v.keep(v.div(v.sub(x, v.sub(u, v.k(1))), u));
  const logarithm = v.keep(log(v, u));
  // Of 0 and infinity the loss is not a number, and does not count.
  const sum = v.keep(v.add(logarithm, v.and(lost, v.eq(lost, lost))));
  const isNegative = v.and(x, v.bits(0x80000000));
  return v.or(sum, isNegative);
}

/** 1 / (1 + e^-x), by e^-|x|: neither overflows nor loses small results. */
function sigmoid(v: ExprLanes, x: Expr): Expr {
  const e = v.keep(exp(v, v.keep(v.neg(v.abs(x)))));
  return v.div(v.where(v.lt(x, v.k(0)), e, v.k(1)), v.add(e, v.k(1)));
}

function tanh(v: ExprLanes, x: Expr): Expr {
  const a = v.keep(v.abs(x));
  const square = v.keep(v.mul(a, a));
  const p = polynomial(
    v,
    square,
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
  );
  const small = v.keep(v.mulAdd(v.mul(p, square), a, a));
  const e = v.keep(exp(v, v.keep(v.add(a, a))));
  const large = v.keep(v.sub(v.k(1), v.div(v.k(2), v.add(e, v.k(1)))));
  return signed(v, v.where(v.lt(a, v.k(0.625)), small, large), x);
}

/** erf x is x + x · P(x²) near 0. */
const nearZero = [
  8.51312288432382e-5, -8.175644325092435e-4, 5.203859880566597e-3, -2.686050906777382e-2,
  1.1283715069293976e-1, -3.7612634897232056e-1, 1.2837916612625122e-1,
];
/** (x + 1) · e^(x²) · erfc x from ½ to 10.1, of 1.31 - 3.47 / (x + 1). */
const tail = [
  2.3810280254110694e-5, 1.6458496247651055e-5, -1.6496122407261282e-4, -4.3606857070699334e-4,
  8.087434252956882e-5, 3.7062575574964285e-3, 8.308697491884232e-3, -2.498752251267433e-2,
  -1.6148898005485535e-1, 7.919958233833313e-1,
];

/** Below 0.9 x + x · P(x²); above 1 - e^-g, where g is a polynomial for -log(erfc). From 4 on, 1. */
function erf(v: ExprLanes, x: Expr): Expr {
  const a = v.keep(v.abs(x));
  const square = v.keep(v.mul(a, a));
  const p = polynomial(v, square, nearZero);
  const small = v.keep(v.mulAdd(p, a, a));
  const t = v.keep(v.sub(v.atMost(a, v.k(4)), v.k(2)));
  const g = polynomial(
    v,
    t,
    [
      -1.982197427423671e-4, 6.868542404845357e-4, -3.5534894559532404e-3, 1.6496442258358e-2,
      9.237595200538635e-1, 4.4181599617004395, 5.364941120147705,
    ],
  );
  const { less1, n } = reduceExp(v, v.keep(v.neg(g)));
  const large = v.keep(v.mulSub(v.add(less1, v.k(1)), powerOf2(v, n), v.k(1)));
  return signed(v, v.where(v.lt(a, v.k(0.9)), small, large), x);
}

/**
 * Below ½ 1 - erf, by the same polynomial. Above e^(-x²) / (x + 1) · Q(1 / (x + 1)), where x² is in two parts of which the first is
 * exact: a half unit of x² would be fifty of the result. From 10.1 on it rounds to 0.
 */
function erfc(v: ExprLanes, x: Expr): Expr {
  const square = v.keep(v.mul(x, x));
  const p = polynomial(v, square, nearZero);
  const small = v.keep(v.sub(v.k(1), v.mulAdd(p, x, x)));
  const a = v.keep(v.atMost(v.abs(x), v.k(10.1)));
  const high = v.keep(v.and(a, v.bits(0xfffff000)));
  const exact = v.keep(v.mul(high, high));
  const rest = v.keep(v.mul(v.sub(a, high), v.add(a, high)));
  const shifted = v.keep(v.mulAdd(v.add(exact, rest), v.k(-Math.LOG2E), v.k(rounder)));
  const n = v.keep(v.sub(shifted, v.k(rounder)));
  const r = v.mulSub(n, v.k(-2.1219444e-4), v.mulSub(n, v.k(0.693359375), v.neg(exact)));
  const less1 = expLess1(v, v.keep(v.sub(r, rest)));
  const t = v.keep(v.div(v.k(1), v.add(a, v.k(1))));
  const q = v.mul(polynomial(v, v.keep(v.mulSub(t, v.k(3.46875), v.k(1.3125))), tail), t);
  const count = v.keep(v.subBits(shifted, v.bits(rounderBits)));
  const large = v.keep(scale(v, v.keep(v.mul(v.add(less1, v.k(1)), q)), count));
  const whole = v.where(v.lt(x, v.k(0)), v.sub(v.k(2), large), large);
  return v.where(v.lt(v.abs(x), v.k(0.5)), small, whole);
}

/** Functions of one f32 vector; it is used more than once. */
export const polynomials = { exp, expm1, log, log1p, sigmoid, tanh, erf, erfc };
