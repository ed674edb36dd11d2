import { ArgumentError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { where } from "../tensor/functions.ts";
import { refuseIntegers } from "../tensor/operations/promote.ts";
import { uniform } from "../tensor/random.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** Options of `RReLU`. */
export interface RReLUOptions {
  /** The smallest slope; 1/8. */
  lower?: number;
  /** The largest slope; 1/3. */
  upper?: number;
}

/**
 * x, or slope · x where negative. In training each element has a slope of its own, drawn between `lower` and `upper`;
 * else all have the mean of the two.
 *
 * Takes x of any shape and a floating dtype; gives its shape. The gradient goes through the slopes that were drawn.
 * Throws `ArgumentError` in `forward` where lower is above upper.
 * Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network", 2015; `torch.nn.RReLU`.
 * Example: `new nn.RReLU({ lower: 0.1, upper: 0.3 }).forward(randn([2, 3]))`.
 */
export class RReLU extends Module {
  readonly lower: number;
  readonly upper: number;

  constructor(options: RReLUOptions = {}) {
    refuseOptions("RReLU", options, { lower: null, upper: null });
    const { lower = 1 / 8, upper = 1 / 3 } = options;
    super();
    this.lower = lower;
    this.upper = upper;
  }
  forward(x: Tensor): Tensor {
    return rrelu(x, { lower: this.lower, upper: this.upper, training: this.training });
  }
  override extraRepr(): string {
    return `lower=${this.lower}, upper=${this.upper}`;
  }
}

/** What `RReLU` does; as in PyTorch, not as in training unless asked. */
export const rrelu = checked(
  "rrelu",
  takes({ x: kind.tensor }, { lower: kind.number, upper: kind.number, training: kind.boolean }),
  rreluOf,
);

function rreluOf(
  x: Tensor,
  { lower = 1 / 8, upper = 1 / 3, training = false }: RReLUOptions & { training?: boolean } = {},
): Tensor {
  if (!(lower <= upper) || !Number.isFinite(lower) || !Number.isFinite(upper))
    throw new ArgumentError(
      `rrelu: slopes from ${lower} to ${upper}; they must be finite, lower not above upper`,
    );
  refuseIntegers("rrelu", x);
  if (!training) return x.leakyRelu({ negativeSlope: (lower + upper) / 2 });
  const slopes = uniform(x.shape, lower, upper, { dtype: x.dtype });
  slopes.kept = false;
  return where(x.gt(0), x, x.mul(slopes));
}
