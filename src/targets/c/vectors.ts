import { InternalError } from "../../base/errors.ts";
import type { Expr, Type } from "../../lowered/ir.ts";
import { infix, libraryFunctions, type Operation } from "../../lowered/walk.ts";
import { literal } from "./literal.ts";
import { type CVectors, isFloat, vectorName } from "./types.ts";
import type { CWriter } from "./writer.ts";

/** Lanes of `a` where the mask is set, of `b` elsewhere; all integers. */
const blend = (mask: string, a: string, b: string): string => `((${mask} & ${a}) | (~${mask} & ${b}))`;

const isComparison = (op: string): boolean => op === "eq" || op === "ne" || op === "lt" || op === "le";

/** Prints operations on vectors. */
export class CVectorPrinter {
  readonly #w: CWriter;
  readonly #unit: CVectors;
  readonly #print: (e: Expr) => string;

  /** `print`: the text of an expression. */
  constructor(w: CWriter, unit: CVectors, print: (e: Expr) => string) {
    this.#w = w;
    this.#unit = unit;
    this.#print = print;
  }

  type(type: Type): string {
    const name = vectorName(type, this.#unit);
    if (name !== null) return name;
    throw new InternalError(
      `C: a unit of ${this.#unit.lanes} lanes has no vector of ${type.lanes} ${type.scalar}`,
    );
  }

  /** A name, or a number: what is used twice. */
  #named(e: Expr): string {
    const text = this.#print(e);
    return e.op === "const" || /^\w+$/.test(text) ? text : this.#w.define(this.type(e.type), text);
  }

  constant(type: Type, value: number): string {
    const { scalar } = type;
    if (scalar === "u32") return `(vu)splat_vi(${literal("i32", value | 0)})`;
    if (scalar === "bool") return `splat_vi(${value === 0 ? 0 : -1})`;
    return `splat_${this.type(type)}(${literal(scalar as "f32", value)})`;
  }

