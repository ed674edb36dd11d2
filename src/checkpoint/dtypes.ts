import type { DType } from "../base/dtype.ts";

/** The dtypes of safetensors that are held as they are; wide ones first, as they follow each other in a file. */
export const held: ReadonlyMap<string, DType> = new Map([
  ["F64", "f64"],
  ["F32", "f32"],
  ["I32", "i32"],
  ["BF16", "bf16"],
  ["F16", "f16"],
  ["I8", "i8"],
  ["U8", "u8"],
  ["BOOL", "bool"],
]);

/** What a dtype is called in a file. */
export const fileDtypeOf: ReadonlyMap<DType, string> = new Map(
  [...held].map(([name, dtype]) => [dtype, name]),
);

/** An array of integers of another width. */
export type IntegerArray =
  | typeof BigInt64Array
  | typeof BigUint64Array
  | typeof Uint32Array
  | typeof Int16Array
  | typeof Uint16Array;

/** The integers that are held as i32 where their values allow it, and the arrays they are in. */
export const integers: ReadonlyMap<string, IntegerArray> = new Map<string, IntegerArray>([
  ["I64", BigInt64Array],
  ["U64", BigUint64Array],
  ["U32", Uint32Array],
  ["I16", Int16Array],
  ["U16", Uint16Array],
]);
