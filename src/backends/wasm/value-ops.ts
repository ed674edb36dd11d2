import { type DType, isFloat } from "../../base/dtype.ts";
import type { ElementwiseOp } from "../../ir/evaluate-elementwise.ts";
import { emitMath, emitPow, perLane } from "./math.ts";
import { countOf, type ValueContext } from "./value-access.ts";

/** Operands of one elementwise value: locals, and what they are. Code leaves the result on the stack. */
export interface Operands {
  readonly ctx: ValueContext;
  /** Dtype of the first operand, and of the result. */
  readonly from: DType;
  readonly to: DType;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** Whether the second operand is the same in all lanes. */
  readonly uniform: boolean;
}

type Rule = (o: Operands) => void;

/** The type of the lanes in which a dtype is computed. */
const laneType = (dtype: DType): string => (dtype === "f64" ? "f64x2" : dtype === "f32" ? "f32x4" : "i32x4");

/** Pushes a number in all lanes of a dtype's vectors. */
export function pushConstant(ctx: ValueContext, dtype: DType, value: number): void {
  if (dtype === "f64") ctx.f.f64x2(value);
  else if (dtype === "f32") ctx.f.f32x4(value);
  else if (dtype === "bool") ctx.f.i32x4(value === 0 ? 0 : -1);
  else ctx.f.i32x4(dtype === "u8" ? value & 255 : value | 0);
}

/** u8 lives in 32-bit lanes and wraps after arithmetic. */
function wrap({ ctx, to }: Operands): void {
  if (to !== "u8") return;
  ctx.f.i32x4(255);
  ctx.f.op("v128.and");
}

function push({ ctx: { f } }: Operands, ...locals: number[]): void {
  for (const local of locals) f.get(local);
}

/** An instruction of every lane type. */
const unary =
  (name: string): Rule =>
  (o) => {
    push(o, o.a);
    o.ctx.f.op(`${laneType(o.from)}.${name}`);
    wrap(o);
  };
const binary =
  (name: string): Rule =>
  (o) => {
    push(o, o.a, o.b);
    o.ctx.f.op(`${laneType(o.from)}.${name}`);
    wrap(o);
  };
const bitwise =
  (name: string): Rule =>
  (o) => {
    push(o, o.a, o.b);
    o.ctx.f.op(`v128.${name}`);
  };
const math =
  (name: Parameters<typeof emitMath>[1]): Rule =>
  (o) =>
    emitMath(o.ctx, name, o.from, o.a);

