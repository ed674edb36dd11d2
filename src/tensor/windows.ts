import { type DType, isFloat } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import { hostNode } from "../engine/trace.ts";
import * as kind from "./argument-kinds.ts";
import { stored } from "./data-node.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** Windows for signals, named and behaving as PyTorch's: [windowLength], computed in f64 and rounded once. */

/** Options of windows. */
export interface WindowOptions {
  /**
   * Whether the window is a period of one that goes on, as for a spectrum: that of one element more, without its last;
   * true. Else it is symmetric, as for a filter.
   */
  periodic?: boolean;
  /** A floating-point dtype; f32. */
  dtype?: DType;
  requiresGrad?: boolean;
}

const options = { periodic: kind.boolean, dtype: kind.dtype, requiresGrad: kind.boolean };
const length = { windowLength: kind.size };

/** A window whose value at t, from 0 to 1 of its length, is `at(t)`. */
function windowOf(
  op: string,
  count: number,
  { periodic = true, dtype = "f32", requiresGrad = false }: WindowOptions,
  at: (t: number) => number,
): Tensor {
  if (!isFloat(dtype)) throw new DTypeError(`${op}: a window is floating point, not ${dtype}`);
  const last = periodic ? count : count - 1;
  const value = (i: number): number => (count === 1 ? 1 : at(i / last));
  return new Tensor(hostNode(stored(op, count, value, dtype), dtype, [count])).requiresGrad_(requiresGrad);
}

const wave = (t: number): number => Math.cos(2 * Math.PI * t);

/**
 * Hann's window, ½ − ½ cos 2πt.
 *
 * Throws `ShapeError` for a length that is no whole number from 0 on, `DTypeError` for an integer dtype.
 * Source: `torch.hann_window`. Example: `hannWindow(400)`.
 */
export const hannWindow = checked(
  "hannWindow",
  takes(length, options),
  (windowLength: number, given: WindowOptions = {}): Tensor =>
    windowOf("hannWindow", windowLength, given, (t) => 0.5 - 0.5 * wave(t)),
);

/**
 * Hamming's window, alpha − beta · cos 2πt, alpha being 0.54 and beta 0.46 unless given.
 * Source: `torch.hamming_window`. Example: `hammingWindow(400, { periodic: false })`.
 */
export const hammingWindow = checked(
  "hammingWindow",
  takes(length, { ...options, alpha: kind.number, beta: kind.number }),
  (windowLength: number, given: WindowOptions & { alpha?: number; beta?: number } = {}): Tensor => {
    const { alpha = 0.54, beta = 0.46 } = given;
    return windowOf("hammingWindow", windowLength, given, (t) => alpha - beta * wave(t));
  },
);

/**
 * Blackman's window, 0.42 − ½ cos 2πt + 0.08 cos 4πt.
 * Source: `torch.blackman_window`. Example: `blackmanWindow(512)`.
 */
export const blackmanWindow = checked(
  "blackmanWindow",
  takes(length, options),
  (windowLength: number, given: WindowOptions = {}): Tensor =>
    windowOf("blackmanWindow", windowLength, given, (t) => 0.42 - 0.5 * wave(t) + 0.08 * wave(2 * t)),
);

/**
 * Bartlett's window, a triangle: 1 − |2t − 1|.
 * Source: `torch.bartlett_window`. Example: `bartlettWindow(512)`.
 */
export const bartlettWindow = checked(
  "bartlettWindow",
  takes(length, options),
  (windowLength: number, given: WindowOptions = {}): Tensor =>
    windowOf("bartlettWindow", windowLength, given, (t) => 1 - Math.abs(2 * t - 1)),
);

/**
 * Kaiser's window, I₀(beta · √(1 − (2t − 1)²)) / I₀(beta): a larger `beta` (12 unless given) suppresses more and is wider.
 * Source: `torch.kaiser_window`. Example: `kaiserWindow(13, { beta: 4.7, periodic: false })`.
 */
export const kaiserWindow = checked(
  "kaiserWindow",
  takes(length, { ...options, beta: kind.number }),
  (windowLength: number, given: WindowOptions & { beta?: number } = {}): Tensor => {
    const { beta = 12 } = given;
    const whole = bessel0(beta);
    return windowOf(
      "kaiserWindow",
      windowLength,
      given,
      (t) => bessel0(beta * Math.sqrt(Math.max(0, 1 - (2 * t - 1) ** 2))) / whole,
    );
  },
);

/** The modified Bessel function I₀ by its series, of which every term is positive: nothing cancels. */
function bessel0(x: number): number {
  const quarter = (x * x) / 4;
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}
