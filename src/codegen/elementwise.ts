import { type DType, isFloat } from "../base/dtype.ts";
import type { ElementwiseOp } from "../ir/evaluate-elementwise.ts";
import { type KernelBuilder, ops, ref } from "../lowered/build.ts";
import type { Expr, LibraryFunction, Unary } from "../lowered/ir.ts";
import type { ReduceKind } from "../plan/kernel.ts";
import { scalarOfDtype } from "./cells.ts";
import { ExprLanes, type Registers } from "./expr-lanes.ts";
import { polynomials } from "./polynomials.ts";
import { largestAngle, power, sine } from "./polynomials-wide.ts";

/** What vectors are computed with: where statements go, and the lanes. */
export interface Vectors {
  readonly b: KernelBuilder;
  readonly registers: Registers;
  /** How many lanes there are, if not all; the others may hold anything. */
  readonly live?: Expr;
}

/** Operands of one elementwise value, each used any number of times, and what they are. */
interface Operands {
  readonly vectors: Vectors;
  /** Dtype of the first operand, and of the result. */
  readonly from: DType;
  readonly to: DType;
  readonly a: Expr;
  readonly b2: Expr;
  readonly c: Expr;
  /** Whether the second operand is the same in all lanes. */
  readonly uniform: boolean;
}

type Rule = (o: Operands) => Expr;

const k = (like: Expr, value: number): Expr => ({ op: "const", type: like.type, value });

/** u8 lives in 32-bit lanes and wraps after arithmetic. */
const wrapped = (to: DType, e: Expr): Expr => (to === "u8" ? ops.and(e, k(e, 255)) : e);

const unary =
  (op: Unary): Rule =>
  ({ a, to }) =>
    wrapped(to, ops.unary(op, a));
const binary =
  (of: (a: Expr, b: Expr) => Expr): Rule =>
  ({ a, b2, to }) =>
    wrapped(to, of(a, b2));
/** Rounding leaves integers as they are. */
const rounding =
  (op: Unary): Rule =>
  ({ a, from }) =>
    isFloat(from) ? ops.unary(op, a) : a;

/** What a polynomial of f32 gives, which may be its bits. */
function polynomial(vectors: Vectors, of: (v: ExprLanes) => Expr): Expr {
  const result = of(new ExprLanes(vectors.b, vectors.registers));
  return result.type.scalar === "f32" ? result : ops.bits(result, "f32");
}

/** A polynomial of f32, a function of the library for f64. */
const math =
  (op: Exclude<LibraryFunction, "pow" | "fmod" | "sin" | "cos">): Rule =>
  (o) =>
    o.from === "f32"
      ? polynomial(o.vectors, (v) => polynomials[op](v, o.a))
      : ops.library(op, [o.a], o.vectors.live);

const sigmoid: Rule = ({ vectors, from, a }) => {
  if (from === "f32") return polynomial(vectors, (v) => polynomials.sigmoid(v, a));
  const one = k(a, 1);
  return ops.div(one, ops.add(one, ops.library("exp", [ops.unary("neg", a)], vectors.live)));
};

/** The polynomial; lanes beyond its domain (no others, as neighbours must not change a result) are the library's. */
const angle =
  (op: "sin" | "cos"): Rule =>
  ({ vectors, from, a }) => {
    const { b, live } = vectors;
    if (from !== "f32") return ops.library(op, [a], live);
    const result = b.var(
      "t",
      polynomial(vectors, (v) => sine(v, op, a)),
    );
    const inside = b.let("inside", ops.le(ops.unary("abs", a), k(a, largestAngle)));
    b.if(ops.any(ops.not(inside)), () =>
      b.set(result, ops.select(inside, ref(result), b.let("t", ops.library(op, [a], live)))),
    );
    return ref(result);
  };

/** i32 quotients, truncated: 0 by zero, and the one that overflows wraps. Those of 32 bits are exact enough in f64. */
function quotient({ b, registers }: Vectors, a: Expr, divisor: Expr): Expr {
  const v = new ExprLanes(b, registers);
  const isZero = b.let("isZero", ops.eq(divisor, k(divisor, 0)));
  const isNegative = b.let("isNegative", ops.eq(divisor, k(divisor, -1)));
  const other = b.let("other", ops.select(ops.or(isZero, isNegative), k(divisor, 1), divisor));
  const [above, below] = [v.widen(a), v.widen(other)];
  const whole = ops.narrow(
    above.map((x, i) => ops.div(x, below[i]!)),
    "i32",
  );
  return ops.select(isZero, k(a, 0), ops.select(isNegative, ops.unary("neg", a), whole));
}

const divide: Rule = ({ vectors, from, to, a, b2 }) =>
  isFloat(from) ? ops.div(a, b2) : wrapped(to, quotient(vectors, a, b2));

/** Python's: the sign of the divisor. */
const remainder: Rule = ({ vectors, from, a, b2 }) => {
  const { b, live } = vectors;
  const zero = k(a, 0);
  const rest = b.let(
    "rest",
    isFloat(from)
      ? ops.library("fmod", [a, b2], live)
      : ops.select(ops.eq(b2, zero), zero, ops.sub(a, ops.mul(quotient(vectors, a, b2), b2))),
  );
  const signs = ops.xor(ops.lt(rest, zero), ops.lt(b2, zero));
  return ops.select(ops.and(ops.ne(rest, zero), signs), ops.add(rest, b2), rest);
};

const power2: Rule = ({ vectors, from, to, a, b2 }) => {
  const { b, live } = vectors;
  if (from === "f32") return polynomial(vectors, (v) => power(v, a, b2));
  return from === "f64" ? ops.library("pow", [a, b2], live) : wrapped(to, integerPower(b, a, b2));
};

