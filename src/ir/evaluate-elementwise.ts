import { integerPower, pow, remainder, roundHalfToEven } from "../base/arithmetic.ts";
import { allocate, type DType, isFloat, readElement, type TypedArray, writeElement } from "../base/dtype.ts";
import { erf, erfc } from "../base/erf.ts";
import type { Node } from "./node.ts";
import { type Op, ops } from "./op.ts";

/** The primitives that map elements to elements. */
export type ElementwiseOp = Extract<
  Op,
  | "neg"
  | "abs"
  | "sign"
  | "floor"
  | "ceil"
  | "round"
  | "sqrt"
  | "exp"
  | "log"
  | "expm1"
  | "log1p"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "erfc"
  | "relu"
  | "not"
  | "cast"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "pow"
  | "max"
  | "min"
  | "remainder"
  | "eq"
  | "lt"
  | "le"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr"
  | "where"
  | "fma"
>;

/** All of them. */
export const elementwiseOps = (Object.keys(ops) as Op[]).filter(
  (op): op is ElementwiseOp => ops[op].kind === "elementwise",
);

/** Whether a node is elementwise. */
export const isElementwise = (n: Node): n is Node<ElementwiseOp> => ops[n.op].kind === "elementwise";

type Scalar = (a: number, b: number, c: number) => number;

/** What each elementwise primitive does to numbers; the result is then rounded to the node's dtype. */
const elementwiseRules: { readonly [K in ElementwiseOp]: Scalar } = {
  neg: (a) => -a,
  abs: (a) => Math.abs(a),
  /** NaN and both zeros give 0. */
  sign: (a) => (a > 0 ? 1 : a < 0 ? -1 : 0),
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfToEven,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  expm1: Math.expm1,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  erf,
  erfc,
  relu: (a) => (a <= 0 ? 0 : a),
  not: (a) => (a === 0 ? 1 : 0),
  cast: (a) => a,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow,
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
  remainder,
  eq: (a, b) => (a === b ? 1 : 0),
  lt: (a, b) => (a < b ? 1 : 0),
  le: (a, b) => (a <= b ? 1 : 0),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr: (a, b) => a >>> b,
  where: (a, b, c) => (a !== 0 ? b : c),
  // An f32 product is exact in f64, so f32 is as good as rounded once; f64 rounds twice.
  fma: (a, b, c) => a * b + c,
};

/** Where integers differ: products wrap at 32 bits instead of losing low bits, division truncates. */
const integerRules: { readonly [K in ElementwiseOp]?: Scalar } = {
  mul: Math.imul,
  div: (a, b) => Math.trunc(a / b),
  pow: integerPower,
};

/** A float as an integer: towards zero, saturating at 32 bits (then wrapping, if narrower), NaN is 0. */
const truncateToInt = (x: number): number =>
  Number.isNaN(x) ? 0 : Math.max(-2147483648, Math.min(2147483647, Math.trunc(x)));

/** What a cast does to a number before it is stored. As a bool, NaN is true. */
function conversion(from: DType, to: DType): (x: number) => number {
  if (to === "bool") return (x) => (x === 0 ? 0 : 1);
  return isFloat(from) && !isFloat(to) ? truncateToInt : (x) => x;
}

/** An elementwise node's value. */
export function evaluateElementwise(n: Node<ElementwiseOp>, src: readonly TypedArray[]): TypedArray {
  const out = allocate(n.dtype, src[0]!.length);
  const [a, b = a, c = a] = src as readonly [TypedArray, TypedArray?, TypedArray?];
  const from = n.src[0]!.dtype;
  if (n.op === "cast") {
    const convert = conversion(from, n.dtype);
    for (let i = 0; i < out.length; i++) writeElement(n.dtype, out, i, convert(readElement(from, a, i)));
    return out;
  }
  const rule = (!isFloat(from) && integerRules[n.op]) || elementwiseRules[n.op];
  for (let i = 0; i < out.length; i++) out[i] = rule(a[i]!, b[i]!, c[i]!);
  return out;
}
