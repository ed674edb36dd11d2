import { isFloat } from "../../base/dtype.ts";
import { DTypeError } from "../../base/errors.ts";
import { cast } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { eq, ge, gt, isnan, mul, or, pow, refuseIntegerOperands, sub, where } from "./elementwise.ts";
import { integerQuotient } from "./integer-division.ts";
import { logaddexp } from "./logarithmic.ts";
import { computeDtype, meet, meetFloating, meetIn, type Operand, resultDtype } from "./promote.ts";

/** The larger of two; a NaN only if both are. */
export const fmax = (a: Operand, b: Operand): Node => apart("fmax", a, b, (x, y) => ge(x, y));
/** The smaller of two; a NaN only if both are. */
export const fmin = (a: Operand, b: Operand): Node => apart("fmin", a, b, (x, y) => ge(y, x));

function apart(op: string, a: Operand, b: Operand, first: (x: Node, y: Node) => Node): Node {
  const [x, y] = meet(op, [a, b]) as [Node, Node];
  return where(or(first(x, y), isnan(y)), x, y);
}

/** log₂(2ᵃ + 2ᵇ) without overflow. */
export function logaddexp2(a: Operand, b: Operand): Node {
  refuseIntegerOperands("logaddexp2", [a, b]);
  const [x, y] = meetFloating("logaddexp2", [a, b]) as [Node, Node];
  return mul(logaddexp(mul(x, Math.LN2), mul(y, Math.LN2)), Math.LOG2E);
}

/** a to the power of b in f64, whatever they are. */
export function floatPower(a: Operand, b: Operand): Node {
  const wide = (x: Operand): Operand => (typeof x === "object" ? cast(x, "f64") : x);
  const [x, y] = meetIn("f64", "floatPower", [wide(a), wide(b)]) as [Node, Node];
  return pow(x, y);
}

/** 0 where negative, 1 where positive, and another value where it is 0. */
export function heaviside(a: Operand, atZero: Operand): Node {
  const [x, y] = meet("heaviside", [a, atZero]) as [Node, Node];
  const step = cast(gt(x, 0), x.dtype);
  return node("detach", [where(eq(x, 0), y, step)], {});
}

/** b − alpha · a. */
export const rsub = (a: Node, b: Operand, alpha: Operand): Node => sub(b, a, alpha);

/** The greatest common divisor of integers. */
export function gcd(a: Operand, b: Operand): Node {
  const dtype = computeDtype(resultDtype([a, b]));
  if (isFloat(dtype) || dtype === "bool") throw new DTypeError(`gcd: takes integers, not ${dtype}`);
  let [x, y] = meet("gcd", [a, b]) as [Node, Node];
  x = node("abs", [x], {});
  y = node("abs", [y], {});
  // Euclid's steps: no two numbers below 2³¹ need more than 46 of them.
  for (let i = 0; i < 46; i++) {
    const done = eq(y, 0);
    [x, y] = [where(done, x, y), where(done, 0, node("remainder", [x, where(done, 1, y)], {}))];
  }
  return x;
}

/** The smallest number that both of two integers divide. */
export function lcm(a: Operand, b: Operand): Node {
  const divisor = gcd(a, b);
  const [x, y] = meet("lcm", [a, b]) as [Node, Node];
  const none = eq(divisor, 0);
  const quotient = integerQuotient(x, where(none, 1, divisor), "floor");
  return where(none, 0, node("abs", [mul(quotient, y)], {}));
}
