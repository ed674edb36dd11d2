/** How elements of a dtype of safetensors files are read as numbers. */
export interface Decoder {
  readonly bytes: number;
  /** The elements in some bytes as numbers; integers of 64 bits to the nearest. */
  readonly decode: (bytes: Uint8Array) => ArrayLike<number>;
}

type Viewed =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

const view =
  <A extends Viewed>(
    type: new (buffer: ArrayBufferLike, offset: number, length: number) => A,
    bytes: number,
  ) =>
  (of: Uint8Array): A =>
    new type(of.buffer, of.byteOffset, of.length / bytes);

const u8 = view(Uint8Array, 1);
const u16 = view(Uint16Array, 2);
const u32 = view(Uint32Array, 4);
const i32 = view(Int32Array, 4);

function bf16(bytes: Uint8Array): Float32Array {
  const from = u16(bytes);
  const to = new Uint32Array(from.length);
  for (let i = 0; i < from.length; i++) to[i] = from[i]! << 16;
  return new Float32Array(to.buffer);
}

/** A float of few bits: sign, exponent, mantissa; `finite` formats have one NaN instead of infinities. */
function small(bits: number, exponentBits: number, bias: number, finite: boolean, code: number): number {
  const mantissaBits = bits - 1 - exponentBits;
  const sign = (code >> (bits - 1)) & 1 ? -1 : 1;
  const exponent = (code >> mantissaBits) & ((1 << exponentBits) - 1);
  const mantissa = code & ((1 << mantissaBits) - 1);
  const top = (1 << exponentBits) - 1;
  if (exponent === top && (!finite || mantissa === (1 << mantissaBits) - 1))
    return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const scale = 2 ** -mantissaBits;
  return exponent === 0
    ? sign * mantissa * scale * 2 ** (1 - bias)
    : sign * (1 + mantissa * scale) * 2 ** (exponent - bias);
}

/** Decodes by a table of all codes, made at first use. */
function byTable(
  codes: number,
  of: (bytes: Uint8Array) => Uint8Array | Uint16Array,
  value: (code: number) => number,
) {
  let table: Float32Array | null = null;
  return (bytes: Uint8Array): Float32Array => {
    table ??= Float32Array.from({ length: codes }, (_, code) => value(code));
    const from = of(bytes);
    const to = new Float32Array(from.length);
    for (let i = 0; i < from.length; i++) to[i] = table[from[i]!]!;
    return to;
  };
}

/** 64-bit integers of two halves. */
function wide(signed: boolean) {
  return (bytes: Uint8Array): Float64Array => {
    const [low, high] = [u32(bytes), signed ? i32(bytes) : u32(bytes)];
    const to = new Float64Array(low.length / 2);
    for (let i = 0; i < to.length; i++) to[i] = high[2 * i + 1]! * 2 ** 32 + low[2 * i]!;
    return to;
  };
}

/** What can be read as numbers; other dtypes are compared as bytes alone. */
export const decoders: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ["F64", { bytes: 8, decode: view(Float64Array, 8) }],
  ["F32", { bytes: 4, decode: view(Float32Array, 4) }],
  ["BF16", { bytes: 2, decode: bf16 }],
  ["F16", { bytes: 2, decode: byTable(65536, u16, (code) => small(16, 5, 15, false, code)) }],
  ["F8_E4M3", { bytes: 1, decode: byTable(256, u8, (code) => small(8, 4, 7, true, code)) }],
  ["F8_E5M2", { bytes: 1, decode: byTable(256, u8, (code) => small(8, 5, 15, false, code)) }],
  ["I64", { bytes: 8, decode: wide(true) }],
  ["U64", { bytes: 8, decode: wide(false) }],
  ["I32", { bytes: 4, decode: i32 }],
  ["U32", { bytes: 4, decode: u32 }],
  ["I16", { bytes: 2, decode: view(Int16Array, 2) }],
  ["U16", { bytes: 2, decode: u16 }],
  ["I8", { bytes: 1, decode: view(Int8Array, 1) }],
  ["U8", { bytes: 1, decode: u8 }],
  ["BOOL", { bytes: 1, decode: u8 }],
]);
