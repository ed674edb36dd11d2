import { isFloat } from "../../base/dtype.ts";
import { DTypeError, IndexError, ShapeError } from "../../base/errors.ts";
import { sameShape, shapeText } from "../../base/shape.ts";
import type { Storage } from "../../engine/storage.ts";
import { addCheck, currentTrace, storedLeaf } from "../../engine/trace.ts";
import { type Node, node } from "../../ir/node.ts";
import { and, eq, ge, lt, ne, or, where } from "../../tensor/operations/elementwise.ts";
import { unsqueeze } from "../../tensor/operations/movement.ts";
import { broadcastTo } from "../../tensor/operations/promote.ts";
import { any, sum } from "../../tensor/operations/reduction.ts";

/** The dimension of scores that runs over the classes: the only one of a vector, else the second. */
export const classDim = (scores: Node): number => (scores.shape.length === 1 ? 0 : 1);

/** Class targets as masks over scores, with which a row is picked from without a gather: it all fuses into one loop. */
export interface ClassTargets {
  /** Where the score is that of the row's class; nowhere in an ignored row. Shape of the scores. */
  readonly mask: Node;
  /** Which rows count. Shape of the targets. */
  readonly valid: Node;
  /** The value of each row's class (0 in ignored rows) in a tensor of the scores' shape. */
  pick(values: Node): Node;
}

/** Class indices for scores, checked to be classes or `ignoreIndex`. */
export function classTargets(op: string, scores: Node, targets: Node, ignoreIndex: number): ClassTargets {
  const dim = classDim(scores);
  const classes = scores.shape[dim];
  if (classes === undefined)
    throw new ShapeError(`${op}: the input is a scalar; it needs a dimension of classes`);
  const rows = scores.shape.toSpliced(dim, 1);
  if (!sameShape(rows, targets.shape))
    throw new ShapeError(
      `${op}: an input of shape ${shapeText(scores.shape)} takes class targets of shape ${shapeText(rows)}, not ${shapeText(targets.shape)}`,
    );
  if (isFloat(targets.dtype) || targets.dtype === "bool")
    throw new DTypeError(`${op}: class targets are integers, not ${targets.dtype}; cast them with to("i32")`);
  const target = asI32(targets);
  const column = unsqueeze(target, dim);
  checkClasses(op, column, targets, classes, ignoreIndex);
  const iota = node("iota", [], { shape: column.shape.with(dim, classes), axis: dim, dtype: "i32" });
  const hit = eq(iota, column);
  const ignorable = ignoreIndex >= 0 && ignoreIndex < classes;
  return {
    mask: ignorable ? and(hit, broadcastTo(ne(column, ignoreIndex), hit.shape, op)) : hit,
    valid: ne(target, ignoreIndex),
    pick(values) {
      return sum(where(this.mask, values, 0), dim);
    },
  };
}

const asI32 = (x: Node): Node => (x.dtype === "i32" ? x : node("cast", [x], { dtype: "i32" }));

/** Checks at once where the targets' values are known, else before the next step writes anything. */
function checkClasses(op: string, column: Node, given: Node, classes: number, ignoreIndex: number): void {
  const wrong = (what: string): IndexError =>
    new IndexError(
      `${op}: ${what}; there are ${classes} classes, 0 to ${classes - 1}, and ignoreIndex is ${ignoreIndex}`,
    );
  const storage = storedLeaf(given)?.attrs.source as Storage | undefined;
  if (storage !== undefined && !storage.resident && !currentTrace().recording) {
    for (const [i, t] of storage.read().entries())
      if ((t < 0 || t >= classes) && t !== ignoreIndex)
        throw wrong(`target ${t} at position ${i} is no class`);
    return;
  }
  const outside = and(or(lt(column, 0), ge(column, classes)), ne(column, ignoreIndex));
  addCheck(asI32(any(outside)), () => wrong("a target is no class"), column);
}
