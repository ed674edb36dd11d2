import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { described } from "../tensor/argument-kinds.ts";
import type { PadMode } from "../tensor/operations/padding.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { pythonNumber, pythonTuple } from "./repr.ts";

/** Elements around samples: as many at each side, or pairs (before, after) from the last dimension on. */
export type Padding = number | readonly number[];

/** What pads the last `count` dimensions; an input has one or two before them. */
abstract class Pad extends Module {
  readonly padding: readonly number[];
  protected readonly mode: PadMode;

  constructor(padding: Padding, mode: PadMode, count: number) {
    super();
    const name = new.target.name;
    const sides =
      typeof padding === "number" ? new Array<number>(2 * count).fill(padding) : Array.from(padding ?? []);
    if (sides.length !== 2 * count || !sides.every(Number.isInteger))
      throw new ArgumentError(
        `${name}: a padding of ${described(padding)}; give a whole number, or ${2 * count} of them`,
      );
    this.padding = sides;
    this.mode = mode;
  }

  protected padded(x: Tensor, value?: number): Tensor {
    const { padding, mode } = this;
    const count = padding.length / 2;
    if (x.ndim !== count + 1 && x.ndim !== count + 2)
      throw new ShapeError(
        `${this.constructor.name}: an input of shape ${shapeText(x.shape)}; it takes ${count + 1} or ${count + 2} dimensions`,
      );
    return x.pad(padding, { mode, ...(value !== undefined && { value }) });
  }

  forward(x: Tensor): Tensor {
    return this.padded(x);
  }
  override extraRepr(): string {
    return pythonTuple(this.padding);
  }
}

abstract class ConstantPad extends Pad {
  readonly value: number;

  constructor(padding: Padding, value: number, count: number) {
    super(padding, "constant", count);
    this.value = value;
  }
  override forward(x: Tensor): Tensor {
    return this.padded(x, this.value);
  }
  override extraRepr(): string {
    return `padding=${pythonTuple(this.padding)}, value=${pythonNumber(this.value)}`;
  }
}

/** Those of zeros print as others do that have no value. */
abstract class ZeroPad extends ConstantPad {
  constructor(padding: Padding, count: number) {
    super(padding, 0, count);
  }
  override extraRepr(): string {
    return pythonTuple(this.padding);
  }
}

/**
 * Zeros around samples.
 *
 * Takes x of [N, C, W] or [C, W] and `padding`, a number for each side or [left, right]; gives [N, C, left + W +
 * right], or the same without N. Negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ZeroPad1d`. Example: `new nn.ZeroPad1d(1).forward(randn([1, 2, 4]))`.
 */
export class ZeroPad1d extends ZeroPad {
  constructor(padding: Padding) {
    super(padding, 1);
  }
}

/**
 * Zeros around samples.
 *
 * Takes x of [N, C, H, W] or [C, H, W] and `padding`, a number for each side or [left, right, top, bottom]; gives
 * [N, C, top + H + bottom, left + W + right], or the same without N. Negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ZeroPad2d`. Example: `new nn.ZeroPad2d(1).forward(randn([1, 2, 4, 4]))`.
 */
export class ZeroPad2d extends ZeroPad {
  constructor(padding: Padding) {
    super(padding, 2);
  }
}

/**
 * Zeros around samples.
 *
 * Takes x of [N, C, D, H, W] or [C, D, H, W] and `padding`, a number for each side or [left, right, top, bottom,
 * front, back]; gives [N, C, front + D + back, top + H + bottom, left + W + right], or the same without N. Negative
 * counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ZeroPad3d`. Example: `new nn.ZeroPad3d(1).forward(randn([1, 2, 4, 4, 4]))`.
 */
export class ZeroPad3d extends ZeroPad {
  constructor(padding: Padding) {
    super(padding, 3);
  }
}

/**
 * One value around samples.
 *
 * Takes x of [N, C, W] or [C, W] and `padding`, a number for each side or [left, right]; gives [N, C, left + W +
 * right], or the same without N. Negative counts crop. `value` has no default.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ConstantPad1d`. Example: `new nn.ConstantPad1d(1, 0.5).forward(randn([1, 2, 4]))`.
 */
export class ConstantPad1d extends ConstantPad {
  constructor(padding: Padding, value: number) {
    super(padding, value, 1);
  }
}

/**
 * One value around samples.
 *
 * Takes x of [N, C, H, W] or [C, H, W] and `padding`, a number for each side or [left, right, top, bottom]; gives
 * [N, C, top + H + bottom, left + W + right], or the same without N. Negative counts crop. `value` has no default.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ConstantPad2d`. Example: `new nn.ConstantPad2d(1, 0.5).forward(randn([1, 2, 4, 4]))`.
 */
export class ConstantPad2d extends ConstantPad {
  constructor(padding: Padding, value: number) {
    super(padding, value, 2);
  }
}

/**
 * One value around samples.
 *
 * Takes x of [N, C, D, H, W] or [C, D, H, W] and `padding`, a number for each side or [left, right, top, bottom,
 * front, back]; gives [N, C, front + D + back, top + H + bottom, left + W + right], or the same without N. Negative
 * counts crop. `value` has no default.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ConstantPad3d`. Example: `new nn.ConstantPad3d(1, 0.5).forward(randn([1, 2, 4, 4, 4]))`.
 */
export class ConstantPad3d extends ConstantPad {
  constructor(padding: Padding, value: number) {
    super(padding, value, 3);
  }
}

/**
 * Samples with their mirror image around them, the outermost element not repeated: [1, 2, 3] padded by 2 is
 * [3, 2, 1, 2, 3, 2, 1].
 *
 * Takes x of [N, C, W] or [C, W] and `padding`, a number for each side or [left, right]; gives [N, C, left + W +
 * right], or the same without N. At most one element less than there are at each side; negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ReflectionPad1d`. Example: `new nn.ReflectionPad1d(1).forward(randn([1, 2, 4]))`.
 */
