import { OutOfMemoryError } from "./errors.ts";
import { mib } from "./mib.ts";

/** Element types. The first five compute; the rest are storage types, widened to f32 or i32 on use. */
export type DType = "f32" | "f64" | "i32" | "u8" | "bool" | "bf16" | "f16" | "i8";

/** The typed arrays that hold elements (bool in a Uint8Array; bf16 and f16 as raw bits). */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array | Int8Array;

interface DTypeInfo {
  bytes: number;
  float: boolean;
  compute: boolean;
  array: {
    new (length: number): TypedArray;
    new (buffer: ArrayBufferLike, offset?: number, length?: number): TypedArray;
  };
  /** PyTorch's name. */
  torch: string;
}

const f = (bytes: number, float: boolean, compute: boolean, array: unknown, torch: string): DTypeInfo => ({
  bytes,
  float,
  compute,
  array: array as DTypeInfo["array"],
  torch,
});

/** Facts about each dtype. */
export const dtypes: { readonly [D in DType]: DTypeInfo } = {
  f32: f(4, true, true, Float32Array, "float32"),
  f64: f(8, true, true, Float64Array, "float64"),
  i32: f(4, false, true, Int32Array, "int32"),
  u8: f(1, false, true, Uint8Array, "uint8"),
  bool: f(1, false, true, Uint8Array, "bool"),
  bf16: f(2, true, false, Uint16Array, "bfloat16"),
  f16: f(2, true, false, Uint16Array, "float16"),
  i8: f(1, false, false, Int8Array, "int8"),
};

/** Whether a dtype is a floating-point type. */
export const isFloat = (dtype: DType): boolean => dtypes[dtype].float;

const integerRanges: { readonly [D in DType]?: readonly [low: number, high: number] } = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u8: [0, 255],
  i8: [-128, 127],
};

/** The smallest and largest number of an integer dtype; null for floats and bool. */
export const integerRange = (dtype: DType): readonly [low: number, high: number] | null =>
  integerRanges[dtype] ?? null;

/** A new zeroed array of `length` elements of a dtype. */
export function allocate(dtype: DType, length: number): TypedArray {
  const { array, bytes } = dtypes[dtype];
  try {
    return new array(length);
  } catch (cause) {
    throw new OutOfMemoryError(
      `${length} elements of ${dtype} take ${mib(length * bytes)}, which is more than there is in one piece. Use smaller batches or a smaller model.`,
      { cause },
    );
  }
}

/** Bytes that are looked at at a time at most: an array of bytes has 2³² of them, and memory may have more. */
export const windowBytes = 2 ** 30;

/** The stretches, each of `windowBytes` at most, in which so many bytes are looked at one after the other. */
export function* windowsOf(bytes: number): Generator<[from: number, length: number]> {
  for (let from = 0; from < bytes; from += windowBytes) yield [from, Math.min(windowBytes, bytes - from)];
}

/** The bytes under a typed array, or some of them. */
export const bytesOf = (array: TypedArray, from = 0, length: number = array.byteLength - from): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset + from, length);

/** Rounds a number to what a dtype can hold, as a store to memory does (integers wrap, bool is 0 or 1). */
export function roundTo(dtype: DType, value: number): number {
  switch (dtype) {
    case "f32":
      return Math.fround(value);
    case "f64":
      return value;
    case "i32":
      return value | 0;
    case "u8":
      return value & 255;
    case "i8":
      return (value << 24) >> 24;
    case "bool":
      return value === 0 ? 0 : 1;
    case "bf16":
      return bf16ToNumber(numberToBf16(value));
    case "f16":
      return f16ToNumber(numberToF16(value));
  }
}

const scratch = new DataView(new ArrayBuffer(8));

/** The raw bits of a number as bfloat16, rounded to nearest even. */
function numberToBf16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number that bfloat16 bits stand for. */
function bf16ToNumber(bits: number): number {
  scratch.setUint32(0, (bits << 16) >>> 0);
  return scratch.getFloat32(0);
}

/** The raw bits of a number as IEEE half precision, rounded to nearest even. */
function numberToF16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude || 1e-30)));
  const scaled = magnitude / 2 ** (exponent - 10);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const mantissa = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // A mantissa that rounds up to 2048 carries into the exponent by itself; subnormals have exponent field 0.
  return sign | (exponent === -14 && mantissa < 1024 ? mantissa : ((exponent + 14) << 10) + mantissa);
}

/** The number that half-precision bits stand for. */
function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** Reads element `index` of raw storage as a number. */
export function readElement(dtype: DType, data: TypedArray, index: number): number {
  const raw = data[index] as number;
  return dtype === "bf16" ? bf16ToNumber(raw) : dtype === "f16" ? f16ToNumber(raw) : raw;
}

/** Writes a number as element `index` of raw storage, rounded to the dtype. */
export function writeElement(dtype: DType, data: TypedArray, index: number, value: number): void {
  data[index] =
    dtype === "bf16"
      ? numberToBf16(value)
      : dtype === "f16"
        ? numberToF16(value)
        : dtype === "bool"
          ? Number(value !== 0)
          : value;
}

const category: { [D in DType]: number } = { bool: 0, u8: 1, i8: 1, i32: 1, bf16: 2, f16: 2, f32: 2, f64: 2 };
const width: { [D in DType]: number } = { bool: 0, u8: 1, i8: 1, i32: 3, bf16: 4, f16: 4, f32: 5, f64: 6 };

/** The dtype that two tensors meet in, as `torch.promote_types`. */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b) return a;
  if (category[a] !== category[b]) return category[a] > category[b] ? a : b;
  if (width[a] !== width[b]) return width[a] > width[b] ? a : b;
  // u8 with i8 needs 16 bits (i32 is the next we have); bf16 with f16 needs f32.
  return category[a] === 1 ? "i32" : "f32";
}
