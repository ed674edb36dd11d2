/** Arithmetic on vectors of one type of floats, for code that several targets share. A mask has all bits of a lane. */
export interface Arithmetic<V> {
  /** A number in all lanes. */
  k(value: number): V;
  /** Computes once; what it gives may be used any number of times, anything else once. */
  keep(a: V): V;
  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  mul(a: V, b: V): V;
  div(a: V, b: V): V;
  /** a · b + c, rounded once or twice. */
  mulAdd(a: V, b: V, c: V): V;
  /** c - a · b, rounded once or twice. */
  mulSub(a: V, b: V, c: V): V;
  abs(a: V): V;
  /** The mask of a < b: not set for NaN. */
  lt(a: V, b: V): V;
  eq(a: V, b: V): V;
  and(a: V, b: V): V;
  /** Lanes of a where the mask is set, of b elsewhere. */
  where(mask: V, a: V, b: V): V;
  /** The smaller; a NaN stays one. */
  atMost(a: V, limit: V): V;
  /** The larger; a NaN stays one. */
  atLeast(a: V, limit: V): V;
}

/** Vectors of f32, whose bits are also an i32's: operations say what they take them for. */
export interface Lanes<V> extends Arithmetic<V> {
  /** An i32 in all lanes. */
  bits(value: number): V;
  neg(a: V): V;
  /** Towards zero. */
  trunc(a: V): V;
  gt(a: V, b: V): V;
  ne(a: V, b: V): V;
  or(a: V, b: V): V;
  xor(a: V, b: V): V;
  /** Of i32, which wrap. */
  addBits(a: V, b: V): V;
  subBits(a: V, b: V): V;
  /** The mask of i32 that differ. */
  neBits(a: V, b: V): V;
  /** Shifts of i32 by a constant; to the right the sign fills in. */
  shl(a: V, by: number): V;
  shrSigned(a: V, by: number): V;
  /** i32 as f32. */
  toFloat(a: V): V;
}

/** Vectors of f64, whose bits are also an i64's. */
export interface WideLanes<W> extends Arithmetic<W> {
  /** An i64 in all lanes. */
  bits(value: bigint): W;
  /** Of i64, which wrap. */
  addBits(a: W, b: W): W;
  subBits(a: W, b: W): W;
  /** Shift of i64 by a constant. */
  shl(a: W, by: number): W;
  /** The topmost 12 bits, signed, as a number: the exponent of a difference of bits. */
  topBits(a: W): W;
}

/** Vectors of f32 that can be computed with in f64, in as many parts as the target likes. */
export interface WideningLanes<V, W> extends Lanes<V> {
  readonly wide: WideLanes<W>;
  /** The lanes as f64, to be used any number of times. */
  widen(a: V): W[];
  /** All parts rounded to f32. */
  narrow(parts: readonly W[]): V;
  /** The low i32 of each lane of all parts. */
  lowWords(parts: readonly W[]): V;
}
