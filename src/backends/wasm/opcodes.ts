/** WebAssembly instructions by their standard names: the bytes that stand for them (SIMD ones are 0xfd and a LEB128). */
const simd = (code: number): number[] => (code < 128 ? [0xfd, code] : [0xfd, (code & 127) | 128, code >> 7]);

const from = (prefix: string, first: number, names: string, encode: (code: number) => number[] = (c) => [c]) =>
  names.split(" ").map((name, i) => [prefix + name, encode(first + i)] as const).filter(([name]) => !name.endsWith("-"));

const relaxed = (code: number): number[] => [0xfd, (code & 127) | 128, code >> 7];

/** Instructions without immediates. */
export const plainOps: Readonly<Record<string, readonly number[]>> = Object.fromEntries([
  ["unreachable", [0x00]], ["return", [0x0f]], ["drop", [0x1a]], ["select", [0x1b]],
  ...from("i32.", 0x45, "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"),
  ...from("i64.", 0x50, "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"),
  ...from("f32.", 0x5b, "eq ne lt gt le ge"),
  ...from("f64.", 0x61, "eq ne lt gt le ge"),
  ...from("i32.", 0x67, "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"),
  ...from("i64.", 0x79, "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"),
  ...from("f32.", 0x8b, "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign"),
  ...from("f64.", 0x99, "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign"),
  ["i32.wrap_i64", [0xa7]], ["i64.extend_i32_s", [0xac]], ["i64.extend_i32_u", [0xad]],
  ["f32.convert_i32_s", [0xb2]], ["f32.demote_f64", [0xb6]], ["f64.convert_i32_s", [0xb7]], ["f64.promote_f32", [0xbb]],
  ["i32.reinterpret_f32", [0xbc]], ["i64.reinterpret_f64", [0xbd]], ["f32.reinterpret_i32", [0xbe]], ["f64.reinterpret_i64", [0xbf]],
  ["i32.trunc_sat_f32_s", [0xfc, 0]], ["i32.trunc_sat_f64_s", [0xfc, 2]],
  ["i8x16.swizzle", simd(14)],
  ...from("", 15, "i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat", simd),
  ...from("i8x16.", 35, "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u", simd),
  ...from("i16x8.", 45, "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u", simd),
  ...from("i32x4.", 55, "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u", simd),
  ...from("f32x4.", 65, "eq ne lt gt le ge", simd),
  ...from("f64x2.", 71, "eq ne lt gt le ge", simd),
  ...from("v128.", 77, "not and andnot or xor bitselect any_true", simd),
  ["f32x4.demote_f64x2_zero", simd(94)], ["f64x2.promote_low_f32x4", simd(95)],
  ["i8x16.narrow_i16x8_s", simd(101)], ["i8x16.narrow_i16x8_u", simd(102)],
  ["f32x4.ceil", simd(103)], ["f32x4.floor", simd(104)], ["f32x4.trunc", simd(105)], ["f32x4.nearest", simd(106)],
  ["f64x2.ceil", simd(116)], ["f64x2.floor", simd(117)], ["f64x2.trunc", simd(122)], ["f64x2.nearest", simd(148)],
  ["i16x8.narrow_i32x4_s", simd(133)], ["i16x8.narrow_i32x4_u", simd(134)],
  ["i16x8.extend_low_i8x16_s", simd(135)], ["i16x8.extend_low_i8x16_u", simd(137)],
  ["i32x4.abs", simd(160)], ["i32x4.neg", simd(161)], ["i32x4.all_true", simd(163)], ["i32x4.bitmask", simd(164)],
  ["i32x4.extend_low_i16x8_s", simd(167)], ["i32x4.extend_high_i16x8_s", simd(168)],
  ["i32x4.extend_low_i16x8_u", simd(169)], ["i32x4.extend_high_i16x8_u", simd(170)],
  ["i32x4.shl", simd(171)], ["i32x4.shr_s", simd(172)], ["i32x4.shr_u", simd(173)], ["i32x4.add", simd(174)],
  ["i32x4.sub", simd(177)], ["i32x4.mul", simd(181)], ["i32x4.min_s", simd(182)], ["i32x4.min_u", simd(183)],
  ["i32x4.max_s", simd(184)], ["i32x4.max_u", simd(185)],
  ["i64x2.neg", simd(193)], ["i64x2.extend_low_i32x4_s", simd(199)], ["i64x2.extend_low_i32x4_u", simd(201)],
  ["i64x2.shl", simd(203)], ["i64x2.shr_s", simd(204)], ["i64x2.shr_u", simd(205)], ["i64x2.add", simd(206)], ["i64x2.sub", simd(209)],
  ...from("f32x4.", 224, "abs neg - sqrt add sub mul div min max pmin pmax", simd),
  ...from("f64x2.", 236, "abs neg - sqrt add sub mul div min max pmin pmax", simd),
  ["i32x4.trunc_sat_f32x4_s", simd(248)], ["f32x4.convert_i32x4_s", simd(250)],
  ["i32x4.trunc_sat_f64x2_s_zero", simd(252)], ["f64x2.convert_low_i32x4_s", simd(254)],
  ["f32x4.relaxed_madd", relaxed(0x105)], ["f32x4.relaxed_nmadd", relaxed(0x106)],
  ["f64x2.relaxed_madd", relaxed(0x107)], ["f64x2.relaxed_nmadd", relaxed(0x108)],
  ["atomic.fence", [0xfe, 0x03, 0x00]],
]);

