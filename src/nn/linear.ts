import { ArgumentError } from "../base/errors.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { empty } from "../tensor/create.ts";
import { linear } from "../tensor/functions.ts";
import { Parameter } from "../tensor/parameter.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { kaimingUniform_, uniform_ } from "./init/index.ts";
import { Module } from "./module.ts";

const signature = takes({ inFeatures: kind.number, outFeatures: kind.number }, { bias: kind.boolean });

/**
 * x · weightᵀ + bias, over the last dimension.
 *
 * Takes x of [*, `inFeatures`] and of `weight`'s dtype; gives [*, `outFeatures`]. `weight` is [outFeatures,
 * inFeatures] and `bias` [outFeatures], or null where the option `bias` is false; both are drawn uniformly from
 * ±1/√inFeatures.
 * Throws `ShapeError` for another last dimension, `DTypeError` for another dtype, `ArgumentError` for sizes that are
 * no whole numbers.
 * Source: `torch.nn.Linear`.
 * Example: `new nn.Linear(3, 4, { bias: false }).forward(randn([2, 3]))`.
 */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: { bias?: boolean } = {}) {
    super();
    refuseUnless("Linear", signature, [inFeatures, outFeatures, options]);
    const { bias = true } = options;
    for (const size of [inFeatures, outFeatures])
      if (!Number.isInteger(size) || size < 0)
        throw new ArgumentError(
          `Linear: inFeatures ${inFeatures} and outFeatures ${outFeatures} must be whole numbers`,
        );
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = new Parameter(empty([outFeatures, inFeatures]));
    this.bias = bias ? new Parameter(empty([outFeatures])) : null;
    this.resetParameters();
  }

  /** Draws weight and bias anew: both uniform within ±1/√inFeatures. */
  resetParameters(): void {
    if (this.inFeatures === 0) return;
    kaimingUniform_(this.weight, { a: Math.sqrt(5) });
    const bound = 1 / Math.sqrt(this.inFeatures);
    if (this.bias !== null) uniform_(this.bias, { a: -bound, b: bound });
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${this.bias === null ? "False" : "True"}`;
  }
}
