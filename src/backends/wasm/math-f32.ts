import type { FunctionBuilder } from "./emitter.ts";

/**
 * Functions of f32 vectors as polynomials, written inline. Reductions and polynomials of exp, log, tanh, sin and cos
 * are those of Cephes (Moshier), single precision; erf's were fitted by Lawson's iteration (reweighted least squares).
 * They multiply and add apart even where a fused instruction exists: the bits are the same with and without.
 * Errors against f64, over every 19th bit pattern of an f32 (test/backends/wasm/math.test.ts has a thinner sweep), in
 * units of the last place: exp 1, log 0.9, expm1 1.7, log1p 1.5, sin and cos 1.6, tanh 1.4, sigmoid 2.4, erf 2.6. pow,
 * over 600,000 pairs: 0.6.
 */

/** Code that leaves a vector on the stack. */
type Code = () => void;

/** Writes expressions over vectors: every function gives code that leaves its result on the stack. */
export class Vectors {
  readonly f: FunctionBuilder;
  constructor(f: FunctionBuilder) {
    this.f = f;
  }

  /** A local as an operand. */
  of(local: number): Code {
    return () => this.f.get(local);
  }
  /** Computes once; the operand may then be used any number of times. */
  keep(code: Code): Code {
    const local = this.f.local("v128");
    code();
    this.f.set(local);
    return () => this.f.get(local);
  }
  /** An f32 in all lanes. */
  k(value: number): Code {
    return () => this.f.f32x4(value);
  }
  /** An i32 in all lanes. */
  bits(value: number): Code {
    return () => this.f.i32x4(value);
  }
  /** An instruction by name, of f32x4 if it has no type. */
  op(name: string, ...operands: readonly Code[]): Code {
    return () => {
      for (const operand of operands) operand();
      this.f.op(name.includes(".") ? name : `f32x4.${name}`);
    };
  }
  add(a: Code, b: Code): Code {
    return this.op("add", a, b);
  }
  sub(a: Code, b: Code): Code {
    return this.op("sub", a, b);
  }
  mul(a: Code, b: Code): Code {
    return this.op("mul", a, b);
  }
  /** Shift by a constant: "shl", "shr_s" or "shr_u". */
  shift(name: string, a: Code, by: number): Code {
    return () => {
      a();
      this.f.i32(by);
      this.f.op(`i32x4.${name}`);
    };
  }
  /** Lanes of a where the mask is set, of b elsewhere. */
  where(mask: Code, a: Code, b: Code): Code {
    return this.op("v128.bitselect", a, b, mask);
  }
  /** The magnitude of a non-negative number with the sign of another. */
  signed(magnitude: Code, sign: Code): Code {
    return this.op("v128.or", magnitude, this.op("v128.and", sign, this.bits(0x80000000)));
  }
  /** A polynomial by Horner's rule, the highest coefficient first. */
  polynomial(x: Code, coefficients: readonly number[]): Code {
    const [first, ...rest] = coefficients;
    return rest.reduce((sum: Code, c) => this.add(this.mul(sum, x), this.k(c)), this.k(first!));
  }
}

/** 1.5 · 2^23: what is added to it is rounded to an integer, which is then in the low bits. */
const rounder = 12582912;
const rounderBits = 0x4b400000;

/** x as n · ln 2 + r: code for e^r - 1, and n as an integer. x must be within about ±104. */
function reduceExp(v: Vectors, x: Code): { less1: Code; n: Code } {
  const shifted = v.keep(v.add(v.mul(x, v.k(Math.LOG2E)), v.k(rounder)));
  const n = v.keep(v.sub(shifted, v.k(rounder)));
  // ln 2 in two parts, of which the first times n is exact.
  const r = v.keep(v.sub(v.sub(x, v.mul(n, v.k(0.693359375))), v.mul(n, v.k(-2.1219444e-4))));
  const p = v.polynomial(
    r,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
  );
  const less1 = v.keep(v.add(v.mul(v.mul(p, r), r), r));
  return { less1, n: v.keep(v.op("i32x4.sub", shifted, v.bits(rounderBits))) };
}

/** 2^n as an f32. */
const powerOf2 = (v: Vectors, n: Code): Code => v.shift("shl", v.op("i32x4.add", n, v.bits(127)), 23);

/** p · 2^n in two steps, so that results may be subnormal or overflow. */
function scale(v: Vectors, p: Code, n: Code): Code {
  const half = v.keep(v.shift("shr_s", n, 1));
  return v.mul(v.mul(p, powerOf2(v, half)), powerOf2(v, v.op("i32x4.sub", n, half)));
}

// pmin and pmax give their first operand if anything is NaN, in one instruction.
const clamp = (v: Vectors, x: Code, low: number, high: number): Code =>
  v.keep(v.op("pmin", v.op("pmax", x, v.k(low)), v.k(high)));

function exp(v: Vectors, x: Code): Code {
  const { less1, n } = reduceExp(v, clamp(v, x, -104, 89));
  return scale(v, v.add(less1, v.k(1)), n);
}