/** Instructions with an alignment and an offset: opcode, and log2 of the bytes they touch. */
export const memoryOps: Readonly<Record<string, readonly [readonly number[], number]>> = {
  "i32.load": [[0x28], 2], "i64.load": [[0x29], 3], "f32.load": [[0x2a], 2], "f64.load": [[0x2b], 3],
  "i32.load8_s": [[0x2c], 0], "i32.load8_u": [[0x2d], 0], "i32.load16_s": [[0x2e], 1], "i32.load16_u": [[0x2f], 1],
  "i32.store": [[0x36], 2], "i64.store": [[0x37], 3], "f32.store": [[0x38], 2], "f64.store": [[0x39], 3],
  "i32.store8": [[0x3a], 0], "i32.store16": [[0x3b], 1],
  "v128.load": [simd(0), 4], "v128.store": [simd(11), 4],
  "v128.load8_splat": [simd(7), 0], "v128.load16_splat": [simd(8), 1], "v128.load32_splat": [simd(9), 2], "v128.load64_splat": [simd(10), 3],
  "v128.load32_zero": [simd(92), 2], "v128.load64_zero": [simd(93), 3],
  "memory.atomic.notify": [[0xfe, 0x00], 2], "memory.atomic.wait32": [[0xfe, 0x01], 2],
  "i64.atomic.load": [[0xfe, 0x11], 3], "i64.atomic.store": [[0xfe, 0x18], 3], "i64.atomic.rmw.cmpxchg": [[0xfe, 0x49], 3],
  "i32.atomic.load": [[0xfe, 0x10], 2], "i32.atomic.store": [[0xfe, 0x17], 2],
  "i32.atomic.rmw.add": [[0xfe, 0x1e], 2], "i32.atomic.rmw.sub": [[0xfe, 0x25], 2],
  "i32.atomic.rmw.xchg": [[0xfe, 0x41], 2], "i32.atomic.rmw.cmpxchg": [[0xfe, 0x48], 2],
};

/** Instructions with a lane number. */
export const laneOps: Readonly<Record<string, readonly number[]>> = {
  "i8x16.extract_lane_u": simd(22), "i8x16.replace_lane": simd(23),
  "i32x4.extract_lane": simd(27), "i32x4.replace_lane": simd(28),
  "i64x2.extract_lane": simd(29), "i64x2.replace_lane": simd(30),
  "f32x4.extract_lane": simd(31), "f32x4.replace_lane": simd(32),
  "f64x2.extract_lane": simd(33), "f64x2.replace_lane": simd(34),
};

/** Instructions with an alignment, an offset and a lane number. */
export const memoryLaneOps: Readonly<Record<string, readonly [readonly number[], number]>> = {
  "v128.load8_lane": [simd(84), 0], "v128.load16_lane": [simd(85), 1], "v128.load32_lane": [simd(86), 2], "v128.load64_lane": [simd(87), 3],
  "v128.store8_lane": [simd(88), 0], "v128.store16_lane": [simd(89), 1], "v128.store32_lane": [simd(90), 2], "v128.store64_lane": [simd(91), 3],
};
