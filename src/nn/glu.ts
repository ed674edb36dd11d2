import { ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { refuseIntegers } from "../tensor/operations/promote.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** Options of `GLU`. */
export interface GLUOptions {
  /** The dimension that is halved; the last. */
  dim?: number;
}

/**
 * a · sigmoid(b), where a and b are the halves of x along `dim`: what passes is decided by the other half.
 *
 * Takes x of one dimension or more and of a floating dtype, of an even size along `dim` (-1 unless given); gives x's
 * shape with that size halved.
 * Throws `ShapeError` for a scalar, an odd size, and a dimension that x does not have; `DTypeError` for integers.
 * Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017; `torch.nn.GLU`.
 * Example: `new nn.GLU().forward(randn([2, 6]))`.
 */
export class GLU extends Module {
  readonly dim: number;

  constructor(options: GLUOptions = {}) {
    refuseOptions("GLU", options, { dim: null });
    const { dim = -1 } = options;
    super();
    this.dim = dim;
  }
  forward(x: Tensor): Tensor {
    return glu(x, this);
  }
  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** What `GLU` does. */
export const glu = checked("glu", takes({ x: kind.tensor }, { dim: kind.dim }), gluOf);

function gluOf(x: Tensor, { dim = -1 }: GLUOptions = {}): Tensor {
  if (x.ndim === 0) throw new ShapeError("glu: a scalar has no dimension to halve");
  refuseIntegers("glu", x);
  const size = x.size(dim);
  if (size % 2 !== 0)
    throw new ShapeError(
      `glu: dimension ${dim} of shape ${shapeText(x.shape)} has the odd size ${size}, which cannot be halved`,
    );
  const [a, b] = [x.narrow(dim, 0, size / 2), x.narrow(dim, size / 2, size / 2)];
  return a.mul(b.sigmoid());
}
