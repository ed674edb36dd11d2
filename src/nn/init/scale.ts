import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { type Shape, shapeText, sizeOf } from "../../base/shape.ts";
import { noGrad } from "../../tensor/autograd.ts";
import { eye, full } from "../../tensor/create.ts";
import { normal, uniform } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** PyTorch's initialisers: each gives a tensor new values, outside autograd, and returns it. */

/** Puts a value into a tensor, outside autograd. */
function fill<T extends Tensor>(target: T, value: () => Tensor): T {
  const drawn = value();
  // The target holds the numbers: nobody else will read them.
  drawn.kept = false;
  noGrad(() => target.copy_(drawn));
  return target;
}

/** Uniform numbers in [a, b). */
export function uniform_<T extends Tensor>(target: T, options: { a?: number; b?: number } = {}): T {
  refuseOptions("uniform_", options, { a: null, b: null });
  const { a = 0, b = 1 } = options;
  return fill(target, () => uniform(target.shape, a, b, { dtype: target.dtype }));
}

/** Normal numbers. */
export function normal_<T extends Tensor>(target: T, options: { mean?: number; std?: number } = {}): T {
  refuseOptions("normal_", options, { mean: null, std: null });
  const { mean = 0, std = 1 } = options;
  return fill(target, () => normal(target.shape, mean, std, { dtype: target.dtype }));
}

/** One value everywhere. */
export const constant_ = <T extends Tensor>(target: T, value: number): T =>
  fill(target, () => full(target.shape, value, { dtype: target.dtype }));
/** Zeros. */
export const zeros_ = <T extends Tensor>(target: T): T => constant_(target, 0);
/** Ones. */
export const ones_ = <T extends Tensor>(target: T): T => constant_(target, 1);

/** The identity matrix. */
export function eye_<T extends Tensor>(target: T): T {
  if (target.shape.length !== 2)
    throw new ShapeError(`eye_: takes a matrix, not shape ${shapeText(target.shape)}`);
  return fill(target, () => eye(target.shape[0]!, target.shape[1]!, { dtype: target.dtype }));
}

/** What activation follows a layer: it says by how much its weights are scaled up. */
export type Nonlinearity =
  | "linear"
  | "conv1d"
  | "conv2d"
  | "conv3d"
  | "sigmoid"
  | "tanh"
  | "relu"
  | "leakyRelu"
  | "selu";

/** The factor that keeps variance through a nonlinearity; `param` is leakyRelu's slope (0.01 if not given). */
export function calculateGain(nonlinearity: Nonlinearity, param?: number | null): number {
  switch (nonlinearity) {
    case "linear":
    case "conv1d":
    case "conv2d":
    case "conv3d":
    case "sigmoid":
      return 1;
    case "tanh":
      return 5 / 3;
    case "relu":
      return Math.SQRT2;
    case "leakyRelu":
      return Math.sqrt(2 / (1 + (param ?? 0.01) ** 2));
    case "selu":
      return 3 / 4;
    default:
      throw new ArgumentError(`calculateGain: no gain is known for "${nonlinearity as string}"`);
  }
}

/**
 * How many inputs an output of a weight sees, and the other way round: dimension 1 and dimension 0, each times what lies
 * behind them.
 *
 * Throws `ShapeError` for fewer than two dimensions.
 * Source: `torch.nn.init._calculate_fan_in_and_fan_out`. Example: `calculateFanInAndFanOut(layer.weight).fanIn ** -0.5`.
 */
export const calculateFanInAndFanOut = ({ shape }: Tensor): { fanIn: number; fanOut: number } =>
  fans("calculateFanInAndFanOut", shape);

function fans(op: string, shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2)
    throw new ShapeError(
      `${op}: a tensor of shape ${shapeText(shape)} has no fan-in and fan-out; it needs two dimensions or more`,
    );
  const receptive = sizeOf(shape.slice(2));
  return { fanIn: shape[1]! * receptive, fanOut: shape[0]! * receptive };
}

/** What a result is multiplied by. */
type GainOptions = { gain?: number };

/** Uniform by Glorot and Bengio (2010): within ±gain · √(6 / (fanIn + fanOut)). */
export function xavierUniform_<T extends Tensor>(target: T, options: GainOptions = {}): T {
  const bound = Math.sqrt(3) * xavierStd("xavierUniform_", target, options);
  return uniform_(target, { a: -bound, b: bound });
}
/** Normal by Glorot and Bengio (2010): standard deviation gain · √(2 / (fanIn + fanOut)). */
export const xavierNormal_ = <T extends Tensor>(target: T, options: GainOptions = {}): T =>
  normal_(target, { std: xavierStd("xavierNormal_", target, options) });

function xavierStd(op: string, { shape }: Tensor, options: GainOptions): number {
  refuseOptions(op, options, { gain: null });
  const { gain = 1 } = options;
  const { fanIn, fanOut } = fans(op, shape);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}

/** Options of Kaiming's initialisers. */
export interface KaimingOptions {
  /** leakyRelu's slope; 0. */
  a?: number;
  /** Whether variance is kept forward ("fanIn") or backward. */
  mode?: "fanIn" | "fanOut";
  nonlinearity?: Nonlinearity;
}

/** Uniform by He et al. (2015): within ±gain · √(3 / fan). */
export function kaimingUniform_<T extends Tensor>(target: T, options: KaimingOptions = {}): T {
  const bound = Math.sqrt(3) * kaimingStd("kaimingUniform_", target, options);
  return uniform_(target, { a: -bound, b: bound });
}
/** Normal by He et al. (2015): standard deviation gain / √fan. */
export const kaimingNormal_ = <T extends Tensor>(target: T, options: KaimingOptions = {}): T =>
  normal_(target, { std: kaimingStd("kaimingNormal_", target, options) });

function kaimingStd(op: string, { shape }: Tensor, options: KaimingOptions): number {
  refuseOptions(op, options, { a: null, mode: null, nonlinearity: null });
  const { a = 0, mode = "fanIn", nonlinearity = "leakyRelu" } = options;
  if (mode !== "fanIn" && mode !== "fanOut")
    throw new ArgumentError(`${op}: mode "${mode as string}" is not "fanIn" or "fanOut"`);
  return calculateGain(nonlinearity, a) / Math.sqrt(fans(op, shape)[mode]);
}
