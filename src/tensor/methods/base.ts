import { isFloat, type TypedArray } from "../../base/dtype.ts";
import { ShapeError } from "../../base/errors.ts";
import { shapeText } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import type { FloatNumber } from "../float.ts";
import type { Operand } from "../operations/promote.ts";

/** What the method classes need of a tensor: its node, and how to make another. `T` is the tensor class itself. */
export abstract class Methods<T> {
  abstract get node(): Node;
  protected abstract wrap(node: Node): T;
  /** Makes a tensor that is a leaf. */
  protected abstract leaf(node: Node, requiresGrad: boolean): T;
  /** The elements of a tensor now, for what has a shape that depends on them; `op` is who asks. */
  protected abstract valuesFor(op: string, x: T): TypedArray;
  /** The one element of a tensor of integers now. */
  protected wholeFor(op: string, x: T & HasNode): number {
    const { shape, dtype } = x.node;
    if (shape.length > 0 || isFloat(dtype) || dtype === "bool")
      throw new ShapeError(
        `${op}: a tensor that stands for a whole number is an integer of shape [], not ${dtype}${shapeText(shape)}`,
      );
    return this.valuesFor(op, x)[0]!;
  }
}

/** Something with a node: a tensor, seen from the method classes. */
export interface HasNode {
  readonly node: Node;
}

/** A plain number among tensors: `float(2)` is one that is floating point though it is whole. */
export type Scalar = number | boolean | FloatNumber;

/** The operand that a method's argument stands for. */
export const operandOf = (x: HasNode | number | boolean): Operand => (typeof x === "object" ? x.node : x);

/** The number that a plain number, or one marked to be a float, is. */
export const numberOf = (x: number | { readonly value: number }): number =>
  typeof x === "object" ? x.value : x;

/** The same for an argument that may be left out. */
export const optionalOperand = (x: HasNode | number | boolean | undefined | null): Operand | undefined =>
  x === undefined || x === null ? undefined : operandOf(x);
