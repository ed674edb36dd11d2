import { type DType, isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { type Shape, shapeText } from "../../base/shape.ts";
import { cast, filled, filledLike, noAttributes } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import type { Op, OpAttrs } from "../../ir/op.ts";
import { compareWithNumber } from "./compare-number.ts";
import { integerFmod, integerQuotient, meetDivision } from "./integer-division.ts";
import { boundsNothing, holds, isNumber, numberOf, storedNumber } from "./number.ts";
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
  refuseIntegers,
  resultDtype,
  widen,
} from "./promote.ts";
import { flat, type Slope, stated } from "./stated.ts";

/** Elementwise functions of nodes, with PyTorch's promotion and broadcasting. */

/** The primitives without attributes. */
export type Plain = { [K in Op]: Record<never, never> extends OpAttrs[K] ? K : never }[Op];

const make = (op: Plain, ...src: Node[]): Node => node(op, src, noAttributes);

const refuseBool = (op: string, x: Operand, instead: string): void => {
  if (typeof x === "object" ? x.dtype === "bool" : typeof x === "boolean")
    throw new DTypeError(`${op}: a bool tensor has no ${op}; ${instead}`);
};

// Arithmetic.

/** a + alpha · b; of two bools, their or. */
export function add(a: Operand, b: Operand, alpha: Operand = 1): Node {
  const [x, y] = meet("add", [a, b]) as [Node, Node];
  return make(x.dtype === "bool" ? "or" : "add", x, times("add", y, alpha));
}

/** alpha · x in x's dtype, which must hold alpha: the result does not depend on alpha's. */
function times(op: string, x: Node, factor: Operand): Node {
  if (factor === 1) return x;
  if (typeof factor === "boolean" && x.dtype !== "bool")
    throw new ArgumentError(`${op}: alpha is ${factor}, which only bools have; give ${Number(factor)}`);
  const alpha = numberOf(factor)!;
  const dtype = x.dtype === "bool" ? "i32" : x.dtype;
  const whole = typeof factor !== "object" && Number.isInteger(alpha) && holds(dtype, alpha);
  if (!isFloat(dtype) && !whole)
    throw new ArgumentError(
      `${op}: alpha is ${alpha}, which is no integer that ${dtype} holds; cast a tensor to f32 first`,
    );
  if (x.dtype === "bool") return make("and", x, filledLike(Number(alpha !== 0), x));
  return make("mul", x, filledLike(alpha, x));
}

/** a − alpha · b. */
export function sub(a: Operand, b: Operand, alpha: Operand = 1): Node {
  refuseBool("sub", a, "use logicalXor or logicalNot");
  refuseBool("sub", b, "use logicalXor or logicalNot");
  const [x, y] = meet("sub", [a, b]) as [Node, Node];
  return make("sub", x, times("sub", y, alpha));
}

/** a · b; of two bools, their and. */
export function mul(a: Operand, b: Operand): Node {
  const [x, y] = meet("mul", [a, b]) as [Node, Node];
  return make(x.dtype === "bool" ? "and" : "mul", x, y);
}

/** How `div` rounds: not at all, towards zero, or down. */
export type RoundingMode = "trunc" | "floor" | null;

/** a / b, in floating point; with a rounding mode, integers stay integers. */
export function div(a: Operand, b: Operand, roundingMode: RoundingMode = null, op = "div"): Node {
  if (roundingMode === null) {
    const [x, y] = meetFloating("div", [a, b]) as [Node, Node];
    return make("div", x, y);
  }
  const [x, y] = meetDivision(op, a, b);
  if (isFloat(x.dtype)) {
    const whole = roundingMode === "trunc" ? trunc(make("div", x, y)) : floorQuotient(x, y);
    return stated(whole, [x, flat], [y, flat]);
  }
  return integerQuotient(x, y, roundingMode);
}

/** ⌊x / y⌋ of floats, as Python has it: exact where the quotient rounds up to a whole number, and -1 for -1 / ∞. */
function floorQuotient(x: Node, y: Node): Node {
  const plain = make("div", x, y);
  const rest = floatFmod(x, y);
  const below = make("and", ne(rest, 0), make("xor", lt(rest, 0), lt(y, 0)));
  const near = make("div", make("sub", x, rest), y);
  const quotient = where(below, sub(near, 1), near);
  // What is left to round is rounding; a zero has the sign of the quotient.
  const zero = filledLike(0, x);
  const whole = where(eq(quotient, 0), where(lt(plain, 0), neg(zero), zero), make("round", quotient));
  return where(eq(y, 0), plain, where(eq(plain, 0), where(below, -1, plain), whole));
}

