import { isFloat } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, shapeText, sizeOf } from "../base/shape.ts";
import { Cell } from "../engine/cell.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { dropoutMask } from "../tensor/random.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** Options of dropout functions. */
export interface DropoutOptions {
  /** The probability with which something is dropped; 0.5. */
  p?: number;
  /** Whether anything is dropped at all. */
  training?: boolean;
}

/** In no private field, so that `clone` finds it. */
const probability = Symbol("p");

/** What all kinds of dropout have: a probability, which may be set at any time, and how they print. */
export abstract class AnyDropout extends Module {
  private readonly [probability] = new Cell(0);

  constructor(p = 0.5) {
    super();
    this.p = p;
  }

  /** The probability. It may be set at any time. */
  get p(): number {
    return this[probability].value;
  }
  set p(value: number) {
    checkProbability(this.constructor.name, value);
    this[probability].value = value;
  }

  override extraRepr(): string {
    return `p=${this.p}, inplace=False`;
  }
}

/**
 * In training, sets elements to 0 with probability p and scales the others by 1 / (1 − p); else changes nothing.
 *
 * Takes x of any shape and, in training, a floating dtype; gives x's shape. p is 0.5 unless given. It draws
 * anew at each call, and at each replay of a captured step.
 * Throws `ArgumentError` for a p that is no probability, `DTypeError` for integers in training.
 * Source: Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012;
 * `torch.nn.Dropout`.
 * Example: `new nn.Dropout(0.2).forward(ones([2, 3]))`.
 */
export class Dropout extends AnyDropout {
  forward(x: Tensor): Tensor {
    return dropout(x, this);
  }
}

/**
 * In training, sets whole channels to 0 with probability p and scales the others by 1 / (1 - p); else changes nothing.
 * For features of which neighbours are alike, and would tell each other what dropping one of them hides.
 *
 * Takes x of [N, C, L] or [C, L] and a floating dtype; gives its shape. p is 0.5 unless given.
 * Throws `ShapeError` for another number of dimensions, `ArgumentError` for a p that is no probability.
 * Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015; `torch.nn.Dropout1d`.
 * Example: `new nn.Dropout1d(0.2).forward(ones([2, 3, 4]))`.
 */
export class Dropout1d extends AnyDropout {
  forward(x: Tensor): Tensor {
    return dropout1d(x, this);
  }
}

/**
 * `Dropout1d` for images: in training, whole channels become 0 with probability p.
 *
 * Takes x of [N, C, H, W] and a floating dtype; gives its shape. As in PyTorch, the first two dimensions of any other
 * input of two or more are taken for batch and channels, of [C, H, W] too. p is 0.5 unless given.
 * Throws `ShapeError` for fewer than two dimensions, `ArgumentError` for a p that is no probability.
 * Source: `torch.nn.Dropout2d`. Example: `new nn.Dropout2d(0.2).forward(ones([1, 3, 2, 2]))`.
 */
export class Dropout2d extends AnyDropout {
  forward(x: Tensor): Tensor {
    return dropout2d(x, this);
  }
}

/**
 * `Dropout1d` for volumes: in training, whole channels become 0 with probability p.
 *
 * Takes x of [N, C, D, H, W] and a floating dtype; gives its shape. Any other input is taken for one without a batch,
 * [C, D, H, W], as in PyTorch. p is 0.5 unless given.
 * Throws `ShapeError` for a scalar, `ArgumentError` for a p that is no probability.
 * Source: `torch.nn.Dropout3d`. Example: `new nn.Dropout3d(0.2).forward(ones([1, 3, 2, 2, 2]))`.
 */
export class Dropout3d extends AnyDropout {
  forward(x: Tensor): Tensor {
    return dropout3d(x, this);
  }
}

/**
 * Dropout that keeps mean 0 and variance 1, for networks of SELU: in training, elements become SELU's lower limit with
 * probability p, and all are scaled and shifted; else nothing changes.
 *
 * Takes x of any shape and a floating dtype; gives its shape. p is 0.5 unless given.
 * Throws `ArgumentError` for a p that is no probability.
 * Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017; `torch.nn.AlphaDropout`.
 * Example: `new nn.AlphaDropout(0.1).forward(randn([2, 3]))`.
 */
export class AlphaDropout extends AnyDropout {
  forward(x: Tensor): Tensor {
    return alphaDropout(x, { p: this.p, training: this.training });
  }
}

/**
 * `AlphaDropout` of whole channels.
 *
 * Takes x of [N, C, …]; gives its shape. p is 0.5 unless given.
 * Throws `ShapeError` for fewer than two dimensions, `ArgumentError` for a p that is no probability.
 * Source: `torch.nn.FeatureAlphaDropout`. Example: `new nn.FeatureAlphaDropout(0.1).forward(randn([2, 3, 4]))`.
 */
