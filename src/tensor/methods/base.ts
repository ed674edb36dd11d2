import type { Node } from "../../ir/node.ts";
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

/** The operand that a method's argument stands for. */
export const operandOf = (x: HasNode | number | boolean): Operand => (typeof x === "object" ? x.node : x);

/** The same for an argument that may be left out. */
export const optionalOperand = (x: HasNode | number | boolean | undefined | null): Operand | undefined =>
  x === undefined || x === null ? undefined : operandOf(x);
