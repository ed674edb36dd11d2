import { isFloat } from "../base/dtype.ts";
import { DTypeError, ShapeError } from "../base/errors.ts";
import { broadcastShapes, shapeText } from "../base/shape.ts";
import { restore } from "../ir/build.ts";
import type { Node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { abs, eq, full, mul, sign, sub, where } from "./operations/elementwise.ts";
import { indexSelect } from "./operations/indexing.ts";
import { select, unsqueeze } from "./operations/movement.ts";
import { floating } from "./operations/promote.ts";
import { amax, norm } from "./operations/reduction.ts";
import { stated } from "./operations/stated.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";
import { triuIndices } from "./triangle-indices.ts";

/** Options of `cdist`. */
export interface CdistOptions {
  /** Which norm, from 0 (how many differ) to Infinity (the largest difference); 2. */
  p?: number;
}

/**
 * The distance of every row of x1 from every row of x2: the p-norm of their difference.
 *
 * Takes [..., P, M] and [..., R, M] of one floating dtype, whose other dimensions broadcast; gives [..., P, R]. Distances
 * are differences themselves, not made of products, so that those of near rows keep their digits. Where a distance is 0
 * its gradient is 0; the largest difference has all of it where p is infinite, each where there are several.
 * Throws `ShapeError` for other shapes, `DTypeError` for integers or two dtypes.
 * Source: `torch.cdist`. Example: `cdist(queries, keys, { p: 1 }).argmin(-1)`.
 */
export const cdist = checked(
  "cdist",
  takes({ x1: kind.tensor, x2: kind.tensor }, { p: kind.nonNegative }),
  (x1: Tensor, x2: Tensor, { p = 2 }: CdistOptions = {}): Tensor => new Tensor(distances(x1, x2, p)),
);

function distances(x1: Tensor, x2: Tensor, p: number): Node {
  for (const x of [x1, x2]) {
    if (x.ndim < 2)
      throw new ShapeError(
        `cdist: takes rows of matrices, not shape ${shapeText(x.shape)}; use reshape([1, -1]) for one row`,
      );
    if (!isFloat(x.dtype) || x.dtype !== x1.dtype)
      throw new DTypeError(
        `cdist: takes two floating-point tensors of one dtype, these are ${x1.dtype} and ${x2.dtype}; cast them with to()`,
      );
  }
  const batch = broadcastShapes(x1.shape.slice(0, -2), x2.shape.slice(0, -2));
  if (x1.shape.at(-1) !== x2.shape.at(-1) || batch === null)
    throw new ShapeError(
      `cdist: rows of shapes ${shapeText(x1.shape)} and ${shapeText(x2.shape)}: ${
        batch === null ? "the batches do not broadcast" : "they need as many columns"
      }`,
    );
  const [a, b] = [floating(x1.node), floating(x2.node)];
  if (x1.shape.at(-1) === 0) return full([...batch, x1.shape.at(-2)!, x2.shape.at(-2)!], 0, a.dtype);
  return lengths(sub(unsqueeze(a, -2), unsqueeze(b, -3)), p);
}

const lengths = (difference: Node, p: number): Node =>
  p === Number.POSITIVE_INFINITY ? largest(difference) : norm(difference, p, -1);

/**
 * The distance of every two rows of a matrix: the p-norm of their difference, of the first row and each after it, then of
 * the second, and so on.
 *
 * Takes [N, M] of a floating dtype; gives [N · (N − 1) / 2]. Gradients are those of `cdist`.
 * Throws `ShapeError` for other shapes, `DTypeError` for integers.
 * Source: `torch.nn.functional.pdist`. Example: `pdist(points).max()` is how far apart the farthest are.
 */
export const pdist = checked(
  "pdist",
  takes({ x: kind.tensor }, { p: kind.nonNegative }),
  (x: Tensor, { p = 2 }: CdistOptions = {}): Tensor => {
    if (x.ndim !== 2)
      throw new ShapeError(`pdist: takes the rows of a matrix, not shape ${shapeText(x.shape)}`);
    if (!isFloat(x.dtype))
      throw new DTypeError(
        `pdist: takes a floating-point tensor, this one is ${x.dtype}; cast it with to("f32")`,
      );
    const [count, columns] = x.shape as [number, number];
    const pairs = triuIndices(count, count, { offset: 1 }).node;
    const a = floating(x.node);
    if (columns === 0) return new Tensor(full([pairs.shape[1]!], 0, a.dtype));
    const [left, right] = [0, 1].map((side) => indexSelect(a, 0, select(pairs, 0, side))) as [Node, Node];
    return new Tensor(lengths(sub(left, right), p));
  },
);

/** The largest |x| along the last dimension. */
function largest(x: Node): Node {
  const over = (reduced: Node): Node => restore(reduced, [x.shape.length - 1], x.shape);
  const slope = (g: Node, n: Node): Node => where(eq(abs(x), over(n)), mul(sign(x), over(g)), 0);
  return stated(amax(abs(x), -1), [x, slope]);
}
