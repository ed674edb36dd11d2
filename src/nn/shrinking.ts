import { refuseOptions } from "../base/options.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** Activations that replace or shrink what lies on one side of a bound. */

/**
 * x, or 0 where −lambda ≤ x ≤ lambda.
 *
 * Takes x of any shape; gives its shape. `lambda` is 0.5 unless given, in the units of x.
 * Throws `DTypeError` for bools.
 * Source: `torch.nn.Hardshrink`. Example: `new nn.Hardshrink({ lambda: 0.1 }).forward(randn([3]))`.
 */
export class Hardshrink extends Module {
  readonly lambda: number;

  constructor(options: { lambda?: number } = {}) {
    refuseOptions("Hardshrink", options, { lambda: null });
    const { lambda = 0.5 } = options;
    super();
    this.lambda = lambda;
  }
  forward(x: Tensor): Tensor {
    return x.hardshrink(this);
  }
  override extraRepr(): string {
    return String(this.lambda);
  }
}

/**
 * x moved towards 0 by lambda, and 0 where it would cross it.
 *
 * Takes x of any shape; gives its shape. `lambda` is 0.5 unless given, in the units of x, and not negative.
 * Throws `ArgumentError` in `forward` for a negative lambda, as PyTorch does.
 * Source: `torch.nn.Softshrink`. Example: `new nn.Softshrink({ lambda: 0.1 }).forward(randn([3]))`.
 */
export class Softshrink extends Module {
  readonly lambda: number;

  constructor(options: { lambda?: number } = {}) {
    refuseOptions("Softshrink", options, { lambda: null });
    const { lambda = 0.5 } = options;
    super();
    this.lambda = lambda;
  }
  forward(x: Tensor): Tensor {
    return x.softshrink(this);
  }
  override extraRepr(): string {
    return String(this.lambda);
  }
}

/**
 * x where it is above `threshold`, else `value`.
 *
 * Takes x of any shape; gives its shape. Both numbers are in the units of x; neither has a default.
 * Throws `ArgumentError` for what is no number.
 * Source: `torch.nn.Threshold`. Example: `new nn.Threshold(0.1, 20).forward(randn([3]))`.
 */
export class Threshold extends Module {
  readonly threshold: number;
  readonly value: number;

  constructor(threshold: number, value: number) {
    super();
    this.threshold = threshold;
    this.value = value;
  }
  forward(x: Tensor): Tensor {
    return x.threshold(this.threshold, this.value);
  }
  override extraRepr(): string {
    return `threshold=${this.threshold}, value=${this.value}`;
  }
}