/** The remainder of floats with the sign of the dividend, of zeros too. */
function floatFmod(x: Node, y: Node): Node {
  const size = make("remainder", make("abs", x), make("abs", y));
  return where(lt(x, 0), make("neg", size), where(eq(x, 0), make("sub", x, size), size));
}

/** ⌊a / b⌋. */
export const floorDivide = (a: Operand, b: Operand): Node => div(a, b, "floor", "floorDivide");

/** The remainder with the sign of the divisor, as Python's %. */
export function remainder(a: Operand, b: Operand): Node {
  const [x, y] = meetDivision("remainder", a, b);
  const rest = make("remainder", x, y);
  if (!isFloat(x.dtype)) return rest;
  return stated(rest, [x, (g) => g], [y, (g) => neg(mul(g, floorQuotient(x, y)))]);
}

/** The remainder with the sign of the dividend, as C's fmod. */
export function fmod(a: Operand, b: Operand): Node {
  const [x, y] = meetDivision("fmod", a, b);
  if (!isFloat(x.dtype)) return integerFmod(x, y);
  return stated(floatFmod(x, y), [x, (g) => g], [y, (g) => neg(mul(g, trunc(make("div", x, y))))]);
}

/** a to the power of b. */
export function pow(a: Operand, b: Operand): Node {
  const toWhole = typeof a === "object" && !isFloat(a.dtype) && typeof b === "number" && Number.isInteger(b);
  if (toWhole && b < 0 && holds("i32", b))
    throw new ArgumentError(`pow: an integer tensor to the power of ${b}; cast it to f32 first`);
  // Of two bools it is what implies: only where the base is false and the exponent true is it false.
  if (typeof a === "object" && a.dtype === "bool" && typeof b === "boolean") return b ? a : filledLike(1, a);
  if (typeof a === "object" && b === 2) return square(a);
  if (typeof a === "object" && b === 1) return numeric(a);
  if (typeof a === "object" && b === 0.5) return make("sqrt", floating(a));
  const [x, y] = meetNumeric("pow", [a, b]) as [Node, Node];
  // C's power of −∞ is 0 here, and PyTorch's NaN.
  const power = b === -0.5 && isFloat(x.dtype) ? rsqrt(x) : make("pow", x, y);
  if (typeof a !== "object" || typeof b !== "number" || !isFloat(x.dtype)) return power;
  return stated(power, [x, (g) => (b === 0 ? filledLike(0, g) : mul(g, mul(pow(x, b - 1), b)))]);
}

/** a² as one product. Its gradient is that of a power, 2a · g, which may overflow where g · a + g · a does not. */
export function square(a: Node): Node {
  const x = numeric(a);
  const value = make("mul", x, x);
  return isFloat(x.dtype) ? stated(value, [x, (g) => mul(g, mul(x, 2))]) : value;
}

/** 1 / a. */
export const reciprocal = (a: Node): Node => div(1, a);

/** −a. */
export function neg(a: Node): Node {
  refuseBool("neg", a, "use logicalNot");
  return make("neg", widen(a));
}

/** |a|. */
export const abs = (a: Node): Node => {
  refuseBool("abs", a, 'cast it with to("i32")');
  return make("abs", widen(a));
};
/** −1, 0 or 1; of a bool, itself. */
export const sign = (a: Node): Node => (a.dtype === "bool" ? a : make("sign", widen(a)));

/** Elementwise larger of two; NaN if either is. */
export const maximum = (a: Operand, b: Operand): Node => extremum("max", "maximum", a, b);
/** Elementwise smaller of two; NaN if either is. */
export const minimum = (a: Operand, b: Operand): Node => extremum("min", "minimum", a, b);

function extremum(op: "max" | "min", name: string, a: Operand, b: Operand): Node {
  const side = op === "max" ? "min" : "max";
  if (boundsNothing(a, b, side)) return widen(a as Node);
  if (boundsNothing(b, a, side)) return widen(b as Node);
  const [x, y] = meet(name, [a, b]) as [Node, Node];
  if (x.dtype === "bool") return make(op === "max" ? "or" : "and", x, y);
  return make(op, x, y);
}

