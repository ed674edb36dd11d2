import type { Node } from "../../ir/node.ts";
import type { FloatNumber } from "../float.ts";
import type { Operand } from "../operations/promote.ts";

/** What the method classes need of a tensor: its node, and how to make another. `T` is the tensor class itself. */
export abstract class Methods<T> {
  abstract get node(): Node;
  protected abstract wrap(node: Node): T;
}

/** Something with a node: a tensor, seen from the method classes. */
export interface HasNode {
  readonly node: Node;
}

/** A plain number among tensors: `float(2)` is one that is floating point though it is whole. */
export type Scalar = number | boolean | FloatNumber;

/** The operand that a method's argument stands for. */
export const operandOf = (x: HasNode | number | boolean): Operand => (typeof x === "object" ? x.node : x);

/** The same for an argument that may be left out. */
export const optionalOperand = (x: HasNode | number | boolean | undefined): Operand | undefined =>
  x === undefined ? undefined : operandOf(x);