/** The mask of a comparison, which for f64 is in 64-bit lanes until it is made a mask like all others. */
function compare(o: Operands, name: string, a = o.a, b = o.b): void {
  const { f } = o.ctx;
  push(o, a, b);
  f.op(`${laneType(o.from)}.${name}${isFloat(o.from) || name === "eq" ? "" : "_s"}`);
  if (o.from !== "f64") return;
  const mask = f.local("v128");
  f.tee(mask);
  f.get(mask);
  f.shuffle([0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);
}

function minmax(name: "min" | "max"): Rule {
  return (o) => {
    push(o, o.a, o.b);
    // true is the mask -1, the smaller of the two.
    if (o.from === "bool") o.ctx.f.op(name === "max" ? "v128.or" : "v128.and");
    else o.ctx.f.op(`${laneType(o.from)}.${name}${isFloat(o.from) ? "" : "_s"}`);
  };
}

/** floats: (a > 0 ? 1 : 0) - (a < 0 ? 1 : 0), so that NaN gives 0; integers: masks are -1. */
const sign: Rule = (o) => {
  const { f } = o.ctx;
  const type = laneType(o.from);
  const side = (name: string) => {
    push(o, o.a);
    pushConstant(o.ctx, o.from, 0);
    f.op(`${type}.${name}`);
    if (!isFloat(o.from)) return;
    pushConstant(o.ctx, o.from, 1);
    f.op("v128.and");
  };
  if (isFloat(o.from)) {
    side("gt");
    side("lt");
  } else {
    side("lt_s");
    side("gt_s");
  }
  f.op(`${type}.sub`);
};

/** Floats keep NaN, which no comparison holds for. */
const relu: Rule = (o) => {
  push(o, o.a);
  if (isFloat(o.from)) push(o, o.a);
  pushConstant(o.ctx, o.from, 0);
  if (isFloat(o.from)) o.ctx.f.op(`${laneType(o.from)}.le`, "v128.andnot");
  else o.ctx.f.op("i32x4.max_s");
};

/** i32 quotients, truncated; by zero: 0. Quotients of 32-bit numbers are exact enough in f64 for truncation. */
function quotient(o: Operands): void {
  const { f } = o.ctx;
  const half = (high: boolean) => {
    for (const x of [o.a, o.b]) {
      f.get(x);
      if (high) {
        f.get(x);
        f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
      }
      f.op("f64x2.convert_low_i32x4_s");
    }
    f.op("f64x2.div", "i32x4.trunc_sat_f64x2_s_zero");
  };
  half(false);
  if (countOf(o.ctx) > 2) {
    half(true);
    f.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  }
  push(o, o.b);
  f.i32x4(0);
  f.op("i32x4.ne", "v128.and");
  const found = f.local("v128");
  f.set(found);
  // -2^31 / -1 wraps, where the conversion saturates.
  push(o, o.a);
  f.op("i32x4.neg");
  f.get(found);
  push(o, o.b);
  f.i32x4(-1);
  f.op("i32x4.eq", "v128.bitselect");
}

const divide: Rule = (o) => (isFloat(o.from) ? binary("div")(o) : quotient(o));

/** Python's: the sign of the divisor. Of floats by an imported function, as exactness asks for long division. */
const remainder: Rule = (o) => {
  const { f } = o.ctx;
  if (isFloat(o.from)) return perLane(o.ctx, "remainder", o.from, [o.a, o.b]);
  const rest = f.local("v128");
  push(o, o.a);
  quotient(o);
  push(o, o.b);
  f.op("i32x4.mul", "i32x4.sub");
  push(o, o.b);
  f.i32x4(0);
  f.op("i32x4.ne", "v128.and");
  f.tee(rest);
  // Where the rest is not zero and its sign differs from the divisor's, one divisor more.
  push(o, o.b);
  f.get(rest);
  push(o, o.b);
  f.op("v128.xor");
  f.i32x4(0);
  f.op("i32x4.lt_s", "v128.and");
  f.get(rest);
  f.i32x4(0);
  f.op("i32x4.ne", "v128.and", "i32x4.add");
};

const shift =
  (name: "shl" | "shr_u"): Rule =>
  (o) => {
    const { f } = o.ctx;
    if (o.uniform) {
      push(o, o.a, o.b);
      f.lane("i32x4.extract_lane", 0);
      f.op(`i32x4.${name}`);
    } else {
      push(o, o.a);
      for (let lane = 0; lane < countOf(o.ctx); lane++) {
        for (const x of [o.a, o.b]) {
          f.get(x);
          f.lane("i32x4.extract_lane", lane);
        }
        f.op(`i32.${name}`);
        f.lane("i32x4.replace_lane", lane);
      }
    }
    wrap(o);
  };

const power: Rule = (o) => {
  if (isFloat(o.from)) return emitPow(o.ctx, o.from, o.a, o.b);
  perLane(o.ctx, "integerPower", o.from, [o.a, o.b]);
  wrap(o);
};

/** Floats saturate, and NaN is 0, as the conversion instructions do; as a bool, NaN is true. */
const cast: Rule = (o) => {
  const { f } = o.ctx;
  const { from, to } = o;
  push(o, o.a);
  if (from === to) return;
  if (to === "bool") {
    pushConstant(o.ctx, from, 0);
    f.op(`${laneType(from)}.ne`);
    if (from === "f64") {
      const mask = f.local("v128");
      f.tee(mask);
      f.get(mask);
      f.shuffle([0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);
    }
    return;
  }
  if (from === "bool") {
    f.i32x4(1);
    f.op("v128.and");
  }
  const integer = !isFloat(from);
  if (to === "f32") f.op(integer ? "f32x4.convert_i32x4_s" : "f32x4.demote_f64x2_zero");
  else if (to === "f64") f.op(integer ? "f64x2.convert_low_i32x4_s" : "f64x2.promote_low_f32x4");
  else if (!integer) f.op(from === "f32" ? "i32x4.trunc_sat_f32x4_s" : "i32x4.trunc_sat_f64x2_s_zero");
  wrap(o);
};

const where: Rule = (o) => {
  push(o, o.b, o.c, o.a);
  if (o.to === "f64") o.ctx.f.op("i64x2.extend_low_i32x4_s");
  o.ctx.f.op("v128.bitselect");
};

const fma: Rule = (o) => {
  push(o, o.a, o.b);
  if (o.ctx.relaxed) {
    push(o, o.c);
    o.ctx.f.op(`${laneType(o.from)}.relaxed_madd`);
  } else {
    o.ctx.f.op(`${laneType(o.from)}.mul`);
    push(o, o.c);
    o.ctx.f.op(`${laneType(o.from)}.add`);
  }
};

const rules: { readonly [K in ElementwiseOp]: Rule } = {
  neg: unary("neg"),
  abs: unary("abs"),
  sign,
  floor: unary("floor"),
  ceil: unary("ceil"),
  round: unary("nearest"),
  sqrt: unary("sqrt"),
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
  not: (o) => {
    push(o, o.a);
    o.ctx.f.op("v128.not");
  },
  cast,
  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: divide,
  pow: power,
  max: minmax("max"),
  min: minmax("min"),
  remainder,
  eq: (o) => compare(o, "eq"),
  // Of bools, as masks: true is less than false.
  lt: (o) => (o.from === "bool" ? compare(o, "lt", o.b, o.a) : compare(o, "lt")),
  le: (o) => (o.from === "bool" ? compare(o, "le", o.b, o.a) : compare(o, "le")),
  and: bitwise("and"),
  or: bitwise("or"),
  xor: bitwise("xor"),
  shl: shift("shl"),
  shr: shift("shr_u"),
  where,
  fma,
};

/** Leaves the result of an elementwise operation on the stack. */
export function emitElementwise(op: ElementwiseOp, o: Operands): void {
  rules[op](o);
}
