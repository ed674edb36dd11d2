import { type DType, isFloat } from "../../base/dtype.ts";
import type { ElementwiseOp } from "../../ir/evaluate-elementwise.ts";
import { blend, type CContext, vectorType } from "./access.ts";
import { type CFunction, emitFunction } from "./function.ts";
import { splat } from "./literal.ts";

/** Operands of one elementwise value: names of C variables, and what they are. */
interface Operands {
  readonly ctx: CContext;
  /** Dtype of the first operand, and of the result. */
  readonly from: DType;
  readonly to: DType;
  readonly a: string;
  readonly b: string;
  readonly c: string;
}

/** Gives the C expression of a result. */
type Rule = (o: Operands) => string;

/** u8 lives in 32-bit lanes and wraps after arithmetic. */
const wrapped = (o: Operands, expression: string): string =>
  o.to === "u8" ? `((${expression}) & 255)` : expression;

/** Integers wrap, which C has only for unsigned ones. */
const arithmetic =
  (operator: string): Rule =>
  (o) =>
    isFloat(o.from) ? `${o.a} ${operator} ${o.b}` : wrapped(o, `(vi)((vu)${o.a} ${operator} (vu)${o.b})`);

const bitwise =
  (operator: string): Rule =>
  ({ a, b }) =>
    `${a} ${operator} ${b}`;

/** A function of the prelude; of integers, the value itself. */
const rounded =
  (name: string): Rule =>
  ({ from, a }) =>
    isFloat(from) ? `${name}_${vectorType(from)}(${a})` : a;

const math =
  (name: CFunction): Rule =>
  ({ ctx, from, a }) =>
    emitFunction(ctx, name, from, [a]);

/** The mask of a comparison, in 32-bit lanes. */
const mask = (from: DType, expression: string): string =>
  from === "f64" ? `__builtin_convertvector(${expression}, vi)` : `(vi)(${expression})`;

/** Of bools, as masks: true is less than false. */
const compare =
  (operator: string): Rule =>
  ({ from, a, b }) =>
    mask(from, from === "bool" ? `${b} ${operator} ${a}` : `${a} ${operator} ${b}`);

/** Lanes of `a` where a mask of the lanes' own width is set, of `b` elsewhere. */
function choose(dtype: DType, condition: string, a: string, b: string): string {
  const type = vectorType(dtype);
  if (type === "vi") return blend(condition, a, b);
  const bits = type === "vd" ? "vl" : "vi";
  return `(${type})${blend(`(${bits})(${condition})`, `(${bits})${a}`, `(${bits})${b}`)}`;
}

/** NaN if either is, and 0 is more than -0: the prelude's functions. */
const extreme =
  (name: "max" | "min"): Rule =>
  ({ from, a, b }) => {
    // true is the mask -1, the smaller of the two.
    if (from === "bool") return `${a} ${name === "max" ? "|" : "&"} ${b}`;
    if (isFloat(from)) return `${name}_${vectorType(from)}(${a}, ${b})`;
    return blend(`${a} ${name === "max" ? ">" : "<"} ${b}`, a, b);
  };

/** floats: (a > 0 ? 1 : 0) - (a < 0 ? 1 : 0), so that NaN gives 0; integers: masks are -1. */
const sign: Rule = ({ from, a }) => {
  if (!isFloat(from)) return `(${a} < 0) - (${a} > 0)`;
  const type = vectorType(from);
  const bits = from === "f64" ? "vl" : "vi";
  const one = `(${bits})${splat(from, 1)}`;
  return `(${type})((${a} > 0) & ${one}) - (${type})((${a} < 0) & ${one})`;
};

/** Floats keep NaN, which no comparison holds for. */
const relu: Rule = ({ from, a }) => {
  const bits = from === "f64" ? "vl" : "vi";
  return isFloat(from)
    ? `(${vectorType(from)})((${bits})${a} & ~(${a} <= 0))`
    : blend(`${a} > 0`, a, "splat_vi(0)");
};

