import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "./argument-kinds.ts";
import { dimOf } from "./operations/dims.ts";
import { add, div, gt, mul, where } from "./operations/elementwise.ts";
import { floating, refuseIntegers } from "./operations/promote.ts";
import { norm } from "./operations/reduction.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/**
 * A tensor whose slices along a dimension are no longer, by their p-norm, than `maxnorm`: longer ones are shortened to it.
 *
 * Takes a floating-point tensor of at least 2 dimensions, a p above 0 and a maxnorm from 0 on; gives its shape and dtype.
 * Throws `ShapeError` for fewer dimensions, `DTypeError` for integers, `ArgumentError` for a p or a maxnorm that is none.
 * Source: `torch.renorm`. Example: `renorm(table, 2, 0, 1)` has rows of length 1 at most.
 */
export const renorm = checked(
  "renorm",
  takes({ x: kind.tensor, p: kind.number, dim: kind.dim, maxnorm: kind.nonNegative }),
  (x: Tensor, p: number, dim: number, maxnorm: number): Tensor => {
    if (!(p > 0)) throw new ArgumentError(`renorm: p is ${p}; it must be above 0`);
    if (x.ndim < 2)
      throw new ShapeError(`renorm: takes at least 2 dimensions, not shape ${shapeText(x.shape)}`);
    refuseIntegers("renorm", x);
    const axis = dimOf("renorm", dim, x.ndim, x.shape);
    const value = floating(x.node);
    const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
    if (x.numel === 0) return new Tensor(value);
    const length = norm(value, p, others, true);
    return new Tensor(mul(value, where(gt(length, maxnorm), div(maxnorm, add(length, 1e-7)), 1)));
  },
);
