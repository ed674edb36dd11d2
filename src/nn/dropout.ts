import { ArgumentError } from "../base/errors.ts";
import { Cell } from "../engine/cell.ts";
import { dropoutMask } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** In training, sets elements to 0 with probability p and scales the others by 1 / (1 - p); else changes nothing. */
export class Dropout extends Module {
  readonly #p = new Cell(0);

  constructor(p = 0.5) {
    super();
    this.p = p;
  }

  /** The probability. It may be set at any time. */
  get p(): number {
    return this.#p.value;
  }
  set p(value: number) {
    if (!(value >= 0 && value <= 1))
      throw new ArgumentError(`Dropout: p is ${value}; a probability is from 0 to 1`);
    this.#p.value = value;
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
