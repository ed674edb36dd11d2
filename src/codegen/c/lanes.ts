import type { Arithmetic, WideLanes, WideningLanes } from "../lanes.ts";
import { blend } from "./access.ts";
import { literal } from "./literal.ts";
import type { CTarget } from "./target.ts";
import type { CWriter } from "./writer.ts";

/** Names of a vector's types: of floats, and of integers with as many bits. */
interface Types {
  readonly float: "vf" | "vw";
  readonly signed: "vi" | "vx";
  readonly unsigned: "vu" | "vy";
}

/** What floats of 32 and 64 bits share: every method defines a variable, of the type of floats, and gives its name. */
abstract class CArithmetic implements Arithmetic<string> {
  readonly #w: CWriter;
  readonly #fma: boolean;
  readonly #types: Types;

  constructor(w: CWriter, target: CTarget, types: Types) {
    this.#w = w;
    this.#fma = target.fma;
    this.#types = types;
  }

  protected define(expression: string): string {
    return this.#w.define(this.#types.float, expression);
  }
  /** Of bits, which an expression has as a vector of another type. */
  protected same(expression: string): string {
    return this.define(`(${this.#types.float})(${expression})`);
  }
  protected signed(a: string): string {
    return `(${this.#types.signed})${a}`;
  }
  /** Integers wrap, which C has only for unsigned ones. */
  protected unsigned(a: string): string {
    return `(${this.#types.unsigned})${a}`;
  }

  abstract k(value: number): string;
  abstract abs(a: string): string;
  keep(a: string): string {
    return a;
  }
  add(a: string, b: string): string {
    return this.define(`${a} + ${b}`);
  }
  sub(a: string, b: string): string {
    return this.define(`${a} - ${b}`);
  }
  mul(a: string, b: string): string {
    return this.define(`${a} * ${b}`);
  }
  div(a: string, b: string): string {
    return this.define(`${a} / ${b}`);
  }
  mulAdd(a: string, b: string, c: string): string {
    return this.define(this.#fma ? `fma_${this.#types.float}(${a}, ${b}, ${c})` : `${a} * ${b} + ${c}`);
  }
  mulSub(a: string, b: string, c: string): string {
    // Of the two it is b that may be a constant, and is then negated once.
    return this.define(this.#fma ? `fma_${this.#types.float}(${a}, -${b}, ${c})` : `${c} - ${a} * ${b}`);
  }
  lt(a: string, b: string): string {
    return this.same(`${a} < ${b}`);
  }
  eq(a: string, b: string): string {
    return this.same(`${a} == ${b}`);
  }
  and(a: string, b: string): string {
    return this.same(`${this.signed(a)} & ${this.signed(b)}`);
  }
  where(mask: string, a: string, b: string): string {
    return this.same(blend(this.signed(mask), this.signed(a), this.signed(b)));
  }
  atMost(a: string, limit: string): string {
    return this.define(`at_most_${this.#types.float}(${a}, ${limit})`);
  }
  atLeast(a: string, limit: string): string {
    return this.define(`at_least_${this.#types.float}(${a}, ${limit})`);
  }
  addBits(a: string, b: string): string {
    return this.same(`${this.unsigned(a)} + ${this.unsigned(b)}`);
  }
  subBits(a: string, b: string): string {
    return this.same(`${this.unsigned(a)} - ${this.unsigned(b)}`);
  }
  shl(a: string, by: number): string {
    return this.same(`${this.unsigned(a)} << ${by}`);
  }
}

class CWide extends CArithmetic implements WideLanes<string> {
  constructor(w: CWriter, target: CTarget) {
    super(w, target, { float: "vw", signed: "vx", unsigned: "vy" });
  }
  k(value: number): string {
    return `splat_vw(${literal("f64", value)})`;
  }
  bits(value: bigint): string {
    return `splat_vx(${value}ll)`;
  }
  abs(a: string): string {
    return this.same(`${this.signed(a)} & 0x7fffffffffffffffll`);
  }
  /** Few machines make floats of i64: the bits become the last ones of 2^52 + 2^11, which is then taken off. */
  topBits(a: string): string {
    const counted = this.same(`((${this.unsigned(a)} ^ 1ull << 63) >> 52) | 0x4330000000000000ull`);
    return this.sub(counted, this.k(2 ** 52 + 2 ** 11));
  }
}

/** Vectors of a unit's lanes, as expressions of type `vf`; in f64 `vw`, the prelude's parts of them. */
export class CLanes extends CArithmetic implements WideningLanes<string, string> {
  readonly wide: WideLanes<string>;
  readonly #w: CWriter;
  readonly #parts: number;

  /** `lanes`: of the unit, of which f64 fill one register or two. */
  constructor(w: CWriter, target: CTarget, lanes: number) {
    super(w, target, { float: "vf", signed: "vi", unsigned: "vu" });
    this.wide = new CWide(w, target);
    this.#w = w;
    this.#parts = (lanes * 8) / target.vectorBytes;
  }
  k(value: number): string {
    return `splat_vf(${literal("f32", value)})`;
  }
  bits(value: number): string {
    return `(vf)splat_vi(${literal("i32", value | 0)})`;
  }
  neg(a: string): string {
    return this.define(`-${a}`);
  }
  abs(a: string): string {
    return this.same(`${this.signed(a)} & 0x7fffffff`);
  }
  trunc(a: string): string {
    return this.define(`trunc_vf(${a})`);
  }
  gt(a: string, b: string): string {
    return this.lt(b, a);
  }
  ne(a: string, b: string): string {
    return this.same(`${a} != ${b}`);
  }
  or(a: string, b: string): string {
    return this.same(`${this.signed(a)} | ${this.signed(b)}`);
  }
  xor(a: string, b: string): string {
    return this.same(`${this.signed(a)} ^ ${this.signed(b)}`);
  }
  neBits(a: string, b: string): string {
    return this.same(`${this.signed(a)} != ${this.signed(b)}`);
  }
  shrSigned(a: string, by: number): string {
    return this.same(`${this.signed(a)} >> ${by}`);
  }
  toFloat(a: string): string {
    return this.define(`__builtin_convertvector(${this.signed(a)}, vf)`);
  }

  widen(a: string): string[] {
    const whole = this.#w.define("vww", `__builtin_convertvector(${a}, vww)`);
    if (this.#parts === 1) return [whole];
    return ["LOW", "HIGH"].map((half) => this.#w.define("vw", `${half}(${whole})`));
  }
  narrow(parts: readonly string[]): string {
    const whole = parts.length === 1 ? parts[0] : `JOIN(${parts.join(", ")})`;
    return this.define(`__builtin_convertvector(${whole}, vf)`);
  }
  lowWords(parts: readonly string[]): string {
    return this.define(`low_words(${parts.join(", ")})`);
  }
}
