import { ArgumentError } from "../base/errors.ts";
import { dropoutMask } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** In training, sets elements to 0 with probability p and scales the others by 1 / (1 - p); else changes nothing. */
export class Dropout extends Module {
  readonly p: number;

  constructor(p = 0.5) {
    super();
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`Dropout: p is ${p}; a probability is from 0 to 1`);
    this.p = p;
  }

  forward(x: Tensor): Tensor {
    return dropout(x, { p: this.p, training: this.training });
  }

  override extraRepr(): string {
    return `p=${this.p}, inplace=False`;
  }
}

/** What `Dropout` does. */
export function dropout(
  x: Tensor,
  { p = 0.5, training = true }: { p?: number; training?: boolean } = {},
): Tensor {
  return training && p > 0 ? x.mul(dropoutMask(x.shape, p, x.dtype)) : x;
}