/** a + weight · (b − a), from the nearer end: at weight 1 exactly b. */
export function lerp(a: Operand, b: Operand, weight: Operand): Node {
  const isTensor = (x: Operand): x is Node => typeof x === "object" && !isNumber(x);
  // A weight without dimensions is as good as a number, of whatever dtype.
  const given = [a, b, weight].filter((x, i) => isTensor(x) && (i < 2 || x.shape.length > 0)) as Node[];
  for (const x of given)
    if (!isFloat(x.dtype) || computeDtype(x.dtype) !== computeDtype(given[0]!.dtype))
      throw new DTypeError(
        `lerp: tensors of ${given.map((t) => t.dtype).join(" and ")}; they are of one floating-point dtype: cast them with to()`,
      );
  const [x, y, w] = meetFloating("lerp", [a, b, weight]) as [Node, Node, Node];
  const step = make("sub", y, x);
  const fromStart = make("add", x, make("mul", w, step));
  const fromEnd = make("sub", y, make("mul", step, sub(1, w)));
  const value = where(lt(abs(w), 0.5), fromStart, fromEnd);
  return stated(value, [x, (g) => mul(g, sub(1, w))], [y, (g) => mul(g, w)], [w, (g) => mul(g, sub(y, x))]);
}

/** a + value · b · c. */
export function addcmul(a: Operand, b: Operand, c: Operand, value = 1): Node {
  const [x, y, z] = meet("addcmul", [a, b, c]) as [Node, Node, Node];
  refuseBool("addcmul", x, asIntegers);
  return add(x, mul(mul(y, value), z));
}
/** a + value · b / c. */
export function addcdiv(a: Operand, b: Operand, c: Operand, value = 1): Node {
  refuseIntegerOperands("addcdiv", [b, c]);
  const [x, y, z] = meetFloating("addcdiv", [a, b, c]) as [Node, Node, Node];
  const scaled = mul(y, value);
  return stated(
    add(x, div(scaled, z)),
    [x, (g) => g],
    [y, (g) => mul(g, div(value, z))],
    [z, (g) => neg(mul(g, div(mul(y, value), mul(z, z))))],
  );
}

/** √(a² + b²), where squares would overflow or vanish too; an infinity wins over NaN. */
export function hypot(a: Operand, b: Operand): Node {
  refuseIntegerOperands("hypot", [a, b]);
  const [x, y] = meetFloating("hypot", [a, b]) as [Node, Node];
  const [p, q] = [abs(x), abs(y)];
  const top = make("max", p, q);
  // Powers of 2 scale without rounding.
  const [bound, factor] = x.dtype === "f64" ? [1e150, 2 ** 600] : [1e17, 2 ** 90];
  const scale = (large: number, small: number): Node =>
    where(gt(top, bound), filledLike(large, x), where(lt(top, 1 / bound), filledLike(small, x), 1));
  const [s, t] = [p, q].map((side) => mul(side, scale(1 / factor, factor))) as [Node, Node];
  const length = mul(make("sqrt", make("add", mul(s, s), mul(t, t))), scale(factor, 1 / factor));
  const endless = make("or", isinf(x), isinf(y));
  const value = where(endless, Number.POSITIVE_INFINITY, length);
  return stated(value, [x, (g, n) => mul(g, div(x, n))], [y, (g, n) => mul(g, div(y, n))]);
}

// Rounding.

const asIntegers = 'cast it with to("i32")';

/** Throws where operands meet in no floating-point dtype, for what PyTorch does not make one of. */
export function refuseIntegerOperands(op: string, operands: readonly Operand[]): void {
  const met = resultDtype(operands);
  if (!isFloat(met))
    throw new DTypeError(
      `${op}: takes floating-point tensors, and these meet in ${met}; cast one of them with to("f32")`,
    );
}

const rounding = (op: "floor" | "ceil" | "round", a: Node): Node => {
  refuseBool(op, a, asIntegers);
  const x = widen(a);
  return isFloat(x.dtype) ? make(op, x) : x;
};

/** The next whole number down. */
export const floor = (a: Node): Node => rounding("floor", a);
/** The next whole number up. */
export const ceil = (a: Node): Node => rounding("ceil", a);
/** To nearest, halves to even; with `decimals`, of decimal digits. */
export function round(a: Node, decimals = 0): Node {
  if (decimals === 0) return rounding("round", a);
  refuseIntegers("round with decimals", a);
  const scale = 10 ** Math.abs(decimals);
  return decimals > 0
    ? div(rounding("round", mul(a, scale)), scale)
    : mul(rounding("round", div(a, scale)), scale);
}
/** Towards zero. */
export function trunc(a: Node): Node {
  refuseBool("trunc", a, asIntegers);
  const x = widen(a);
  return isFloat(x.dtype) ? where(lt(x, 0), make("ceil", x), make("floor", x)) : x;
}
/** What `trunc` leaves. */
export const frac = (a: Node): Node => {
  refuseIntegers("frac", a);
  return sub(a, trunc(a));
};

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
/** Hyperbolic tangent. */
export const tanh = unary("tanh");
/** 1 / (1 + e⁻ᵃ). */
export const sigmoid = unary("sigmoid");
/** The error function. */
export const erf = unary("erf");
/** 1 − erf a, with all digits where that is small. */
export const erfc = unary("erfc");