export class FeatureAlphaDropout extends AnyDropout {
  forward(x: Tensor): Tensor {
    return featureAlphaDropout(x, { p: this.p, training: this.training });
  }
}

const dropSignature = takes({ x: kind.tensor }, { p: kind.number, training: kind.boolean });

/** What `Dropout` does. */
export const dropout = checked("dropout", dropSignature, dropoutOf);

function dropoutOf(x: Tensor, { p = 0.5, training = true }: DropoutOptions = {}): Tensor {
  return drops("dropout", x, p, training) ? x.mul(dropoutMask(x.shape, p, x.dtype)) : x;
}

/** What `Dropout1d` does. */
export const dropout1d = checked("dropout1d", dropSignature, dropout1dOf);

function dropout1dOf(x: Tensor, options: DropoutOptions = {}): Tensor {
  if (x.ndim !== 2 && x.ndim !== 3)
    throw new ShapeError(
      `dropout1d: takes [N, C, L] or [C, L], this input is ${shapeText(x.shape)}; use dropout to drop single elements`,
    );
  return dropChannels("dropout1d", x, x.ndim === 3, options);
}

/** What `Dropout2d` does. */
export const dropout2d = checked(
  "dropout2d",
  dropSignature,
  (x: Tensor, options: DropoutOptions = {}): Tensor => dropChannels("dropout2d", x, true, options),
);

/** What `Dropout3d` does. */
export const dropout3d = checked(
  "dropout3d",
  dropSignature,
  (x: Tensor, options: DropoutOptions = {}): Tensor => dropChannels("dropout3d", x, x.ndim === 5, options),
);

function dropChannels(
  op: string,
  x: Tensor,
  batched: boolean,
  { p = 0.5, training = true }: DropoutOptions,
): Tensor {
  if (!drops(op, x, p, training)) return x;
  return x.mul(dropoutMask(channelsOf(op, x.shape, batched ? 2 : 1), p, x.dtype));
}

/** What `AlphaDropout` does; as in PyTorch, nothing unless it is told that this is training. */
export const alphaDropout = checked(
  "alphaDropout",
  dropSignature,
  (x: Tensor, { p = 0.5, training = false }: DropoutOptions = {}): Tensor =>
    drops("alphaDropout", x, p, training) ? towardsLimit(x, x.shape, p) : x,
);

/** What `FeatureAlphaDropout` does; as in PyTorch, nothing unless it is told that this is training. */
export const featureAlphaDropout = checked(
  "featureAlphaDropout",
  dropSignature,
  (x: Tensor, { p = 0.5, training = false }: DropoutOptions = {}): Tensor =>
    drops("featureAlphaDropout", x, p, training)
      ? towardsLimit(x, channelsOf("featureAlphaDropout", x.shape, 2), p)
      : x,
);

/** What SELU comes to for large negative inputs, as a magnitude: its scale times its alpha. */
const limit = 1.7580993408473766;

/** Elements that are drawn in a shape that broadcasts become SELU's limit; a factor and a shift keep mean and variance. */
function towardsLimit(x: Tensor, shape: Shape, p: number): Tensor {
  if (p === 1) return x.mul(0);
  const a = 1 / Math.sqrt((limit * limit * p + 1) * (1 - p));
  // 1 where an element stays and 0 where it goes.
  const stays = dropoutMask(shape, p, x.dtype).mul(1 - p);
  const shift = stays
    .sub(1)
    .mul(limit * a)
    .add(limit * a * p);
  return x.mul(stays.mul(a)).add(shift);
}

/** Whether anything is to be dropped; refuses what cannot be. */
function drops(op: string, x: Tensor, p: number, training: boolean): boolean {
  checkProbability(op, p);
  if (!training || p === 0 || sizeOf(x.shape) === 0) return false;
  if (!isFloat(x.dtype))
    throw new DTypeError(
      `${op}: takes a floating-point tensor in training, this one is ${x.dtype}; cast it with to("f32")`,
    );
  return true;
}

function checkProbability(op: string, p: number): void {
  if (!(typeof p === "number" && p >= 0 && p <= 1))
    throw new ArgumentError(`${op}: p is ${String(p)}; a probability is from 0 to 1`);
}

/** A shape with `leading` dimensions as they are and 1 for all others. */
function channelsOf(op: string, shape: Shape, leading: number): number[] {
  if (shape.length < leading)
    throw new ShapeError(
      `${op}: an input of shape ${shapeText(shape)} has no channels; it needs ${leading} dimensions or more`,
    );
  return shape.map((size, i) => (i < leading ? size : 1));
}