/** Wraps; a negative exponent gives the truncated reciprocal, and 0 for 0. */
function integerPower(b: KernelBuilder, a: Expr, exponent: Expr): Expr {
  const [zero, one, negative] = [0, 1, -1].map((x) => k(a, x)) as [Expr, Expr, Expr];
  const isOdd = (e: Expr) => ops.ne(ops.and(e, one), zero);
  const sign = ops.select(isOdd(exponent), negative, one);
  const reciprocal = ops.select(ops.eq(a, one), one, ops.select(ops.eq(a, negative), sign, zero));
  const below = b.let("below", ops.lt(exponent, zero));
  const result = b.var("result", ops.select(below, reciprocal, one));
  const base = b.var("base", a);
  const left = b.var("left", ops.select(below, zero, exponent));
  b.while(ops.any(ops.ne(ref(left), zero)), () => {
    b.set(result, ops.select(isOdd(ref(left)), ops.mul(ref(result), ref(base)), ref(result)));
    b.set(base, ops.mul(ref(base), ref(base)));
    b.set(left, ops.shr(ref(left), one));
  });
  return ref(result);
}

/** NaN if either is, and 0 is more than -0; true is more than false. */
const extreme =
  (of: (a: Expr, b: Expr) => Expr, ofBools: (a: Expr, b: Expr) => Expr): Rule =>
  ({ from, a, b2 }) =>
    (from === "bool" ? ofBools : of)(a, b2);

/** NaN gives 0. */
const sign: Rule = ({ a }) => {
  const [zero, one] = [k(a, 0), k(a, 1)];
  return ops.sub(ops.select(ops.lt(zero, a), one, zero), ops.select(ops.lt(a, zero), one, zero));
};

/** Floats keep NaN, which no comparison holds for. */
const relu: Rule = ({ from, a }) =>
  isFloat(from) ? ops.select(ops.le(a, k(a, 0)), k(a, 0), a) : ops.max(a, k(a, 0));

/** Floats saturate, and NaN is 0; as a bool, NaN is true. */
const cast: Rule = ({ from, to, a }) => {
  if (from === to) return a;
  if (to === "bool") return ops.ne(a, k(a, 0));
  return wrapped(to, ops.convert(a, scalarOfDtype(to)));
};

/** By the low five bits; zeros come in. */
const shift =
  (of: "shl" | "shr"): Rule =>
  ({ vectors, to, a, b2, uniform }) => {
    const value = of === "shl" ? a : ops.bits(a, "u32");
    const scalar = value.type.scalar;
    const lanes = a.type.lanes;
    let by: Expr;
    if (b2.op === "const") by = { op: "const", type: value.type, value: b2.value & 31 };
    else {
      const low = vectors.b.let("by", ops.and(b2, k(b2, 31)));
      const same = uniform ? ops.splat(ops.lane(low, 0), lanes) : low;
      by = scalar === "i32" ? same : ops.bits(same, scalar);
    }
    return wrapped(to, of === "shl" ? ops.shl(value, by) : ops.bits(ops.shr(value, by), "i32"));
  };

const rules: { readonly [K in ElementwiseOp]: Rule } = {
  neg: unary("neg"),
  abs: unary("abs"),
  sign,
  floor: rounding("floor"),
  ceil: rounding("ceil"),
  round: rounding("round"),
  sqrt: rounding("sqrt"),
  exp: math("exp"),
  log: math("log"),
  expm1: math("expm1"),
  log1p: math("log1p"),
  sin: angle("sin"),
  cos: angle("cos"),
  tanh: math("tanh"),
  sigmoid,
  erf: math("erf"),
  erfc: math("erfc"),
  relu,
  not: unary("not"),
  cast,
  add: binary(ops.add),
  sub: binary(ops.sub),
  mul: binary(ops.mul),
  div: divide,
  pow: power2,
  max: extreme(ops.max, ops.or),
  min: extreme(ops.min, ops.and),
  remainder,
  eq: ({ from, a, b2 }) => (from === "bool" ? ops.not(ops.xor(a, b2)) : ops.eq(a, b2)),
  // Of bools, true is more than false.
  lt: ({ from, a, b2 }) => (from === "bool" ? ops.and(ops.not(a), b2) : ops.lt(a, b2)),
  le: ({ from, a, b2 }) => (from === "bool" ? ops.or(ops.not(a), b2) : ops.le(a, b2)),
  and: ({ a, b2 }) => ops.and(a, b2),
  or: ({ a, b2 }) => ops.or(a, b2),
  xor: ({ a, b2 }) => ops.xor(a, b2),
  shl: shift("shl"),
  shr: shift("shr"),
  where: ({ a, b2, c }) => ops.select(a, b2, c),
  fma: ({ a, b2, c }) => ops.fma(a, b2, c),
};

/**
 * The result of an elementwise operation on vectors. `operands` are names or constants; `from` and `to` are the dtypes of the
 * first and of the result, `uniform` says that the second is the same in all lanes.
 */
export function lowerElementwise(
  vectors: Vectors,
  op: ElementwiseOp,
  from: DType,
  to: DType,
  operands: readonly Expr[],
  uniform = false,
): Expr {
  const [a, b2 = a, c = b2] = operands as [Expr, Expr?, Expr?];
  return rules[op]({ vectors, from, to, a, b2, c, uniform });
}

/** a combined with b, as a reduction of a kind does. */
export function combine(kind: ReduceKind, dtype: DType, a: Expr, b: Expr): Expr {
  const op = { sum: "add", prod: "mul", max: "max", min: "min" } as const;
  // None of these appends a statement.
  return lowerElementwise({} as Vectors, op[kind], dtype, dtype, [a, b]);
}