// Comparison and logic.

const compare = (op: "eq" | "lt" | "le", name: string, a: Operand, b: Operand): Node => {
  const exact = compareWithNumber(op, a, b);
  if (exact !== null) return exact;
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
  if (isFloat(resultDtype([a, b])))
    throw new DTypeError(
      `${name}: takes bool or integers, not ${[a, b].map((x) => (typeof x === "object" ? x.dtype : x)).join(" and ")}; ` +
        "a number must be one that the tensor's dtype holds (n | 0 is n as i32)",
    );
  return make(op, ...meet(name, [a, b]));
};
/** Bitwise complement of integers; logical of bools. */
export const bitwiseNot = (a: Node): Node =>
  a.dtype === "bool" ? make("not", a) : bitwise("xor", a, filledLike(-1, a));

/** Whether it is NaN. */
export const isnan = (input: Node): Node => {
  const a = widen(input);
  return make("not", make("eq", a, a));
};
/** Whether it is an infinity. */
export const isinf = (a: Node): Node =>
  isFloat(a.dtype) ? eq(abs(a), Number.POSITIVE_INFINITY) : lt(zero(a), 0);
/** Whether it is neither NaN nor an infinity. */
export const isfinite = (a: Node): Node =>
  isFloat(a.dtype) ? lt(abs(a), Number.POSITIVE_INFINITY) : eq(zero(a), 0);

const zero = (a: Node): Node => filledLike(0, numeric(a));

/** |a − b| ≤ atol + rtol · |b|, or both the same infinity. */
export function isclose(a: Operand, b: Operand, rtol: number, atol: number, equalNan: boolean): Node {
  const met = meetNumeric("isclose", [a, b]);
  // The difference of two i32 is an f64.
  const [x, y] = met.map((side) => (isFloat(side.dtype) ? side : cast(side, "f64"))) as [Node, Node];
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

/** a, no less than `min` and no more than `max`; bools by tensors only. Its gradient is 1 at the bounds. */
export function clamp(a: Node, min?: Operand, max?: Operand): Node {
  if (min === undefined && max === undefined) throw new ArgumentError("clamp: give min, max or both");
  if (boundsNothing(a, min, "min")) return max === undefined ? widen(a) : clamp(a, undefined, max);
  if (boundsNothing(a, max, "max")) return min === undefined ? widen(a) : clamp(a, min);
  const bounds = [min, max].filter((b) => b !== undefined);
  const [x, ...met] = meet("clamp", [a, ...bounds]) as [Node, ...Node[]];
  const isBool = x.dtype === "bool";
  if (bounds.some(isNumber)) refuseBool("clamp", x, 'cast it with to("i32")');
  const low = min === undefined ? null : met[0]!;
  const high = max === undefined ? null : met.at(-1)!;
  let value = x;
  if (low !== null) value = make(isBool ? "or" : "max", value, low);
  if (high !== null) value = make(isBool ? "and" : "min", value, high);
  if (!isFloat(x.dtype)) return value;
  const slopes: [Node, Slope][] = [[x, (g) => where(inside(x, low, high), g, 0)]];
  // Of bounds that cross it is the upper one that holds.
  if (low !== null)
    slopes.push([low, (g) => where(high === null ? lt(x, low) : and(lt(x, low), lt(low, high)), g, 0)]);
  if (high !== null)
    slopes.push([high, (g) => where(low === null ? gt(x, high) : or(gt(x, high), lt(high, low)), g, 0)]);
  return stated(value, ...slopes);
}

/** Whether neither of some bounds is passed; not where anything is NaN. */
const inside = (x: Node, low: Node | null, high: Node | null): Node =>
  low === null ? le(x, high!) : high === null ? le(low, x) : and(le(low, x), le(x, high));

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
  const number = numberOf(value);
  const inside = number !== null ? storedNumber("maskedFill", number, a.dtype) : cast(value as Node, a.dtype);
  const dtype = computeDtype(a.dtype);
  const values = [typeof inside === "number" ? constant(inside, dtype) : cast(inside, dtype), cast(a, dtype)];
  return cast(where(mask, ...(values as [Node, Node])), a.dtype);
}

/** One value everywhere. */
export const full = (shape: Shape, value: number | boolean, dtype: DType, op = "full"): Node =>
  filled(storedNumber(op, value, dtype), shape, dtype);

/** A value broadcast to a shape, in a dtype. */
export const like = (x: Node, shape: Shape, dtype: DType, op: string): Node =>
  cast(broadcastTo(x, shape, op), dtype);