const negated: Rule = (o) => (isFloat(o.from) ? `-${o.a}` : wrapped(o, `(vi)(0 - (vu)${o.a})`));

const absolute: Rule = ({ from, a }) => {
  if (from === "f32") return `(vf)((vi)${a} & 0x7fffffff)`;
  if (from === "f64") return `(vd)((vl)${a} & 0x7fffffffffffffff)`;
  return `(vi)(((vu)${a} ^ (vu)(${a} >> 31)) - (vu)(${a} >> 31))`;
};

/** i32 quotients are truncated; by zero: 0. */
const divide: Rule = (o) =>
  isFloat(o.from) ? `${o.a} / ${o.b}` : wrapped(o, emitFunction(o.ctx, "quotient", o.from, [o.a, o.b]));

const shift =
  (operator: string): Rule =>
  (o) =>
    wrapped(o, `(vi)((vu)${o.a} ${operator} ((vu)${o.b} & 31))`);

const power: Rule = (o) =>
  wrapped(o, emitFunction(o.ctx, isFloat(o.from) ? "pow" : "integerPower", o.from, [o.a, o.b]));

/** A float as an i32: towards zero, saturating, NaN is 0. */
function truncated({ ctx: { w }, from, a }: Operands): string {
  const low = splat(from, -2147483648);
  const high = splat(from, 2147483648);
  const inside = w.define(
    vectorType(from),
    choose(from, `(${a} >= ${low}) & (${a} < ${high})`, a, splat(from, 0)),
  );
  const whole = w.define("vi", `__builtin_convertvector(${inside}, vi)`);
  const above = mask(from, `${a} >= ${high}`);
  const below = mask(from, `${a} < ${low}`);
  return `${whole} | (${above} & 0x7fffffff) | (${below} & (-2147483647 - 1))`;
}

/** As a bool, NaN is true. */
const cast: Rule = (o) => {
  const { from, to, a } = o;
  if (from === to) return a;
  if (to === "bool") return mask(from, `${a} != 0`);
  const value = from === "bool" ? `(${a} & 1)` : a;
  if (isFloat(to)) return `__builtin_convertvector(${value}, ${vectorType(to)})`;
  return wrapped(o, isFloat(from) ? truncated(o) : value);
};

const where: Rule = ({ to, a, b, c }) =>
  choose(to, to === "f64" ? `__builtin_convertvector(${a}, vl)` : a, b, c);

const fma: Rule = ({ to, a, b, c }) => `fma_${vectorType(to)}(${a}, ${b}, ${c})`;

const remainder: Rule = ({ ctx, from, a, b }) =>
  emitFunction(ctx, isFloat(from) ? "remainder" : "integerRemainder", from, [a, b]);

const rules: { readonly [K in ElementwiseOp]: Rule } = {
  neg: negated,
  abs: absolute,
  sign,
  floor: rounded("floor"),
  ceil: rounded("ceil"),
  round: rounded("round"),
  sqrt: rounded("sqrt"),
  exp: math("exp"),
  log: math("log"),
  expm1: math("expm1"),
  log1p: math("log1p"),
  sin: math("sin"),
  cos: math("cos"),
  tanh: math("tanh"),
  sigmoid: math("sigmoid"),
  erf: math("erf"),
  erfc: math("erfc"),
  relu,
  not: ({ a }) => `~${a}`,
  cast,
  add: arithmetic("+"),
  sub: arithmetic("-"),
  mul: arithmetic("*"),
  div: divide,
  pow: power,
  max: extreme("max"),
  min: extreme("min"),
  remainder,
  eq: compare("=="),
  lt: compare("<"),
  le: compare("<="),
  and: bitwise("&"),
  or: bitwise("|"),
  xor: bitwise("^"),
  shl: shift("<<"),
  shr: shift(">>"),
  where,
  fma,
};

/** Defines the result of an elementwise operation, and gives its name. */
export function emitElementwise(op: ElementwiseOp, o: Operands): string {
  return o.ctx.w.define(vectorType(o.to), rules[op](o));
}
