import type { Node } from "../ir/node.ts";
import { floatNumber } from "./operations/number.ts";

/** A number that is a float though it may be whole, as Python's `2.0`; see `float`. */
export class FloatNumber {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
  /** The constant that it is among the operands of an operation. */
  get node(): Node {
    return floatNumber(this.value);
  }
}

/**
 * A number as an operand that is a float, whole or not, where Python has `2.0` and JavaScript only `2`:
 * `ids.mul(float(2))` is f32, and `ids.mul(2)` has the dtype of `ids`. Between floats it is the number itself.
 */
export const float = (x: number): FloatNumber => new FloatNumber(x);
