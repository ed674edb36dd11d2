import { type DType, dtypes } from "../../base/dtype.ts";
import type { Access } from "../../plan/kernel.ts";
import type { FunctionBuilder } from "../../targets/wasm/emitter.ts";
import type { MathImports } from "./math.ts";

/** What the code of values needs to know of its surroundings. */
export interface ValueContext {
  readonly f: FunctionBuilder;
  readonly math: MathImports;
  readonly accesses: readonly Access[];
  /** Elements in a vector: 4, or 2 where anything is f64 (32-bit values are then in the low two lanes). */
  readonly lanes: 4 | 2;
  /** One element, in lane 0, by the same arithmetic: for what is left of a row. */
  readonly single: boolean;
  /** Whether `fma` may be a relaxed multiply-add. */
  readonly relaxed: boolean;
  /** i32 local with the byte address of the first element (for `index`: the index itself). */
  pointer(access: number): number;
  /** i32 local with the stride along the vector, in bytes (for `index`: in elements), of a strided access. */
  step(access: number): number;
  /** i32 local with the stride in bytes of the gathered axis. */
  axisStride(access: number): number;
  /** Bytes (for `index`: elements) beyond the pointer; 0 if left out. */
  offset?(access: number): number;
}

/** Elements that the code handles at once. */
export const countOf = (ctx: ValueContext): number => (ctx.single ? 1 : ctx.lanes);

/** The lanes to use for a kernel over these dtypes. */
export const lanesFor = (used: readonly DType[]): 4 | 2 => (used.includes("f64") ? 2 : 4);

const offsetOf = (ctx: ValueContext, access: number): number => ctx.offset?.(access) ?? 0;

/** Leaves the address of a lane on the stack. */
function pushAddress(ctx: ValueContext, access: number, lane: number, strided: boolean): void {
  const { f } = ctx;
  f.get(ctx.pointer(access));
  if (!strided || lane === 0) return;
  f.get(ctx.step(access));
  if (lane > 1) {
    f.i32(lane);
    f.op("i32.mul");
  }
  f.op("i32.add");
}

const loadByBytes: { readonly [bytes: number]: string } = { 1: "i32.load8_u", 2: "i32.load16_u" };

/** Elements at addresses of their own, as they are in memory; narrow ones extended with zeros to 32 bits. */
function loadLanes(ctx: ValueContext, bytes: number, offset: number, address: (lane: number) => void): void {
  const { f } = ctx;
  const narrow = loadByBytes[bytes];
  const got = f.local("v128");
  address(0);
  if (narrow === undefined) f.memory(`v128.load${bytes * 8}_zero`, offset);
  else {
    f.memory(narrow, offset);
    f.op("i32x4.splat");
  }
  for (let lane = 1; lane < countOf(ctx); lane++) {
    if (narrow === undefined) {
      f.set(got);
      address(lane);
      f.get(got);
      f.memoryLane(`v128.load${bytes * 8}_lane`, lane, offset);
    } else {
      address(lane);
      f.memory(narrow, offset);
      f.lane("i32x4.replace_lane", lane);
    }
  }
}

/** Consecutive elements, as `loadLanes` gives them. */
function loadUnit(ctx: ValueContext, bytes: number, offset: number): void {
  const { f } = ctx;
  const total = bytes * countOf(ctx);
  if (ctx.single && bytes < 4) {
    f.memory(loadByBytes[bytes]!, offset);
    f.op("i32x4.splat");
    return;
  }
  if (total === 16) f.memory("v128.load", offset);
  else if (total >= 4) f.memory(`v128.load${total * 8}_zero`, offset);
  else {
    f.memory("i32.load16_u", offset);
    f.op("i32x4.splat");
  }
  if (bytes === 1) f.op("i16x8.extend_low_i8x16_u");
  if (bytes <= 2) f.op("i32x4.extend_low_i16x8_u");
}

/** One element in all lanes. */
function loadSplat(ctx: ValueContext, bytes: number, offset: number): void {
  const narrow = loadByBytes[bytes];
  ctx.f.memory(narrow ?? `v128.load${bytes * 8}_splat`, offset);
  if (narrow !== undefined) ctx.f.op("i32x4.splat");
}

