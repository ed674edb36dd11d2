import * as kind from "../tensor/argument-kinds.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** How vectors are brought to length 1. */
export interface NormalizeOptions {
  /** The norm that is a vector's length. */
  p?: number;
  dim?: number | readonly number[];
  /** What a length is at least, so that nothing is divided by 0. */
  eps?: number;
}

/** Vectors along a dimension divided by their length. */
export const normalize = checked(
  "normalize",
  takes({ x: kind.tensor }, { p: kind.number, dim: kind.dims, eps: kind.number }),
  (x: Tensor, { p = 2, dim = 1, eps = 1e-12 }: NormalizeOptions = {}): Tensor =>
    x.div(x.norm(p, dim, { keepdim: true }).clamp({ min: eps })),
);