  /** Integers of the lanes' width. */
  #bits(type: Type): string {
    return type.scalar === "f64" ? (this.type(type) === "vw" ? "vx" : "vl") : "vi";
  }

  operation(e: Operation): string {
    const type = this.type(e.type);
    const from = e.args[0]!.type;
    if (e.op === "select") return this.#select(e.args as readonly [Expr, Expr, Expr], e.type);
    if (e.op === "splat") {
      const a = this.#print(e.args[0]!);
      if (e.type.scalar === "bool") return `splat_vi(-${a})`;
      return e.type.scalar === "u32" ? `(vu)splat_vi((int)${a})` : `splat_${type}(${a})`;
    }
    if (e.op === "bits") return `(${type})${this.#print(e.args[0]!)}`;
    if (isComparison(e.op)) {
      const text = this.#comparison(e);
      return from.scalar === "f64" ? `__builtin_convertvector(${text}, vi)` : `(vi)${text}`;
    }
    if (libraryFunctions.has(e.op)) return this.#library(e, type);
    const operator = infix[e.op];
    if (operator !== undefined) return this.#infix(e, operator, type);
    const args = e.args.map((a) => this.#named(a));
    const [a, b] = args as [string, string];
    switch (e.op) {
      case "shuffle":
        return `(${type})SHUFFLE(${a}, ${b}, ${e.from.join(", ")})`;
      case "rotate":
        return e.type.scalar === "u32" ? `(vu)rotate${e.by}_vi((vi)${a})` : `rotate${e.by}_${type}(${a})`;
      case "neg":
        return isFloat(from) ? `-${a}` : `(vi)(0 - (vu)${a})`;
      case "not":
        return `~${a}`;
      case "abs": {
        if (!isFloat(from)) return `(vi)(((vu)${a} ^ (vu)(${a} >> 31)) - (vu)(${a} >> 31))`;
        const magnitude = from.scalar === "f64" ? "0x7fffffffffffffffll" : "0x7fffffff";
        return `(${type})((${this.#bits(from)})${a} & ${magnitude})`;
      }
      case "min":
      case "max":
        if (isFloat(from)) return `${e.op}_${type}(${a}, ${b})`;
        return `(${type})${blend(`(${a} ${e.op === "max" ? ">" : "<"} ${b})`, `(vi)${a}`, `(vi)${b}`)}`;
      case "atMost":
      case "atLeast":
        return `${e.op === "atMost" ? "at_most" : "at_least"}_${type === "vd" ? "vw" : type}(${a}, ${b})`;
      case "widen": {
        if (this.#unit.doubles === this.#unit.lanes) return `__builtin_convertvector(${a}, vd)`;
        const whole = this.#w.define("vww", `__builtin_convertvector(${a}, vww)`);
        return `${e.part === 0 ? "LOW" : "HIGH"}(${whole})`;
      }
      case "narrow":
        if (from.scalar === "i64") return `(vi)low_words(${args.map((x) => `(vw)${x}`).join(", ")})`;
        return `__builtin_convertvector(${args.length === 1 ? a : `JOIN(${args.join(", ")})`}, ${type})`;
      case "convert":
        return this.#convert(from, e.type, a, type);
      default:
        // fma, floor, ceil, trunc, round, sqrt.
        return `${e.op}_${type}(${args.join(", ")})`;
    }
  }

  /** The mask of a comparison, with lanes as wide as what is compared. */
  #comparison(e: Operation): string {
    const [a, b] = e.args.map((x) => this.#named(x));
    return `(${a} ${infix[e.op]} ${b})`;
  }

  #infix(e: Operation, operator: string, type: string): string {
    const [left, right] = e.args as readonly [Expr, Expr];
    const { scalar } = left.type;
    const a = this.#named(left);
    const shifts = e.op === "shl" || e.op === "shr";
    if (shifts && right.op === "const") {
      const unsigned = scalar === "i64" ? `(vy)${a}` : e.op === "shl" ? `(vu)${a}` : a;
      return `(${type})(${unsigned} ${operator} ${right.value})`;
    }
    const b = this.#named(right);
    // Integers wrap, which C has only for unsigned ones.
    if (scalar === "i32" && ["add", "sub", "mul", "shl"].includes(e.op))
      return `(vi)((vu)${a} ${operator} (vu)${b})`;
    if (scalar === "i64") return `(vx)((vy)${a} ${operator} (vy)${b})`;
    return `(${a} ${operator} ${b})`;
  }

  #select([test, a, b]: readonly [Expr, Expr, Expr], type: Type): string {
    const bits = this.#bits(type);
    const wide = type.scalar === "f64";
    const same =
      isComparison(test.op) && ("args" in test ? test.args[0]!.type.scalar === "f64" : false) === wide;
    const mask = same ? this.#comparison(test as Operation) : this.#named(test);
    const own = wide && !same ? `__builtin_convertvector(${mask}, vl)` : mask;
    const named = this.#w.define(bits, `(${bits})${own}`, "m");
    const name = this.type(type);
    return `(${name})${blend(named, `(${bits})${this.#named(a)}`, `(${bits})${this.#named(b)}`)}`;
  }

  #convert(from: Type, to: Type, a: string, type: string): string {
    if (to.scalar === "bool") {
      const mask = `(${a} != 0)`;
      return from.scalar === "f64" ? `__builtin_convertvector(${mask}, vi)` : `(vi)${mask}`;
    }
    if (from.scalar === "u32" || to.scalar === "u32")
      throw new InternalError("C: vectors of u32 are not converted");
    const value = from.scalar === "bool" ? `(${a} & 1)` : a;
    if (isFloat(to)) return `__builtin_convertvector(${value}, ${type})`;
    return isFloat(from) ? this.#truncated(from, a) : value;
  }

  /** A float as an i32: towards zero, saturating, NaN is 0. */
  #truncated(from: Type, a: string): string {
    const bits = this.#bits(from);
    const mask = (text: string) =>
      from.scalar === "f64" ? `__builtin_convertvector(${text}, vi)` : `(vi)(${text})`;
    const [low, high] = [-2147483648, 2147483648].map((x) => this.constant(from, x));
    const inside = this.#w.define(bits, `(${bits})((${a} >= ${low}) & (${a} < ${high}))`, "m");
    const kept = this.#w.define(this.type(from), `(${this.type(from)})(${inside} & (${bits})${a})`);
    const above = mask(`${a} >= ${high}`);
    const below = mask(`${a} < ${low}`);
    return `(__builtin_convertvector(${kept}, vi) | (${above} & 0x7fffffff) | (${below} & (-2147483647 - 1)))`;
  }

  /** In f64, lane by lane. */
  #library(e: Operation, type: string): string {
    const args = e.args.map((x) => this.#named(x));
    const live = "live" in e && e.live !== undefined ? this.#print(e.live) : this.#unit.lanes;
    const result = this.#w.name("t");
    this.#w.line(`${type} ${result} = {0};`);
    const lane = args.map((x) => `${x}[l]`).join(", ");
    this.#w.line(`for (int l = 0; l < ${live}; l++) ${result}[l] = __builtin_${e.op}(${lane});`);
    return result;
  }
}
