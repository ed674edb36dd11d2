import { cast, filled, filledLike } from "../../autodiff/build.ts";
import { type DType, isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { type Shape, shapeText } from "../../base/shape.ts";
import { type Node, node } from "../../ir/node.ts";
import type { Op, OpAttrs } from "../../ir/op.ts";
import {
  broadcastShape,
  broadcastTo,
  computeDtype,
  constant,
  floating,
  meet,
  meetFloating,
  meetNumeric,
  numeric,
  type Operand,
  resultDtype,
  widen,
} from "./promote.ts";

/** Elementwise functions of nodes, with PyTorch's promotion and broadcasting. */

/** The primitives without attributes. */
export type Plain = { [K in Op]: Record<never, never> extends OpAttrs[K] ? K : never }[Op];

const make = (op: Plain, ...src: Node[]): Node => node(op, src, {});

const refuseBool = (op: string, x: Operand, instead: string): void => {
  if (typeof x === "object" ? x.dtype === "bool" : typeof x === "boolean")
    throw new DTypeError(`${op}: a bool tensor has no ${op}; ${instead}`);
};

// Arithmetic.

/** a + alpha · b; of two bools, their or. */
export function add(a: Operand, b: Operand, alpha = 1): Node {
  const right = alpha === 1 ? b : mul(b, alpha);
  const [x, y] = meet("add", [a, right]) as [Node, Node];
  return make(x.dtype === "bool" ? "or" : "add", x, y);
}

/** a − alpha · b. */
export function sub(a: Operand, b: Operand, alpha = 1): Node {
  refuseBool("sub", a, "use logicalXor or logicalNot");
  refuseBool("sub", b, "use logicalXor or logicalNot");
  const right = alpha === 1 ? b : mul(b, alpha);
  const [x, y] = meet("sub", [a, right]) as [Node, Node];
  return make("sub", x, y);
}

/** a · b; of two bools, their and. */
export function mul(a: Operand, b: Operand): Node {
  const [x, y] = meet("mul", [a, b]) as [Node, Node];
  return make(x.dtype === "bool" ? "and" : "mul", x, y);
}

/** How `div` rounds: not at all, towards zero, or down. */
export type RoundingMode = "trunc" | "floor" | null;

/** a / b, in floating point; with a rounding mode, integers stay integers. */
export function div(a: Operand, b: Operand, roundingMode: RoundingMode = null): Node {
  if (roundingMode === null) {
    const [x, y] = meetFloating("div", [a, b]) as [Node, Node];
    return make("div", x, y);
  }
  const [x, y] = meetNumeric("div", [a, b]) as [Node, Node];
  if (isFloat(x.dtype)) {
    if (roundingMode === "trunc") return trunc(make("div", x, y));
    // By way of the remainder, so that a quotient that rounds up to a whole number does not come out one too large.
    return make("round", make("div", make("sub", x, make("remainder", x, y)), y));
  }
  // Exact in f64, which holds every i32.
  const [p, q] = [cast(x, "f64"), cast(y, "f64")];
  const quotient = make("div", p, q);
  return cast(roundingMode === "trunc" ? trunc(quotient) : make("floor", quotient), x.dtype);
}

/** ⌊a / b⌋. */
export const floorDivide = (a: Operand, b: Operand): Node => div(a, b, "floor");

/** The remainder with the sign of the divisor, as Python's %. */
export function remainder(a: Operand, b: Operand): Node {
  const [x, y] = meetNumeric("remainder", [a, b]) as [Node, Node];
  return make("remainder", x, y);
}

/** The remainder with the sign of the dividend, as C's fmod. */
export function fmod(a: Operand, b: Operand): Node {
  const [x, y] = meetNumeric("fmod", [a, b]) as [Node, Node];
  const size = make("remainder", make("abs", x), make("abs", y));
  return make("mul", size, make("sign", x));
}

/** a to the power of b. */
export function pow(a: Operand, b: Operand): Node {
  if (typeof a === "object" && b === 2) return square(a);
  if (typeof a === "object" && b === 1) return numeric(a);
  if (typeof a === "object" && b === 0.5) return make("sqrt", floating(a));
  const [x, y] = meetNumeric("pow", [a, b]) as [Node, Node];
  if (!isFloat(x.dtype) && typeof b === "number" && b < 0)
    throw new ArgumentError(`pow: an integer tensor to the power of ${b}; cast it to f32 first`);
  return make("pow", x, y);
}

/** a² as one product. */
export function square(a: Node): Node {
  const x = numeric(a);
  return make("mul", x, x);
}

/** 1 / a. */
export const reciprocal = (a: Node): Node => div(1, a);

/** −a. */
export function neg(a: Node): Node {
  refuseBool("neg", a, "use logicalNot");
  return make("neg", widen(a));
}

/** |a|. */
export const abs = (a: Node): Node => make("abs", numeric(a));
/** −1, 0 or 1. */
export const sign = (a: Node): Node => make("sign", numeric(a));

/** Elementwise larger of two; NaN if either is. */
export const maximum = (a: Operand, b: Operand): Node => extremum("max", "maximum", a, b);
/** Elementwise smaller of two; NaN if either is. */
export const minimum = (a: Operand, b: Operand): Node => extremum("min", "minimum", a, b);

function extremum(op: "max" | "min", name: string, a: Operand, b: Operand): Node {
  const [x, y] = meet(name, [a, b]) as [Node, Node];
  if (x.dtype === "bool") return make(op === "max" ? "or" : "and", x, y);
  return make(op, x, y);
}

/** a + weight · (b − a). */
export function lerp(a: Operand, b: Operand, weight: Operand): Node {
  const [x, y, w] = meetFloating("lerp", [a, b, weight]) as [Node, Node, Node];
  return make("add", x, make("mul", w, make("sub", y, x)));
}

/** a + value · b · c. */
export const addcmul = (a: Operand, b: Operand, c: Operand, value = 1): Node => add(a, mul(mul(b, c), value));
/** a + value · b / c. */
export const addcdiv = (a: Operand, b: Operand, c: Operand, value = 1): Node => add(a, mul(div(b, c), value));

/** log(eᵃ + eᵇ) without overflow. */
export function logaddexp(a: Operand, b: Operand): Node {
  const [x, y] = meetFloating("logaddexp", [a, b]) as [Node, Node];
  const top = node("detach", [make("max", x, y)], {});
  // Two equal infinities would subtract to NaN.
  const shift = where(isfinite(top), top, 0);
  return add(log(add(exp(sub(x, shift)), exp(sub(y, shift)))), shift);
}

/** a · log b, and 0 where a is 0. */
export function xlogy(a: Operand, b: Operand): Node {
  const [x, y] = meetFloating("xlogy", [a, b]) as [Node, Node];
  const none = and(make("eq", x, filledLike(0, x)), not(isnan(y)));
  return where(none, 0, mul(x, make("log", where(none, 1, y))));
}

/** √(a² + b²). */
export const hypot = (a: Operand, b: Operand): Node => {
  const [x, y] = meetFloating("hypot", [a, b]) as [Node, Node];
  return make("sqrt", make("add", make("mul", x, x), make("mul", y, y)));
};

// Rounding.

const rounding = (op: "floor" | "ceil" | "round", a: Node): Node => {
  const x = numeric(a);
  return isFloat(x.dtype) ? make(op, x) : x;
};

/** The next whole number down. */
export const floor = (a: Node): Node => rounding("floor", a);
/** The next whole number up. */
export const ceil = (a: Node): Node => rounding("ceil", a);
/** To nearest, halves to even; with `decimals`, of decimal digits. */
export function round(a: Node, decimals = 0): Node {
  if (decimals === 0) return rounding("round", a);
  const scale = 10 ** Math.abs(decimals);
  return decimals > 0
    ? div(rounding("round", mul(a, scale)), scale)
    : mul(rounding("round", div(a, scale)), scale);
}
/** Towards zero. */
export function trunc(a: Node): Node {
  const x = numeric(a);
  return isFloat(x.dtype) ? where(lt(x, 0), make("ceil", x), make("floor", x)) : x;
}
/** What `trunc` leaves. */
export const frac = (a: Node): Node => sub(a, trunc(a));

// Functions.

const unary =
  (op: Plain) =>
  (a: Node): Node =>
    make(op, floating(a));

/** √a. */
export const sqrt = unary("sqrt");
/** 1 / √a. */
export const rsqrt = (a: Node): Node => div(1, sqrt(a));
/** eᵃ. */
export const exp = unary("exp");
/** 2ᵃ. */
export const exp2 = (a: Node): Node => pow(2, floating(a));
/** The natural logarithm. */
export const log = unary("log");
/** The logarithm to base 2. */
export const log2 = (a: Node): Node => mul(log(a), Math.LOG2E);
/** The logarithm to base 10. */
export const log10 = (a: Node): Node => mul(log(a), Math.LOG10E);
/** log(1 + a), exact near 0. */
export const log1p = unary("log1p");
/** eᵃ − 1, exact near 0. */
export const expm1 = unary("expm1");
/** Sine. */
export const sin = unary("sin");
/** Cosine. */
export const cos = unary("cos");
/** Tangent. */
export const tan = (a: Node): Node => div(sin(a), cos(a));
/** Hyperbolic sine. */
export const sinh = (a: Node): Node => {
  // With expm1, exact near 0: sinh a = (e + e / (e + 1)) / 2 for e = expm1(a).
  const e = expm1(a);
  return mul(add(e, div(e, add(e, 1))), 0.5);
};
/** Hyperbolic cosine. */
export const cosh = (a: Node): Node => mul(add(exp(a), exp(neg(floating(a)))), 0.5);
/** Hyperbolic tangent. */
export const tanh = unary("tanh");
/** 1 / (1 + e⁻ᵃ). */
export const sigmoid = unary("sigmoid");
/** log(a / (1 − a)); with `eps`, a is first clamped to [eps, 1 − eps]. */
export const logit = (a: Node, eps?: number): Node => {
  const x = eps === undefined ? floating(a) : clamp(floating(a), eps, 1 - eps);
  return log(div(x, sub(1, x)));
};
/** The error function. */
export const erf = unary("erf");
/** 1 − erf a. */
export const erfc = (a: Node): Node => sub(1, erf(a));

// Comparison and logic.

const compare = (op: "eq" | "lt" | "le", name: string, a: Operand, b: Operand): Node => {
  const [x, y] = meet(name, [a, b]) as [Node, Node];
  // Order of bools is that of 0 and 1.
  return make(op, ...(x.dtype === "bool" ? [cast(x, "i32"), cast(y, "i32")] : [x, y]));
};

/** a = b. */
export const eq = (a: Operand, b: Operand): Node => compare("eq", "eq", a, b);
/** a ≠ b. */
export const ne = (a: Operand, b: Operand): Node => make("not", compare("eq", "ne", a, b));
/** a < b. */
export const lt = (a: Operand, b: Operand): Node => compare("lt", "lt", a, b);
/** a ≤ b. */
export const le = (a: Operand, b: Operand): Node => compare("le", "le", a, b);
/** a > b. */
export const gt = (a: Operand, b: Operand): Node => compare("lt", "gt", b, a);
/** a ≥ b. */
export const ge = (a: Operand, b: Operand): Node => compare("le", "ge", b, a);

/** As bool: not zero. NaN is true. */
export const truth = (a: Node): Node => cast(a, "bool");

const logical = (op: "and" | "or" | "xor", name: string, a: Operand, b: Operand): Node => {
  const of = (x: Operand): Operand => (typeof x === "object" ? truth(x) : x !== 0 && x !== false);
  return make(op, ...meet(name, [of(a), of(b)]));
};

/** Both true. */
export const and = (a: Operand, b: Operand): Node => logical("and", "logicalAnd", a, b);
/** Either true. */
export const or = (a: Operand, b: Operand): Node => logical("or", "logicalOr", a, b);
/** One of them true. */
export const xor = (a: Operand, b: Operand): Node => logical("xor", "logicalXor", a, b);
/** Not true. */
export const not = (a: Node): Node => make("not", truth(a));

/** Bitwise and, or, xor of integers; logical of bools. */
export const bitwise = (op: "and" | "or" | "xor", a: Operand, b: Operand): Node => {
  const name = `bitwise${op[0]!.toUpperCase()}${op.slice(1)}`;
  return make(op, ...meet(name, [a, b], resultDtype([a, b])));
};
/** Bitwise complement of integers; logical of bools. */
export const bitwiseNot = (a: Node): Node => (a.dtype === "bool" ? make("not", a) : bitwise("xor", a, -1));

/** Whether it is NaN. */
export const isnan = (a: Node): Node => make("not", make("eq", a, a));
/** Whether it is an infinity. */
export const isinf = (a: Node): Node =>
  isFloat(a.dtype) ? eq(abs(a), Number.POSITIVE_INFINITY) : lt(zero(a), 0);
/** Whether it is neither NaN nor an infinity. */
export const isfinite = (a: Node): Node =>
  isFloat(a.dtype) ? lt(abs(a), Number.POSITIVE_INFINITY) : eq(zero(a), 0);

const zero = (a: Node): Node => filledLike(0, numeric(a));

/** |a − b| ≤ atol + rtol · |b|, or both the same infinity. */
export function isclose(a: Operand, b: Operand, rtol: number, atol: number, equalNan: boolean): Node {
  const [x, y] = meetNumeric("isclose", [a, b]) as [Node, Node];
  const near = and(isfinite(y), le(abs(sub(x, y)), add(mul(abs(y), rtol), atol)));
  const close = or(eq(x, y), near);
  return equalNan ? or(close, and(isnan(x), isnan(y))) : close;
}

/** `then` where the condition is true, else `otherwise`. */
export function where(condition: Node, then: Operand, otherwise: Operand): Node {
  if (condition.dtype !== "bool")
    throw new DTypeError(
      `where: the condition is ${condition.dtype}, not bool; compare it with something first`,
    );
  const dtype = computeDtype(resultDtype([then, otherwise]));
  const shape = broadcastShape([condition, then, otherwise], "where");
  const value = (x: Operand): Node =>
    broadcastTo(typeof x === "object" ? cast(x, dtype) : constant(x, dtype), shape, "where");
  return make("where", broadcastTo(condition, shape, "where"), value(then), value(otherwise));
}

/** a, no less than `min` and no more than `max`. Its gradient is 1 at the bounds. */
export function clamp(a: Node, min?: Operand, max?: Operand): Node {
  if (min === undefined && max === undefined) throw new ArgumentError("clamp: give min, max or both");
  let [x] = meet("clamp", [a, ...[min, max].filter((b) => b !== undefined)]) as [Node];
  if (min !== undefined) x = where(lt(x, min), min, x);
  if (max !== undefined) x = where(gt(x, max), max, x);
  return x;
}

/** NaN and infinities replaced (by 0 and the largest finite values, unless given). */
export function nanToNum(a: Node, nan = 0, posinf?: number, neginf?: number): Node {
  if (!isFloat(a.dtype)) return a;
  const x = floating(a);
  const largest = x.dtype === "f64" ? Number.MAX_VALUE : 3.4028234663852886e38;
  const low = where(eq(x, Number.NEGATIVE_INFINITY), neginf ?? -largest, x);
  const high = where(eq(x, Number.POSITIVE_INFINITY), posinf ?? largest, low);
  return where(isnan(x), nan, high);
}

/** `value` where the mask is true, else a, in a's dtype and shape. */
export function maskedFill(a: Node, mask: Node, value: Operand): Node {
  if (mask.dtype !== "bool")
    throw new DTypeError(`maskedFill: the mask is ${mask.dtype}, not bool; compare it with something first`);
  if (typeof value === "object" && value.shape.length > 0)
    throw new ShapeError(
      `maskedFill: the value has shape ${shapeText(value.shape)}; it is one number, or a tensor of shape []. Use where() to ` +
        "take elements of a tensor",
    );
  return cast(where(mask, value, a), a.dtype);
}

/** One value everywhere. */
export const full = (shape: Shape, value: number | boolean, dtype: DType): Node =>
  filled(Number(value), shape, dtype);

/** A value broadcast to a shape, in a dtype. */
export const like = (x: Node, shape: Shape, dtype: DType, op: string): Node =>
  cast(broadcastTo(x, shape, op), dtype);