export class ReflectionPad1d extends Pad {
  constructor(padding: Padding) {
    super(padding, "reflect", 1);
  }
}

/**
 * Samples with their mirror image around them, the outermost element not repeated: [1, 2, 3] padded by 2 is
 * [3, 2, 1, 2, 3, 2, 1].
 *
 * Takes x of [N, C, H, W] or [C, H, W] and `padding`, a number for each side or [left, right, top, bottom]; gives
 * [N, C, top + H + bottom, left + W + right], or the same without N. At most one element less than there are at each
 * side; negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ReflectionPad2d`. Example: `new nn.ReflectionPad2d(1).forward(randn([1, 2, 4, 4]))`.
 */
export class ReflectionPad2d extends Pad {
  constructor(padding: Padding) {
    super(padding, "reflect", 2);
  }
}

/**
 * Samples with their mirror image around them, the outermost element not repeated: [1, 2, 3] padded by 2 is
 * [3, 2, 1, 2, 3, 2, 1].
 *
 * Takes x of [N, C, D, H, W] or [C, D, H, W] and `padding`, a number for each side or [left, right, top, bottom,
 * front, back]; gives [N, C, front + D + back, top + H + bottom, left + W + right], or the same without N. At most
 * one element less than there are at each side; negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ReflectionPad3d`. Example: `new nn.ReflectionPad3d(1).forward(randn([1, 2, 4, 4, 4]))`.
 */
export class ReflectionPad3d extends Pad {
  constructor(padding: Padding) {
    super(padding, "reflect", 3);
  }
}

/**
 * Samples with their outermost elements repeated around them: [1, 2, 3] padded by 2 is [1, 1, 1, 2, 3, 3, 3].
 *
 * Takes x of [N, C, W] or [C, W] and `padding`, a number for each side or [left, right]; gives [N, C, left + W +
 * right], or the same without N. Negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ReplicationPad1d`. Example: `new nn.ReplicationPad1d(1).forward(randn([1, 2, 4]))`.
 */
export class ReplicationPad1d extends Pad {
  constructor(padding: Padding) {
    super(padding, "replicate", 1);
  }
}

/**
 * Samples with their outermost elements repeated around them: [1, 2, 3] padded by 2 is [1, 1, 1, 2, 3, 3, 3].
 *
 * Takes x of [N, C, H, W] or [C, H, W] and `padding`, a number for each side or [left, right, top, bottom]; gives
 * [N, C, top + H + bottom, left + W + right], or the same without N. Negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ReplicationPad2d`. Example: `new nn.ReplicationPad2d(1).forward(randn([1, 2, 4, 4]))`.
 */
export class ReplicationPad2d extends Pad {
  constructor(padding: Padding) {
    super(padding, "replicate", 2);
  }
}

/**
 * Samples with their outermost elements repeated around them: [1, 2, 3] padded by 2 is [1, 1, 1, 2, 3, 3, 3].
 *
 * Takes x of [N, C, D, H, W] or [C, D, H, W] and `padding`, a number for each side or [left, right, top, bottom,
 * front, back]; gives [N, C, front + D + back, top + H + bottom, left + W + right], or the same without N. Negative
 * counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.ReplicationPad3d`. Example: `new nn.ReplicationPad3d(1).forward(randn([1, 2, 4, 4, 4]))`.
 */
export class ReplicationPad3d extends Pad {
  constructor(padding: Padding) {
    super(padding, "replicate", 3);
  }
}

/**
 * Samples that come round again: [1, 2, 3] padded by 2 is [2, 3, 1, 2, 3, 1, 2].
 *
 * Takes x of [N, C, W] or [C, W] and `padding`, a number for each side or [left, right]; gives [N, C, left + W +
 * right], or the same without N. At most as many elements as there are at each side; negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.CircularPad1d`. Example: `new nn.CircularPad1d(1).forward(randn([1, 2, 4]))`.
 */
export class CircularPad1d extends Pad {
  constructor(padding: Padding) {
    super(padding, "circular", 1);
  }
}

/**
 * Samples that come round again: [1, 2, 3] padded by 2 is [2, 3, 1, 2, 3, 1, 2].
 *
 * Takes x of [N, C, H, W] or [C, H, W] and `padding`, a number for each side or [left, right, top, bottom]; gives
 * [N, C, top + H + bottom, left + W + right], or the same without N. At most as many elements as there are at each
 * side; negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.CircularPad2d`. Example: `new nn.CircularPad2d(1).forward(randn([1, 2, 4, 4]))`.
 */
export class CircularPad2d extends Pad {
  constructor(padding: Padding) {
    super(padding, "circular", 2);
  }
}

/**
 * Samples that come round again: [1, 2, 3] padded by 2 is [2, 3, 1, 2, 3, 1, 2].
 *
 * Takes x of [N, C, D, H, W] or [C, D, H, W] and `padding`, a number for each side or [left, right, top, bottom,
 * front, back]; gives [N, C, front + D + back, top + H + bottom, left + W + right], or the same without N. At most
 * as many elements as there are at each side; negative counts crop.
 * Throws `ArgumentError` for another number of sides, `ShapeError` for another number of dimensions and for more
 * than there is to take or leave.
 * Source: `torch.nn.CircularPad3d`. Example: `new nn.CircularPad3d(1).forward(randn([1, 2, 4, 4, 4]))`.
 */
export class CircularPad3d extends Pad {
  constructor(padding: Padding) {
    super(padding, "circular", 3);
  }
}
