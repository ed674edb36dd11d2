// Arithmetic that JavaScript's operators do otherwise. Workers get these as source text: each must need nothing but the
// language's own globals.

/** C's pow: unlike JavaScript's, 1 to any power, and ±1 to an infinite one, is 1. */
export const pow = (a: number, b: number): number =>
  a === 1 || (a === -1 && (b === Number.POSITIVE_INFINITY || b === Number.NEGATIVE_INFINITY)) ? 1 : a ** b;

/** Integer power, wrapping; a negative exponent gives the truncated reciprocal (0 for 0). */
export function integerPower(a: number, b: number): number {
  if (b < 0) return a === 1 ? 1 : a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
  let result = 1;
  for (let base = a, e = b; e > 0; e = Math.floor(e / 2), base = Math.imul(base, base))
    if (e % 2 === 1) result = Math.imul(result, base);
  return result;
}

/** Python's: the remainder has the sign of the divisor. */
export function remainder(a: number, b: number): number {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
}

/** The nearest whole number, of two the even one: JavaScript rounds halves up. */
export function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  const rounded = rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
  // -0.3 rounds to -0, as in IEEE 754.
  return rounded === 0 && x < 0 ? -0 : rounded;
}
