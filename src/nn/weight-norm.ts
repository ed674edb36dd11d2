import { IndexError, ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { noGrad } from "../tensor/autograd.ts";
import { Parameter } from "../tensor/parameter.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Module } from "./module.ts";
import { aModule, Parametrization, type Parametrized, registerParametrization } from "./parametrize.ts";

/** Options of `weightNorm`. */
export interface WeightNormOptions {
  /** The dimension along which each slice has a length of its own: 0, a row of a Linear; null: one length for all. */
  dim?: number | null;
}

/**
 * weight = g · v / ‖v‖: a weight of which length and direction are trained apart.
 *
 * Takes a parameter of one dimension or more and `dim`, 0 unless given: `original0` is g, the lengths (1 in each other
 * dimension, and of shape [] where `dim` is null), and `original1` is v, of the weight's shape; both start so that the
 * weight is as it was. What is frozen of either does not move, and the weight follows the other.
 * `forward` takes nothing and gives the weight. A slice of length 0 gives NaN, as in PyTorch.
 * Throws `IndexError` for a dimension that is not there.
 * Source: Salimans and Kingma, "Weight Normalization", 2016; `torch.nn.utils.parametrizations.weight_norm`.
 * Example: `new nn.WeightNorm(new nn.Parameter(randn([3, 4]))).forward()`.
 */
export class WeightNorm extends Parametrization {
  readonly dim: number | null;
  original0: Parameter;
  original1: Parameter;

  constructor(weight: Tensor, options: WeightNormOptions = {}) {
    refuseOptions("WeightNorm", options, { dim: null });
    const { dim = 0 } = options;
    super();
    // PyTorch's -1 is no dimension, but stands for all of the tensor.
    const along = dim === -1 ? null : dim;
    if (along !== null && (!Number.isInteger(along) || along < 0 || along >= weight.ndim))
      throw new IndexError(
        `WeightNorm: dimension ${dim} of a weight of shape ${shapeText(weight.shape)}; it is from 0 to ${weight.ndim - 1}, or ` +
          "null for one length of all of it",
      );
    this.dim = along;
    const v = weight.detach();
    this.original0 = new Parameter(this.lengths(v));
    this.original1 = new Parameter(v);
  }

  forward(): Tensor {
    const v = this.original1;
    return v.mul(this.original0.div(this.lengths(v)));
  }

  rightInverse(value: Tensor): void {
    if (shapeText(value.shape) !== shapeText(this.original1.shape))
      throw new ShapeError(
        `WeightNorm: a value of shape ${shapeText(value.shape)} for a weight of ${shapeText(this.original1.shape)}`,
      );
    noGrad(() => {
      const v = value.detach();
      this.original0.copy_(this.lengths(v));
      this.original1.copy_(v);
    });
  }

  /** The length of each slice along the dimension. */
  private lengths(v: Tensor): Tensor {
    const { dim } = this;
    if (dim === null) return v.square().sum().sqrt();
    const others = v.shape.flatMap((_, i) => (i === dim ? [] : [i]));
    const squares = v.square();
    return (others.length === 0 ? squares : squares.sum(others, { keepdim: true })).sqrt();
  }
}

const signature = takes({ module: aModule }, { name: kind.string, dim: kind.nullable(kind.whole) });

/**
 * Has a weight of a module computed as g · v / ‖v‖, and gives the module: `WeightNorm` in place of the parameter `name`,
 * "weight" unless given. What is trained, frozen and saved is `parametrizations.weight.original0` (g) and `…original1`
 * (v), as in PyTorch 2; a file with `weight_g` and `weight_v` is loaded with `rename`. `removeParametrizations` makes an
 * ordinary weight of it again. Make the optimizer after this.
 *
 * Throws `ArgumentError` where the module has no such parameter, or a parametrization of it, `IndexError` for a `dim` that
 * is not there.
 * Source: Salimans and Kingma, "Weight Normalization", 2016; `torch.nn.utils.parametrizations.weight_norm`.
 * Example: `nn.weightNorm(new nn.Linear(4, 3)).forward(randn([2, 4]))`.
 */
export function weightNorm<M extends Module, const N extends string = "weight">(
  module: M,
  options: WeightNormOptions & { name?: N } = {},
): Parametrized<M, N, WeightNorm> {
  refuseUnless("weightNorm", signature, [module, options]);
  const { name = "weight" as N, dim = 0 } = options;
  return registerParametrization(module, name, (weight) => new WeightNorm(weight, { dim }));
}
