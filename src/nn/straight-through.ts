import type { Node } from "../ir/node.ts";
import { node } from "../ir/node.ts";
import { add, lt, sub, where } from "../tensor/operations/elementwise.ts";

/** x, at least `min`, with the gradient that x has: PyTorch raises what it divides by outside of autograd. */
export const raisedTo = (x: Node, min: number): Node =>
  where(lt(x, min), add(sub(x, node("detach", [x], {})), min), x);
