import { isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { sameShape, shapeText, sizeOf } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import { div, like, mul } from "../../tensor/operations/elementwise.ts";
import { mean, sum } from "../../tensor/operations/reduction.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** What becomes of the losses of single elements: all of them, their mean, or their sum. */
export type Reduction = "none" | "mean" | "sum";

/** Options that every loss has. */
export interface LossOptions {
  /** "mean" unless given. */
  reduction?: Reduction;
}

/** The losses of elements, reduced; a mean is over `weights` where there are such, and of no elements NaN. */
export function reduceLoss(op: string, loss: Node, reduction: Reduction, weights?: Node): Node {
  switch (reduction) {
    case "none":
      return loss;
    case "sum":
      return sum(loss);
    case "mean":
      if (weights === undefined || sizeOf(loss.shape) === 0) return mean(loss);
      // The weights first, so that no row waits for what the rows give: loss and gradient become one loop over them.
      return sum(mul(div(1, sum(like(weights, weights.shape, loss.dtype, op))), loss));
    default:
      throw new ArgumentError(`${op}: reduction "${reduction}" is not one of "none", "mean" and "sum"`);
  }
}

/**
 * Nodes of an input and a target of one shape, one of which is floating-point. Broadcasting is refused: with [N] and
 * [N, 1] it compares all with all.
 */
export function pairOf(op: string, input: Tensor, target: Tensor): [Node, Node] {
  if (!sameShape(input.shape, target.shape))
    throw new ShapeError(
      `${op}: the input has shape ${shapeText(input.shape)}, the target ${shapeText(target.shape)}; they must be equal, ` +
        "reshape or expand one of them",
    );
  return [isFloat(target.dtype) ? input.node : floatNode(op, input), target.node];
}

/** The node of an input, which must be floating-point. */
export function floatNode(op: string, input: Tensor, what = "the input"): Node {
  if (!isFloat(input.dtype))
    throw new DTypeError(
      `${op}: ${what} is ${input.dtype}; it must be floating-point, cast it with to("f32")`,
    );
  return input.node;
}
