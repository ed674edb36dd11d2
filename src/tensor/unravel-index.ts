import type { Shape } from "../base/shape.ts";
import { sizeOf } from "../base/shape.ts";
import * as kind from "./argument-kinds.ts";
import { floorDivide, remainder } from "./operations/elementwise.ts";
import { checkedIndices } from "./operations/indexing.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/**
 * Where elements of a flattened tensor of some shape are in it: a tensor of indices for each dimension, in the shape of
 * those given, so that `x.at(...unravelIndex(i, x.shape))` is `x.flatten().at(i)`.
 *
 * Throws `IndexError` for an index out of range, `DTypeError` for indices that are no integers.
 * Source: `torch.unravel_index`. Example: `unravelIndex(scores.argmax(), scores.shape)`.
 */
export const unravelIndex = checked(
  "unravelIndex",
  takes({ indices: kind.tensor, shape: kind.shape }),
  (indices: Tensor, shape: Shape): Tensor[] => {
    const places = checkedIndices("unravelIndex", indices.node, 0, sizeOf(shape));
    return shape.map((size, i) => {
      const line = floorDivide(places, sizeOf(shape.slice(i + 1)) || 1);
      return new Tensor(size === 0 ? line : remainder(line, size));
    });
  },
);
