import type { Arithmetic, WideLanes, WideningLanes } from "../../codegen/lanes.ts";
import type { FunctionBuilder } from "../../targets/wasm/emitter.ts";

/** Code that leaves a vector on the stack. */
export type Code = () => void;

/** What floats of 32 and 64 bits share: methods give code, and write nothing but what `keep` is given. */
abstract class WasmArithmetic implements Arithmetic<Code> {
  readonly f: FunctionBuilder;
  readonly #floats: "f32x4" | "f64x2";
  readonly #integers: "i32x4" | "i64x2";

  constructor(f: FunctionBuilder, floats: "f32x4" | "f64x2") {
    this.f = f;
    this.#floats = floats;
    this.#integers = floats === "f32x4" ? "i32x4" : "i64x2";
  }

  /** A local as an operand. */
  of(local: number): Code {
    return () => this.f.get(local);
  }
  keep(a: Code): Code {
    const local = this.f.local("v128");
    a();
    this.f.set(local);
    return this.of(local);
  }
  /** An instruction by its whole name. */
  protected op(name: string, ...operands: readonly Code[]): Code {
    return () => {
      for (const operand of operands) operand();
      this.f.op(name);
    };
  }
  /** An instruction of the floats. */
  protected float(name: string, ...operands: readonly Code[]): Code {
    return this.op(`${this.#floats}.${name}`, ...operands);
  }
  /** An instruction of the integers that have the floats' bits. */
  protected integer(name: string, ...operands: readonly Code[]): Code {
    return this.op(`${this.#integers}.${name}`, ...operands);
  }
  protected shift(name: string, a: Code, by: number): Code {
    return this.integer(name, a, () => this.f.i32(by));
  }

  k(value: number): Code {
    return () => this.f[this.#floats](value);
  }
  add(a: Code, b: Code): Code {
    return this.float("add", a, b);
  }
  sub(a: Code, b: Code): Code {
    return this.float("sub", a, b);
  }
  mul(a: Code, b: Code): Code {
    return this.float("mul", a, b);
  }
  div(a: Code, b: Code): Code {
    return this.float("div", a, b);
  }
  // Apart even where a fused instruction exists: the bits are the same with and without.
  mulAdd(a: Code, b: Code, c: Code): Code {
    return this.add(this.mul(a, b), c);
  }
  mulSub(a: Code, b: Code, c: Code): Code {
    return this.sub(c, this.mul(a, b));
  }
  abs(a: Code): Code {
    return this.float("abs", a);
  }
  lt(a: Code, b: Code): Code {
    return this.float("lt", a, b);
  }
  eq(a: Code, b: Code): Code {
    return this.float("eq", a, b);
  }
  and(a: Code, b: Code): Code {
    return this.op("v128.and", a, b);
  }
  where(mask: Code, a: Code, b: Code): Code {
    return this.op("v128.bitselect", a, b, mask);
  }
  // pmin and pmax give their first operand if anything is NaN, in one instruction.
  atMost(a: Code, limit: Code): Code {
    return this.float("pmin", a, limit);
  }
  atLeast(a: Code, limit: Code): Code {
    return this.float("pmax", a, limit);
  }
  addBits(a: Code, b: Code): Code {
    return this.integer("add", a, b);
  }
  subBits(a: Code, b: Code): Code {
    return this.integer("sub", a, b);
  }
  shl(a: Code, by: number): Code {
    return this.shift("shl", a, by);
  }
}

class WasmWide extends WasmArithmetic implements WideLanes<Code> {
  constructor(f: FunctionBuilder) {
    super(f, "f64x2");
  }
  bits(value: bigint): Code {
    const [low, high] = [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
    return () => this.f.v128([low, high, low, high]);
  }
  topBits(a: Code): Code {
    return () => {
      a();
      a();
      this.f.shuffle([4, 5, 6, 7, 12, 13, 14, 15, 4, 5, 6, 7, 12, 13, 14, 15]);
      this.f.i32(20);
      this.f.op("i32x4.shr_s", "f64x2.convert_low_i32x4_s");
    };
  }
}

/** Vectors of four f32 in locals of a function, in f64 as two halves. */
export class WasmLanes extends WasmArithmetic implements WideningLanes<Code, Code> {
  readonly wide: WideLanes<Code>;

  constructor(f: FunctionBuilder) {
    super(f, "f32x4");
    this.wide = new WasmWide(f);
  }
  bits(value: number): Code {
    return () => this.f.i32x4(value);
  }
  neg(a: Code): Code {
    return this.float("neg", a);
  }
  trunc(a: Code): Code {
    return this.float("trunc", a);
  }
  gt(a: Code, b: Code): Code {
    return this.float("gt", a, b);
  }
  ne(a: Code, b: Code): Code {
    return this.float("ne", a, b);
  }
  or(a: Code, b: Code): Code {
    return this.op("v128.or", a, b);
  }
  xor(a: Code, b: Code): Code {
    return this.op("v128.xor", a, b);
  }
  neBits(a: Code, b: Code): Code {
    return this.integer("ne", a, b);
  }
  shrSigned(a: Code, by: number): Code {
    return this.shift("shr_s", a, by);
  }
  toFloat(a: Code): Code {
    return this.float("convert_i32x4_s", a);
  }

  widen(a: Code): Code[] {
    const high = () => {
      a();
      a();
      this.f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
    };
    return [a, high].map((half) => this.keep(this.op("f64x2.promote_low_f32x4", half)));
  }
  narrow(parts: readonly Code[]): Code {
    return () => {
      for (const part of parts) this.op("f32x4.demote_f64x2_zero", part)();
      this.f.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
    };
  }
  lowWords(parts: readonly Code[]): Code {
    return () => {
      for (const part of parts) part();
      this.f.shuffle([0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]);
    };
  }
}
