import { isFloat } from "../../base/dtype.ts";
import type { Node } from "../../ir/node.ts";
import {
  add,
  and,
  div,
  eq,
  ge,
  gt,
  isinf,
  log,
  log1p,
  lt,
  maximum,
  minimum,
  mul,
  neg,
  or,
  sqrt,
  square,
  sub,
  where,
} from "./elementwise.ts";
import { constant, floating, meetFloating, type Operand } from "./promote.ts";
import { flat, type Slope, stated } from "./stated.ts";

/** Whether the sign bit of a number is set, that of −0 too. */
export function signbit(x: Node): Node {
  if (!isFloat(x.dtype)) return lt(x, 0);
  return or(lt(x, 0), and(eq(x, 0), lt(div(1, where(eq(x, 0), x, 1)), 0)));
}

/** The magnitude of one number with the sign of another. */
export function copysign(a: Operand, b: Operand): Node {
  const [x, y] = meetFloating("copysign", [a, b]) as [Node, Node];
  const value = where(eq(signbit(x), signbit(y)), x, neg(x));
  const none = eq(x, 0);
  const slope: Slope = (g) => where(none, 0, mul(g, div(value, where(none, 1, x))));
  return stated(value, [x, slope], [y, flat]);
}

// Coefficients of Moshier's Cephes library (atan.c): x + x³ P(x²) / Q(x²) up to 0.66 is right to the last digit of f64.
const P = [
  -0.8750608600031904, -16.157537187333652, -75.00855792314705, -122.88666844901361, -64.85021904942025,
];
const Q = [
  1, 24.858464901423062, 165.02700983169885, 432.88106049129027, 485.3903996359137, 194.5506571482614,
];

const polynomial = (coefficients: readonly number[], z: Node): Node => {
  let y: Node = mul(z, 0);
  for (const [i, c] of coefficients.entries()) y = i === 0 ? add(y, c) : add(mul(y, z), c);
  return y;
};

/** The arc tangent of numbers from 0 to 1. */
function atanOfUnit(x: Node): Node {
  // atan x = π / 4 + atan((x − 1) / (x + 1)) brings the larger half within reach of the polynomial.
  const far = gt(x, 0.66);
  const near = where(far, div(sub(x, 1), add(x, 1)), x);
  const z = mul(near, near);
  const small = add(near, mul(near, div(mul(z, polynomial(P, z)), polynomial(Q, z))));
  return where(far, add(small, Math.PI / 4), small);
}

/** −1 or 1. As a factor it makes |x| with the slope that abs has not at 0, so that odd functions have theirs. */
const signOf = (x: Node): Node => where(signbit(x), constant(-1, x.dtype), constant(1, x.dtype));

/** The arc tangent. */
export function atan(input: Node): Node {
  const x = floating(input);
  const sign = signOf(x);
  const size = mul(x, sign);
  const large = gt(size, 1);
  const unit = atanOfUnit(where(large, div(1, where(large, size, 1)), size));
  const angle = where(large, sub(Math.PI / 2, unit), unit);
  return mul(angle, sign);
}

/** The angle of the point (x, y), from −π to π. */
export function atan2(a: Operand, b: Operand): Node {
  const [y, x] = meetFloating("atan2", [a, b]) as [Node, Node];
  const up = signOf(y);
  const [height, width] = [mul(y, up), mul(x, signOf(x))];
  const [low, high] = [minimum(height, width), maximum(height, width)];
  const none = eq(high, 0);
  // Both infinite are on the diagonal.
  const diagonal = and(isinf(y), isinf(x));
  const ratio = div(where(diagonal, 1, low), where(or(none, diagonal), 1, high));
  const unit = atanOfUnit(where(none, 0, ratio));
  const steep = where(gt(height, width), sub(Math.PI / 2, unit), unit);
  const angle = where(signbit(x), sub(Math.PI, steep), steep);
  const value = mul(angle, up);
  // Where squares overflow or vanish PyTorch's gradient does too, and is 0 where nothing is left of them.
  const scale = (): Node => {
    const squares = add(mul(y, y), mul(x, x));
    const lost = eq(squares, 0);
    return where(lost, 0, div(1, where(lost, 1, squares)));
  };
  return stated(value, [y, (g) => mul(g, mul(x, scale()))], [x, (g) => mul(g, mul(neg(y), scale()))]);
}

/** The arc sine. */
export function asin(input: Node): Node {
  const x = floating(input);
  // Near ±1 the sine of half the angle, √((1 − |x|) / 2), keeps the digits that 1 − x² would lose.
  const sign = signOf(x);
  const size = mul(x, sign);
  const high = ge(size, 0.5);
  const half = sqrt(mul(sub(1, where(high, size, 0.5)), 0.5));
  const low = where(high, 0, size);
  const angle = where(
    high,
    sub(Math.PI / 2, mul(ratioAngle(half, sqrt(sub(1, mul(half, half)))), 2)),
    ratioAngle(low, sqrt(mul(sub(1, low), add(low, 1)))),
  );
  return mul(angle, sign);
}

/** The angle whose sine and cosine are given, of which the sine is the smaller. */
const ratioAngle = (sine: Node, cosine: Node): Node => atanOfUnit(div(sine, cosine));

/** The arc cosine. */
export const acos = (x: Node): Node => sub(Math.PI / 2, asin(x));

/** Beyond it the square of a number, more or less 1, is its square. */
const far = 1e8;

/** log 2x, where 2x may be infinite. */
const logOfTwice = (x: Node): Node => add(log(x), Math.LN2);

/** The inverse of the hyperbolic sine. */
export function asinh(input: Node): Node {
  const x = floating(input);
  const sign = signOf(x);
  const size = mul(x, sign);
  const isFar = gt(size, far);
  const near = where(isFar, 1, size);
  const squared = mul(near, near);
  const result = log1p(add(near, div(squared, add(sqrt(add(squared, 1)), 1))));
  const value = mul(where(isFar, logOfTwice(where(isFar, size, 1)), result), sign);
  return stated(value, [x, (g) => div(g, sqrt(add(square(x), 1)))]);
}

/** The inverse of the hyperbolic cosine. */
export function acosh(input: Node): Node {
  const x = floating(input);
  const isFar = gt(x, far);
  const above = sub(where(isFar, 1, x), 1);
  const near = log1p(add(above, sqrt(mul(above, add(above, 2)))));
  const value = where(isFar, logOfTwice(where(isFar, x, 1)), where(lt(x, 1), Number.NaN, near));
  return stated(value, [x, (g) => div(g, sqrt(sub(square(x), 1)))]);
}

/** The inverse of the hyperbolic tangent. */
export function atanh(input: Node): Node {
  const x = floating(input);
  const value = mul(sub(log1p(x), log1p(neg(x))), 0.5);
  return stated(value, [x, (g) => div(g, sub(1, square(x)))]);
}
