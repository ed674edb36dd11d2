import { constant, type KernelBuilder, ops, typeOf } from "../lowered/build.ts";
import type { Expr, Scalar } from "../lowered/ir.ts";

/** The vectors of a target. */
export interface Registers {
  /** Lanes of 32 bits: as many as fill a register, or half of them where a kernel has f64. */
  readonly lanes: number;
  /** Lanes of f64 that fill a register. */
  readonly doubles: number;
  /** Whether polynomials may use a fused multiply-add. */
  readonly fma: boolean;
}

/**
 * What vectors of floats of 32 and 64 bits share. Operands may be floats, or integers that are their bits; a mask is a bool
 * until something takes its bits. What is used more than once goes through `keep`.
 */
export class ExprArithmetic {
  protected readonly lanes: number;
  readonly #b: KernelBuilder;
  readonly #fma: boolean;
  readonly #float: "f32" | "f64";
  readonly #integer: "i32" | "i64";

  constructor(b: KernelBuilder, float: "f32" | "f64", lanes: number, fma: boolean) {
    this.#b = b;
    this.lanes = lanes;
    this.#float = float;
    this.#integer = float === "f32" ? "i32" : "i64";
    this.#fma = fma;
  }

  /** The same bits as another scalar. */
  #as(a: Expr, scalar: Scalar): Expr {
    return a.type.scalar === scalar ? a : ops.bits(a, scalar);
  }
  protected float(a: Expr): Expr {
    return this.#as(a, this.#float);
  }
  protected whole(a: Expr): Expr {
    return this.#as(a, this.#integer);
  }
  protected constant(scalar: Scalar, value: number): Expr {
    return constant(typeOf(scalar, this.lanes), value);
  }
  /** A bitwise operation: masks stay masks. */
  protected bitwise(of: (a: Expr, b: Expr) => Expr, a: Expr, b: Expr): Expr {
    const masks = a.type.scalar === "bool" && b.type.scalar === "bool";
    return masks ? of(a, b) : of(this.whole(a), this.whole(b));
  }

  /** A number in all lanes. */
  k(value: number): Expr {
    return this.constant(this.#float, value);
  }
  /** Computes once; what it gives may be used any number of times. */
  keep(a: Expr): Expr {
    return this.#b.let("t", a);
  }
  add(a: Expr, b: Expr): Expr {
    return ops.add(this.float(a), this.float(b));
  }
  sub(a: Expr, b: Expr): Expr {
    return ops.sub(this.float(a), this.float(b));
  }
  mul(a: Expr, b: Expr): Expr {
    return ops.mul(this.float(a), this.float(b));
  }
  div(a: Expr, b: Expr): Expr {
    return ops.div(this.float(a), this.float(b));
  }
  /** a · b + c, rounded once or twice. */
  mulAdd(a: Expr, b: Expr, c: Expr): Expr {
    return this.#fma ? ops.fma(this.float(a), this.float(b), this.float(c)) : this.add(this.mul(a, b), c);
  }
  /** c - a · b, rounded once or twice. */
  mulSub(a: Expr, b: Expr, c: Expr): Expr {
    // Of the two it is b that may be a constant, and is then negated once.
    if (this.#fma) return ops.fma(this.float(a), ops.unary("neg", this.float(b)), this.float(c));
    return this.sub(c, this.mul(a, b));
  }
  abs(a: Expr): Expr {
    return ops.unary("abs", this.float(a));
  }
  lt(a: Expr, b: Expr): Expr {
    return ops.lt(this.float(a), this.float(b));
  }
  eq(a: Expr, b: Expr): Expr {
    return ops.eq(this.float(a), this.float(b));
  }
  and(a: Expr, b: Expr): Expr {
    return this.bitwise(ops.and, a, b);
  }
  /** Lanes of a where the mask is set, of b elsewhere. */
  where(mask: Expr, a: Expr, b: Expr): Expr {
    return ops.select(mask, this.float(a), this.float(b));
  }
  /** The smaller; a NaN stays one. */
  atMost(a: Expr, limit: Expr): Expr {
    return ops.atMost(this.float(a), limit);
  }
  atLeast(a: Expr, limit: Expr): Expr {
    return ops.atLeast(this.float(a), limit);
  }
  /** Of integers, which wrap. */
  addBits(a: Expr, b: Expr): Expr {
    return ops.add(this.whole(a), this.whole(b));
  }
  subBits(a: Expr, b: Expr): Expr {
    return ops.sub(this.whole(a), this.whole(b));
  }
  shl(a: Expr, by: number): Expr {
    return ops.shl(this.whole(a), this.constant(this.#integer, by));
  }
}

const view = new DataView(new ArrayBuffer(8));

/** As many f64 as fill a register, whose bits are also an i64's. */
export class ExprWide extends ExprArithmetic {
  constructor(b: KernelBuilder, { doubles, fma }: Registers) {
    super(b, "f64", doubles, fma);
  }
  /** The language has no constants of i64: they are the bits of f64. */
  bits(value: bigint): Expr {
    view.setBigInt64(0, value);
    return this.whole(this.k(view.getFloat64(0)));
  }
  /** Few machines make floats of i64: the bits become the last ones of 2^52 + 2^11, which is then taken off. */
  topBits(a: Expr): Expr {
    const flipped = ops.xor(this.whole(a), this.bits(-(1n << 63n)));
    const counted = ops.or(ops.shr(flipped, this.constant("i64", 52)), this.bits(0x4330000000000000n));
    return this.sub(counted, this.k(2 ** 52 + 2 ** 11));
  }
}

/** Vectors as expressions: what polynomials are computed with. */
export class ExprLanes extends ExprArithmetic {
  readonly wide: ExprWide;
  readonly #doubles: number;

  constructor(b: KernelBuilder, registers: Registers) {
    super(b, "f32", registers.lanes, registers.fma);
    this.wide = new ExprWide(b, registers);
    this.#doubles = registers.doubles;
  }
  bits(value: number): Expr {
    return this.constant("i32", value | 0);
  }
  neg(a: Expr): Expr {
    return ops.unary("neg", this.float(a));
  }
  trunc(a: Expr): Expr {
    return ops.unary("trunc", this.float(a));
  }
  gt(a: Expr, b: Expr): Expr {
    return this.lt(b, a);
  }
  ne(a: Expr, b: Expr): Expr {
    return ops.ne(this.float(a), this.float(b));
  }
  or(a: Expr, b: Expr): Expr {
    return this.bitwise(ops.or, a, b);
  }
  xor(a: Expr, b: Expr): Expr {
    return this.bitwise(ops.xor, a, b);
  }
  neBits(a: Expr, b: Expr): Expr {
    return ops.ne(this.whole(a), this.whole(b));
  }
  shrSigned(a: Expr, by: number): Expr {
    return ops.shr(this.whole(a), this.constant("i32", by));
  }
  toFloat(a: Expr): Expr {
    return ops.convert(this.whole(a), "f32");
  }
  /** The lanes as f64, in parts of a register. */
  widen(a: Expr): Expr[] {
    return Array.from({ length: this.lanes / this.#doubles }, (_, part) =>
      this.keep(ops.widen(this.#valueOf(a), part, this.#doubles)),
    );
  }
  /** Floats, or whole numbers as they are. */
  #valueOf(a: Expr): Expr {
    return a.type.scalar === "i32" ? a : this.float(a);
  }
  /** All parts rounded to f32. */
  narrow(parts: readonly Expr[]): Expr {
    return ops.narrow(parts, "f32");
  }
  /** The low i32 of each lane of all parts. */
  lowWords(parts: readonly Expr[]): Expr {
    return ops.narrow(
      parts.map((part) => ops.bits(part, "i64")),
      "i32",
    );
  }
}
