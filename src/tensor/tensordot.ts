import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { cast } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { dimOf } from "./operations/dims.ts";
import { factors } from "./operations/linalg.ts";
import { sum } from "./operations/reduction.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** How many of the last dimensions of one pair with the first of the other, or which of the one with which of the other. */
export type ContractedDims = number | readonly [readonly number[], readonly number[]];

const dims: kind.Kind = {
  what: "a whole number from 0 on, or two lists of dimensions",
  ok: (x) =>
    kind.size.ok(x) || (Array.isArray(x) && x.length === 2 && x.every((list) => kind.wholeList.ok(list))),
  remedy: (x) =>
    kind.wholeList.ok(x) ? "put each side's dimensions into a list of its own: [[1], [0]]" : null,
};

/**
 * Sums of products over pairs of dimensions: the last `dims` (2) of a with the first of b, or those that two lists name.
 *
 * Takes two tensors of one dtype, whose paired sizes are equal, or 1 on one side; gives the dimensions of a that are left,
 * then those of b.
 * Throws `ShapeError` for sizes that differ, `DTypeError` for two dtypes or bools, `IndexError` for a dimension that is not
 * there, `ArgumentError` for lists that name one twice or differ in length.
 * Source: `torch.tensordot`. Example: `tensordot(a, b, [[1, 0], [0, 1]])`.
 */
export const tensordot = checked(
  "tensordot",
  takes({ a: kind.tensor, b: kind.tensor, dims: kind.maybe(dims) }),
  (a: Tensor, b: Tensor, pairs: ContractedDims = 2): Tensor => new Tensor(contracted(a.node, b.node, pairs)),
);

function contracted(left: Node, right: Node, pairs: ContractedDims): Node {
  const [a, b] = factors("tensordot", left, right);
  const [inA, inB] = axesOf(a, b, pairs);
  // A size of 1 stands for the other's, whose sum is then all that counts.
  const narrow = (i: number): boolean => a.shape[inA[i]!] !== b.shape[inB[i]!];
  for (let i = 0; i < inA.length; i++)
    if (narrow(i) && a.shape[inA[i]!] !== 1 && b.shape[inB[i]!] !== 1)
      throw new ShapeError(
        `tensordot: dimension ${inA[i]} of ${shapeText(a.shape)} and ${inB[i]} of ${shapeText(b.shape)} are paired; their sizes must be equal`,
      );
  const summed = (x: Node, axes: readonly number[]): Node => {
    const wide = axes.filter((axis, i) => narrow(i) && x.shape[axis] !== 1);
    return wide.length === 0 ? x : cast(sum(x, wide, true), x.dtype);
  };
  return node("dot", [summed(a, inA), summed(b, inB)], {
    leftBatch: [],
    rightBatch: [],
    leftContract: inA,
    rightContract: inB,
  });
}

function axesOf(a: Node, b: Node, pairs: ContractedDims): [number[], number[]] {
  const [m, n] = [a.shape.length, b.shape.length];
  if (typeof pairs === "number") {
    if (pairs > m || pairs > n)
      throw new ShapeError(
        `tensordot: ${pairs} dimensions of shapes ${shapeText(a.shape)} and ${shapeText(b.shape)}; neither may have fewer`,
      );
    const first = Array.from({ length: pairs }, (_, i) => i);
    return [first.map((i) => m - pairs + i), first];
  }
  if (pairs[0].length !== pairs[1].length)
    throw new ArgumentError(
      `tensordot: [${pairs[0]}] and [${pairs[1]}] name ${pairs[0].length} and ${pairs[1].length} dimensions; they are paired, so they must be as many`,
    );
  return [a, b].map((x, side) => {
    const axes = pairs[side as 0 | 1].map((d) => dimOf("tensordot", d, x.shape.length, x.shape));
    if (new Set(axes).size !== axes.length)
      throw new ArgumentError(`tensordot: [${pairs[side as 0 | 1]}] names a dimension twice`);
    return axes;
  }) as [number[], number[]];
}
