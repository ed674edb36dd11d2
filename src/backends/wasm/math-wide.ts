import type { FunctionBuilder } from "./emitter.ts";
import { Vectors } from "./math-f32.ts";

type Code = () => void;

/** 1.5 · 2^52: what is added to it is rounded to an integer, which is then in the low bits. */
const rounder = 6755399441055744;

/** Lanes beyond this are reduced by the imported function. */
export const largestAngle = 1e6;

const number =
  (v: Vectors, value: number): Code =>
  () =>
    v.f.f64x2(value);
const wide = (v: Vectors, name: string, ...operands: Code[]): Code => v.op(`f64x2.${name}`, ...operands);

/** Both halves of an f32 vector in f64. */
function halves(v: Vectors, x: Code): [Code, Code] {
  const high = () => {
    x();
    x();
    v.f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
  };
  return [v.keep(v.op("f64x2.promote_low_f32x4", x)), v.keep(v.op("f64x2.promote_low_f32x4", high))];
}

/** Two halves in f64 back in one f32 vector. */
const join =
  (v: Vectors, low: Code, high: Code): Code =>
  () => {
    v.op("f32x4.demote_f64x2_zero", low)();
    v.op("f32x4.demote_f64x2_zero", high)();
    v.f.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  };

/**
 * sin or cos of |x| up to `largestAngle`, by Cephes' polynomials (single precision). The multiple of π/2 is taken off
 * in f64, with π/2 in two parts of which the first times 2^20 is exact: what is left has full relative precision.
 */
export function emitSine(f: FunctionBuilder, name: "sin" | "cos", a: number): void {
  const v = new Vectors(f);
  const x = v.of(a);
  const parts = halves(v, x).map((half) => {
    const shifted = v.keep(wide(v, "add", wide(v, "mul", half, number(v, 2 / Math.PI)), number(v, rounder)));
    const count = v.keep(wide(v, "sub", shifted, number(v, rounder)));
    const first = wide(v, "sub", half, wide(v, "mul", count, number(v, 1.5707963267341256)));
    return {
      shifted,
      rest: v.keep(wide(v, "sub", first, wide(v, "mul", count, number(v, 6.077100506506192e-11)))),
    };
  });
  const [low, high] = parts as [(typeof parts)[0], (typeof parts)[0]];
  const r = v.keep(join(v, low.rest, high.rest));
  const quadrants = v.keep(() => {
    low.shifted();
    high.shifted();
    f.shuffle([0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]);
  });
  const quadrant = name === "sin" ? quadrants : v.keep(v.op("i32x4.add", quadrants, v.bits(1)));
  const square = v.keep(v.mul(r, r));
  const sinP = v.polynomial(square, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
  const cosP = v.polynomial(square, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]);
  const sine = v.keep(v.add(v.mul(v.mul(sinP, square), r), r));
  const cosine = v.keep(v.add(v.sub(v.mul(v.mul(cosP, square), square), v.mul(square, v.k(0.5))), v.k(1)));
  const isCosine = v.op("i32x4.ne", v.op("v128.and", quadrant, v.bits(1)), v.bits(0));
  const sign = v.shift("shl", v.op("v128.and", quadrant, v.bits(2)), 30);
  const result = v.op("v128.xor", v.where(isCosine, cosine, sine), sign);
  if (name === "cos") result();
  else {
    // Tiny angles are their own sines, and keep the sign of a zero.
    const kept = v.keep(result);
    v.where(v.op("lt", v.op("abs", x), v.k(2 ** -13)), x, kept)();
  }
}

