/** The sum of products. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The length of a vector; that of one of zeros counts as a very small one. */
export const lengthOf = (x: ArrayLike<number>): number => Math.max(Math.sqrt(dot(x, x)), 1e-12);

/** The cosine of the angle between two vectors. */
export const cosineOf = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  dot(a, b) / (lengthOf(a) * lengthOf(b));