/** From what memory holds to what registers hold: bool is a mask, narrow floats are f32. */
function decode(ctx: ValueContext, dtype: DType): void {
  const { f } = ctx;
  if (dtype === "bool") {
    f.i32x4(0);
    f.op("i32x4.ne");
  } else if (dtype === "i8") {
    f.i32(24);
    f.op("i32x4.shl");
    f.i32(24);
    f.op("i32x4.shr_s");
  } else if (dtype === "bf16") {
    f.i32(16);
    f.op("i32x4.shl");
  } else if (dtype === "f16") decodeHalf(f);
}

/** Half precision: the bits as an f32 that is too small by 2^112, which one exact product puts right. */
function decodeHalf(f: FunctionBuilder): void {
  const bits = f.local("v128");
  const magnitude = f.local("v128");
  f.set(bits);
  f.get(bits);
  f.i32x4(0x7fff);
  f.op("v128.and");
  f.tee(magnitude);
  f.i32(13);
  f.op("i32x4.shl");
  f.i32x4(0x77800000);
  f.op("f32x4.mul");
  // Infinities and NaNs need the f32's whole exponent.
  f.get(magnitude);
  f.i32x4(0x7bff);
  f.op("i32x4.gt_s");
  f.i32x4(0x7f800000);
  f.op("v128.and", "v128.or");
  f.get(bits);
  f.i32x4(0x8000);
  f.op("v128.and");
  f.i32(16);
  f.op("i32x4.shl", "v128.or");
}

/** Leaves the vector of elements at an access on the stack. */
export function emitLoad(ctx: ValueContext, access: number): void {
  const { dtype, vector } = ctx.accesses[access]!;
  const { bytes } = dtypes[dtype];
  const offset = offsetOf(ctx, access);
  if (vector === "strided") loadLanes(ctx, bytes, offset, (lane) => pushAddress(ctx, access, lane, true));
  else {
    pushAddress(ctx, access, 0, false);
    if (vector === "unit") loadUnit(ctx, bytes, offset);
    else loadSplat(ctx, bytes, offset);
  }
  decode(ctx, dtype);
}

/** Leaves the elements at an access displaced by `index` · axisStride; `uniform`: the index is the same in all lanes. */
export function emitGather(ctx: ValueContext, access: number, index: number, uniform: boolean): void {
  const { f } = ctx;
  const { dtype, vector } = ctx.accesses[access]!;
  const { bytes } = dtypes[dtype];
  const offset = offsetOf(ctx, access);
  const displaced = (lane: number) => {
    f.get(index);
    f.lane("i32x4.extract_lane", lane);
    f.get(ctx.axisStride(access));
    f.op("i32.mul", "i32.add");
  };
  if (uniform && vector !== "strided") {
    f.get(ctx.pointer(access));
    displaced(0);
    if (vector === "unit") loadUnit(ctx, bytes, offset);
    else loadSplat(ctx, bytes, offset);
  } else
    loadLanes(ctx, bytes, offset, (lane) => {
      pushAddress(ctx, access, lane, vector === "strided");
      if (vector === "unit" && lane > 0) {
        f.i32(lane * bytes);
        f.op("i32.add");
      }
      displaced(uniform ? 0 : lane);
    });
  decode(ctx, dtype);
}

/** Leaves the indices at an access that has no memory. */
export function emitIndex(ctx: ValueContext, access: number): void {
  const { f } = ctx;
  const { vector } = ctx.accesses[access]!;
  f.get(ctx.pointer(access));
  const offset = offsetOf(ctx, access);
  if (offset !== 0) {
    f.i32(offset);
    f.op("i32.add");
  }
  f.op("i32x4.splat");
  if (vector === "uniform" || ctx.single) return;
  f.v128([0, 1, 2, 3]);
  if (vector === "strided") {
    f.get(ctx.step(access));
    f.op("i32x4.splat", "i32x4.mul");
  }
  f.op("i32x4.add");
}

/** From what registers hold to what memory holds, each element in the low bits of its lane. */
function encode(ctx: ValueContext, dtype: DType): void {
  const { f } = ctx;
  if (dtype === "bool") {
    f.i32x4(1);
    f.op("v128.and");
  } else if (dtype === "bf16") encodeBfloat(f);
  else if (dtype === "f16") encodeHalf(f);
}

