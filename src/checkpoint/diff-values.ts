/** How elements of a dtype of safetensors files are read as numbers. */
export interface Decoder {
  readonly bytes: number;
  /** Of integers of 64 bits, which are decoded to the nearest number: what they are exactly. */
  readonly wide: ((bytes: Uint8Array) => BigInt64Array | BigUint64Array) | null;
  /** The elements in some bytes (aligned to an element) as numbers: a view of the bytes, or what is put into `room`. */
  readonly decode: (bytes: Uint8Array, room: ArrayBuffer) => NumberArray;
}

/** Numbers of any width. */
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A float of few bits: a sign, an exponent and a mantissa. */
export interface FloatFormat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /**
   * What is not a finite number: as in IEEE 754; the two codes whose bits are all set (`fn`); or the code that would be
   * -0 (`fnuz`). The latter two have no infinities (Micikevicius et al. 2022; Noune et al. 2022).
   */
  readonly special: "ieee" | "fn" | "fnuz";
}

/** The floats that are not JavaScript's own. */
export const floatFormats: ReadonlyMap<string, FloatFormat> = new Map<string, FloatFormat>([
  ["BF16", { exponentBits: 8, mantissaBits: 7, bias: 127, special: "ieee" }],
  ["F16", { exponentBits: 5, mantissaBits: 10, bias: 15, special: "ieee" }],
  ["F8_E4M3", { exponentBits: 4, mantissaBits: 3, bias: 7, special: "fn" }],
  ["F8_E5M2", { exponentBits: 5, mantissaBits: 2, bias: 15, special: "ieee" }],
  ["F8_E4M3FNUZ", { exponentBits: 4, mantissaBits: 3, bias: 8, special: "fnuz" }],
  ["F8_E5M2FNUZ", { exponentBits: 5, mantissaBits: 2, bias: 16, special: "fnuz" }],
]);

/** The number that a code stands for. */
function numberOf({ exponentBits, mantissaBits, bias, special }: FloatFormat, code: number): number {
  const signBit = 1 << (exponentBits + mantissaBits);
  const [topExponent, topMantissa] = [(1 << exponentBits) - 1, (1 << mantissaBits) - 1];
  const sign = code & signBit ? -1 : 1;
  const exponent = (code >> mantissaBits) & topExponent;
  const mantissa = code & topMantissa;
  if (special === "fnuz" && code === signBit) return Number.NaN;
  if (special === "fn" && exponent === topExponent && mantissa === topMantissa) return Number.NaN;
  if (special === "ieee" && exponent === topExponent)
    return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const fraction = mantissa * 2 ** -mantissaBits;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

type Viewed<A> = new (buffer: ArrayBufferLike, offset: number, length: number) => A;

const view =
  <A>(type: Viewed<A>, bytes: number) =>
  (of: Uint8Array): A =>
    new type(of.buffer, of.byteOffset, of.length / bytes);

const u8 = view(Uint8Array, 1);
const u16 = view(Uint16Array, 2);
const u32 = view(Uint32Array, 4);
const i32 = view(Int32Array, 4);

/** BF16 is the upper half of F32. */
function bf16(bytes: Uint8Array, room: ArrayBuffer): Float32Array {
  const from = u16(bytes);
  const to = new Uint32Array(room, 0, from.length);
  for (let i = 0; i < from.length; i++) to[i] = from[i]! << 16;
  return new Float32Array(room, 0, from.length);
}

/** Decodes by a table of all codes, made at first use. */
function byTable(codes: number, of: (bytes: Uint8Array) => NumberArray, value: (code: number) => number) {
  let table: Float32Array | null = null;
  return (bytes: Uint8Array, room: ArrayBuffer): Float32Array => {
    table ??= Float32Array.from({ length: codes }, (_, code) => value(code));
    const from = of(bytes);
    const to = new Float32Array(room, 0, from.length);
    for (let i = 0; i < from.length; i++) to[i] = table[from[i]!]!;
    return to;
  };
}

const i64 = view(BigInt64Array, 8);
const u64 = view(BigUint64Array, 8);

/** Integers of 64 bits, to the nearest number. */
function nearest(high: (bytes: Uint8Array) => NumberArray): Decoder["decode"] {
  return (bytes, room) => {
    const [halves, upper] = [u32(bytes), high(bytes)];
    const to = new Float64Array(room, 0, bytes.length / 8);
    for (let i = 0; i < to.length; i++) to[i] = upper[2 * i + 1]! * 2 ** 32 + halves[2 * i]!;
    return to;
  };
}

/** Floats of a format in codes of 8 or 16 bits. */
function small(name: string): Decoder["decode"] {
  const format = floatFormats.get(name)!;
  const bits = 1 + format.exponentBits + format.mantissaBits;
  return byTable(2 ** bits, bits === 8 ? u8 : u16, (code) => numberOf(format, code));
}

const entry = (
  name: string,
  bytes: number,
  decode: Decoder["decode"],
  wide: Decoder["wide"] = null,
): [string, Decoder] => [name, { bytes, wide, decode }];

/** What can be read as numbers; other dtypes are compared as bits alone. */
export const decoders: ReadonlyMap<string, Decoder> = new Map([
  entry("F64", 8, view(Float64Array, 8)),
  entry("F32", 4, view(Float32Array, 4)),
  entry("BF16", 2, bf16),
  entry("F16", 2, small("F16")),
  ...["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"].map((name) => entry(name, 1, small(name))),
  // Powers of two, for scales.
  entry(
    "F8_E8M0",
    1,
    byTable(256, u8, (code) => (code === 255 ? Number.NaN : 2 ** (code - 127))),
  ),
  entry("I64", 8, nearest(i32), i64),
  entry("U64", 8, nearest(u32), u64),
  entry("I32", 4, i32),
  entry("U32", 4, u32),
  entry("I16", 2, view(Int16Array, 2)),
  entry("U16", 2, u16),
  entry("I8", 1, view(Int8Array, 1)),
  entry("U8", 1, u8),
  entry("BOOL", 1, u8),
]);

/** Bytes of room that decoding so many bytes may need: four for each. */
export const roomFor = (bytes: number): ArrayBuffer => new ArrayBuffer(4 * bytes);