/** 2^n · (e^r - 1) + (2^n - 1), exact in what would cancel; for large x, exp. */
function expm1(v: Vectors, x: Code): Code {
  const { less1, n } = reduceExp(v, clamp(v, x, -60, 89));
  const large = v.keep(scale(v, v.add(less1, v.k(1)), n));
  const power = v.keep(powerOf2(v, n));
  const small = v.keep(v.add(v.mul(power, less1), v.sub(power, v.k(1))));
  const result = v.where(v.op("gt", x, v.k(20)), large, small);
  return v.signed(v.op("abs", result), x);
}

function log(v: Vectors, x: Code): Code {
  const tiny = v.keep(v.op("lt", x, v.k(2 ** -126)));
  const scaled = v.keep(v.where(tiny, v.mul(x, v.k(2 ** 23)), x));
  // Bits of sqrt(1/2): the mantissa is then from sqrt(1/2) to sqrt(2).
  const shifted = v.keep(v.op("i32x4.sub", scaled, v.bits(0x3f3504f3)));
  const exponent = v.shift("shr_s", shifted, 23);
  const e = v.keep(
    v.op("f32x4.convert_i32x4_s", v.op("i32x4.sub", exponent, v.op("v128.and", tiny, v.bits(23)))),
  );
  const mantissa = v.op("i32x4.add", v.op("v128.and", shifted, v.bits(0x7fffff)), v.bits(0x3f3504f3));
  const r = v.keep(v.sub(mantissa, v.k(1)));
  const square = v.keep(v.mul(r, r));
  const p = v.polynomial(
    r,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const low = v.add(v.mul(v.mul(p, r), square), v.mul(e, v.k(-2.1219444e-4)));
  const sum = v.add(v.add(r, v.sub(low, v.mul(square, v.k(0.5)))), v.mul(e, v.k(0.693359375)));
  const finite = v.keep(v.where(v.op("lt", x, v.k(Number.POSITIVE_INFINITY)), sum, x));
  const positive = v.keep(v.where(v.op("lt", x, v.k(0)), v.k(Number.NaN), finite));
  return v.where(v.op("eq", x, v.k(0)), v.k(Number.NEGATIVE_INFINITY), positive);
}

/** log of u = 1 + x rounded, and what the rounding lost. */
function log1p(v: Vectors, x: Code): Code {
  const u = v.keep(v.add(x, v.k(1)));
  const lost = v.keep(v.op("div", v.sub(x, v.sub(u, v.k(1))), u));
  const logarithm = v.keep(log(v, u));
  // Of 0 and infinity the loss is not a number, and does not count.
  const sum = v.keep(v.add(logarithm, v.op("v128.and", lost, v.op("eq", lost, lost))));
  const isNegative = v.op("v128.and", x, v.bits(0x80000000));
  return v.op("v128.or", sum, isNegative);
}

/** 1 / (1 + e^-x), by e^-|x|: neither overflows nor loses small results. */
function sigmoid(v: Vectors, x: Code): Code {
  const e = v.keep(exp(v, v.keep(v.op("neg", v.op("abs", x)))));
  return v.op("div", v.where(v.op("lt", x, v.k(0)), e, v.k(1)), v.add(e, v.k(1)));
}

function tanh(v: Vectors, x: Code): Code {
  const a = v.keep(v.op("abs", x));
  const square = v.keep(v.mul(a, a));
  const p = v.polynomial(
    square,
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
  );
  const small = v.keep(v.add(v.mul(v.mul(p, square), a), a));
  const e = v.keep(exp(v, v.keep(v.add(a, a))));
  const large = v.keep(v.sub(v.k(1), v.op("div", v.k(2), v.add(e, v.k(1)))));
  return v.signed(v.where(v.op("lt", a, v.k(0.625)), small, large), x);
}

/** Below 0.9 x + x · P(x²); above 1 - e^-g, where g is a polynomial for -log(erfc). From 4 on, 1. */
function erf(v: Vectors, x: Code): Code {
  const a = v.keep(v.op("abs", x));
  const square = v.keep(v.mul(a, a));
  const p = v.polynomial(
    square,
    [
      8.51312288432382e-5, -8.175644325092435e-4, 5.203859880566597e-3, -2.686050906777382e-2,
      1.1283715069293976e-1, -3.7612634897232056e-1, 1.2837916612625122e-1,
    ],
  );
  const small = v.keep(v.add(v.mul(p, a), a));
  const t = v.keep(v.sub(v.op("pmin", a, v.k(4)), v.k(2)));
  const g = v.polynomial(
    t,
    [
      -1.982197427423671e-4, 6.868542404845357e-4, -3.5534894559532404e-3, 1.6496442258358e-2,
      9.237595200538635e-1, 4.4181599617004395, 5.364941120147705,
    ],
  );
  const { less1, n } = reduceExp(v, v.keep(v.op("neg", g)));
  const large = v.keep(v.sub(v.k(1), v.mul(v.add(less1, v.k(1)), powerOf2(v, n))));
  return v.signed(v.where(v.op("lt", a, v.k(0.9)), small, large), x);
}

const functions = { exp, expm1, log, log1p, sigmoid, tanh, erf };

/** Leaves a function of an f32 vector on the stack. */
export function emitPolynomial(f: FunctionBuilder, name: keyof typeof functions, a: number): void {
  const v = new Vectors(f);
  functions[name](v, v.of(a))();
}