/** Rounds to nearest even by adding just under half of the last bit that stays; NaNs only lose bits. */
function encodeBfloat(f: FunctionBuilder): void {
  const bits = f.local("v128");
  const high = f.local("v128");
  f.tee(bits);
  f.i32(16);
  f.op("i32x4.shr_u");
  f.tee(high);
  f.i32x4(0x40);
  f.op("v128.or");
  f.get(bits);
  f.get(high);
  f.i32x4(1);
  f.op("v128.and", "i32x4.add");
  f.i32x4(0x7fff);
  f.op("i32x4.add");
  f.i32(16);
  f.op("i32x4.shr_u");
  f.get(bits);
  f.get(bits);
  f.op("f32x4.ne", "v128.bitselect");
}

/**
 * Rounds to nearest even. Normal halves by integer arithmetic on the bits, as for bf16; subnormal ones by adding 0.5,
 * whose last bit is worth 2^-24; anything from 65520 on carries into infinity's bits, and what is larger is capped.
 */
function encodeHalf(f: FunctionBuilder): void {
  const bits = f.local("v128");
  const magnitude = f.local("v128");
  f.tee(bits);
  f.op("f32x4.abs");
  f.i32x4(0x47800000);
  // Bits of positive floats are in the order of the floats, and integer minimum keeps NaNs out of the arithmetic.
  f.op("i32x4.min_s");
  f.set(magnitude);
  // Subnormal.
  f.get(magnitude);
  f.i32x4(0x3f000000);
  f.op("f32x4.add");
  f.i32x4(0x3f000000);
  f.op("i32x4.sub");
  // Normal: 0xc8000000 is -112 in the exponent.
  f.get(magnitude);
  f.i32x4(0xc8000fff);
  f.op("i32x4.add");
  f.get(magnitude);
  f.i32(13);
  f.op("i32x4.shr_u");
  f.i32x4(1);
  f.op("v128.and", "i32x4.add");
  f.i32(13);
  f.op("i32x4.shr_u");
  f.get(magnitude);
  f.i32x4(0x38800000);
  f.op("i32x4.lt_s", "v128.bitselect");
  f.get(bits);
  f.i32(16);
  f.op("i32x4.shr_u");
  f.i32x4(0x8000);
  f.op("v128.and", "v128.or");
  f.set(magnitude);
  f.i32x4(0x7e00);
  f.get(magnitude);
  f.get(bits);
  f.get(bits);
  f.op("f32x4.ne", "v128.bitselect");
}

/** Byte shuffles that bring the low bytes of 32-bit lanes together. */
const pack: { readonly [bytes: number]: readonly number[] } = {
  1: [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12],
  2: [0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13],
};

/** Writes the value in a local through an access, narrowed to its dtype. */
export function emitStore(ctx: ValueContext, access: number, local: number): void {
  const { f } = ctx;
  const { dtype, vector } = ctx.accesses[access]!;
  const { bytes } = dtypes[dtype];
  const offset = offsetOf(ctx, access);
  const encoded = dtype === "bool" || dtype === "bf16" || dtype === "f16" ? f.local("v128") : local;
  if (encoded !== local) {
    f.get(local);
    encode(ctx, dtype);
    f.set(encoded);
  }
  const count = countOf(ctx);
  if (vector !== "unit" || count === 1) {
    // Through a stride of zero only the first lane is written: all are the same.
    for (let lane = 0; lane < (vector === "strided" ? count : 1); lane++) {
      pushAddress(ctx, access, lane, true);
      f.get(encoded);
      // A narrow element is in the low bits of its 32-bit lane.
      f.memoryLane(`v128.store${bytes * 8}_lane`, bytes < 4 ? lane * (4 / bytes) : lane, offset);
    }
    return;
  }
  pushAddress(ctx, access, 0, false);
  f.get(encoded);
  const shuffle = pack[bytes];
  if (shuffle !== undefined) {
    f.get(encoded);
    f.shuffle(shuffle);
  }
  if (bytes * count === 16) f.memory("v128.store", offset);
  else f.memoryLane(`v128.store${bytes * count * 8}_lane`, 0, offset);
}