/** log2 of a positive f64 vector, to about 2^-40 of the result; the vector comes from f32, so it is not subnormal. */
function log2(v: Vectors, x: Code): Code {
  const root = BigInt("0x3fe6a09e667f3bcd");
  const words: [number, number, number, number] = [
    Number(root & 0xffffffffn),
    Number(root >> 32n),
    Number(root & 0xffffffffn),
    Number(root >> 32n),
  ];
  const base: Code = () => v.f.v128(words);
  const shifted = v.keep(v.op("i64x2.sub", x, base));
  const mantissa = v.keep(
    v.op(
      "i64x2.add",
      v.op("v128.and", shifted, () => v.f.v128([-1, 0xfffff, -1, 0xfffff])),
      base,
    ),
  );
  // The exponent is the high word, shifted.
  const exponent: Code = () => {
    shifted();
    shifted();
    v.f.shuffle([4, 5, 6, 7, 12, 13, 14, 15, 4, 5, 6, 7, 12, 13, 14, 15]);
    v.f.i32(20);
    v.f.op("i32x4.shr_s", "f64x2.convert_low_i32x4_s");
  };
  const s = v.keep(
    wide(v, "div", wide(v, "sub", mantissa, number(v, 1)), wide(v, "add", mantissa, number(v, 1))),
  );
  const square = v.keep(wide(v, "mul", s, s));
  // 2 · artanh(s) in units of ln 2.
  const series = [15, 13, 11, 9, 7, 5, 3, 1].map((n) => 2 / n / Math.LN2);
  return wide(v, "add", wide(v, "mul", polynomial(v, square, series), s), exponent);
}

function polynomial(v: Vectors, x: Code, [first, ...rest]: readonly number[]): Code {
  return rest.reduce(
    (sum: Code, c) => wide(v, "add", wide(v, "mul", sum, x), number(v, c)),
    number(v, first!),
  );
}

/** 2^x of an f64 vector from -300 to 300. */
function exp2(v: Vectors, x: Code): Code {
  const shifted = v.keep(wide(v, "add", x, number(v, rounder)));
  const r = v.keep(wide(v, "sub", x, wide(v, "sub", shifted, number(v, rounder))));
  let factor = 1;
  const series = [1, ...Array.from({ length: 10 }, (_, n) => (factor *= Math.LN2 / (n + 1)))].reverse();
  const power: Code = () => {
    shifted();
    v.f.v128([1023, 0, 1023, 0]);
    v.f.op("i64x2.add");
    v.f.i32(52);
    v.f.op("i64x2.shl");
  };
  return wide(v, "mul", polynomial(v, r, series), power);
}

/** |x|^y in f64: 2^(y · log2|x|), clamped to what certainly is 0 or infinite in f32. */
function positivePower(v: Vectors, x: Code, y: Code): Code {
  const a = v.keep(wide(v, "abs", x));
  const ordinary = v.keep(log2(v, a));
  const finite = v.keep(v.where(wide(v, "lt", a, number(v, Number.POSITIVE_INFINITY)), ordinary, a));
  const logarithm = v.where(wide(v, "eq", a, number(v, 0)), number(v, Number.NEGATIVE_INFINITY), finite);
  const product = wide(v, "mul", y, logarithm);
  const clamped = v.keep(wide(v, "pmin", wide(v, "pmax", product, number(v, -300)), number(v, 300)));
  return v.keep(exp2(v, clamped));
}

/** Leaves a to the power b on the stack, as C's pow has it in all special cases. */
export function emitPolynomialPow(f: FunctionBuilder, a: number, b: number): void {
  const v = new Vectors(f);
  const [x, y] = [v.of(a), v.of(b)];
  const [lowX, highX] = halves(v, x);
  const [lowY, highY] = halves(v, y);
  const size = v.keep(join(v, positivePower(v, lowX, lowY), positivePower(v, highX, highY)));
  const half = v.keep(v.mul(y, v.k(0.5)));
  const isOdd = v.op("v128.and", v.op("eq", v.op("trunc", y), y), v.op("ne", v.op("trunc", half), half));
  const sign = v.op("v128.and", v.op("v128.and", isOdd, x), v.bits(0x80000000));
  const signed = v.keep(v.op("v128.or", size, sign));
  const isRoot = v.op("v128.and", v.op("lt", x, v.k(0)), v.op("ne", v.op("trunc", y), y));
  const bounded = v.op("gt", x, v.k(Number.NEGATIVE_INFINITY));
  const real = v.keep(v.where(v.op("v128.and", isRoot, bounded), v.k(Number.NaN), signed));
  const endless = v.op("eq", v.op("abs", y), v.k(Number.POSITIVE_INFINITY));
  const isOne = v.op(
    "v128.or",
    v.op("v128.or", v.op("eq", y, v.k(0)), v.op("eq", x, v.k(1))),
    v.op("v128.and", v.op("eq", x, v.k(-1)), endless),
  );
  v.where(isOne, v.k(1), real)();
}
