import { decoders, type FloatFormat, floatFormats } from "./diff-values.ts";

/** Finds out whether, of two dtypes, the narrower side has what the other one rounds to. */
export class Rounding {
  /** Whether all elements so far are so. */
  exact: boolean;
  readonly #down: boolean;
  readonly #round: (x: number) => number;

  constructor(before: string, after: string) {
    this.#down = decoders.get(before)!.bytes >= decoders.get(after)!.bytes;
    const round = roundingTo(this.#down ? after : before);
    this.exact = round !== null;
    this.#round = round ?? ((x) => x);
  }

  /** An element that has different values. */
  add(x: number, y: number): void {
    if (this.exact) this.exact = this.#down ? Object.is(this.#round(x), y) : Object.is(this.#round(y), x);
  }
}

/**
 * How a number is rounded to a float dtype: to the nearest, ties to even, by way of F32, as PyTorch converts. Null for
 * dtypes to which it does not round.
 */
function roundingTo(dtype: string): ((x: number) => number) | null {
  if (dtype === "F64") return (x) => x;
  if (dtype === "F32") return Math.fround;
  const format = floatFormats.get(dtype);
  return format === undefined ? null : roundingOf(format);
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);
/** 2^(i - 160): powers are asked for once an element. */
const powers = Float64Array.from({ length: 320 }, (_, i) => 2 ** (i - 160));
/** Added to a number and taken away again, it leaves what the processor rounds to: the nearest whole, ties to even. */
const whole = 1.5 * 2 ** 52;

function roundingOf(format: FloatFormat): (x: number) => number {
  const { mantissaBits, bias, special } = format;
  const largest = largestOf(format);
  // As PyTorch 2.13 does.
  const beyond = { ieee: Number.POSITIVE_INFINITY, fn: largest, fnuz: Number.NaN }[special];
  return (x) => {
    float[0] = x;
    const bits = word[0]!;
    const exponent = Math.max(((bits >>> 23) & 255) - 127, 1 - bias);
    const quantum = powers[exponent - mantissaBits + 160]!;
    const nearest = (Math.abs(float[0]) / quantum + whole - whole) * quantum;
    const size = nearest <= largest ? nearest : Number.isNaN(x) ? Number.NaN : beyond;
    // The one format without -0 has NaN in its place.
    if (size === 0 && special === "fnuz") return 0;
    return bits >>> 31 ? -size : size;
  };
}

/** The largest finite number: the top exponent is for infinities and NaN in IEEE's formats; `fn` gives NaN one code. */
function largestOf({ exponentBits, mantissaBits, bias, special }: FloatFormat): number {
  const top = 2 ** exponentBits - (special === "ieee" ? 2 : 1);
  const mantissa = 2 - 2 ** -mantissaBits * (special === "fn" ? 2 : 1);
  return mantissa * 2 ** (top - bias);
}
