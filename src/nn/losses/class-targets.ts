import { isFloat } from "../../base/dtype.ts";
import { DTypeError, IndexError, ShapeError } from "../../base/errors.ts";
import { sameShape, shapeText } from "../../base/shape.ts";
import { type Node, node } from "../../ir/node.ts";
import { checkElements } from "../../tensor/operations/check-elements.ts";
import { and, eq, full, ge, like, lt, ne, or, where } from "../../tensor/operations/elementwise.ts";
import { reshape, unsqueeze } from "../../tensor/operations/movement.ts";
import { broadcastTo } from "../../tensor/operations/promote.ts";
import { sum } from "../../tensor/operations/reduction.ts";

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

/** Class indices for scores, checked to be classes or `ignoreIndex`; null: every row counts. */
export function classTargets(
  op: string,
  scores: Node,
  targets: Node,
  ignoreIndex: number | null,
): ClassTargets {
  const dim = classDim(scores);
  const classes = scores.shape[dim];
  if (classes === undefined)
    throw new ShapeError(`${op}: the input is a scalar; it needs a dimension of classes`);
  const rows = scores.shape.toSpliced(dim, 1);
  // As in PyTorch, one target in a vector will do for one row without a batch.
  const single = rows.length === 0 && sameShape(targets.shape, [1]);
  if (!single && !sameShape(rows, targets.shape))
    throw new ShapeError(
      `${op}: an input of shape ${shapeText(scores.shape)} takes class targets of shape ${shapeText(rows)}, not ${shapeText(targets.shape)}`,
    );
  if (isFloat(targets.dtype) || targets.dtype === "bool")
    throw new DTypeError(`${op}: class targets are integers, not ${targets.dtype}; cast them with to("i32")`);
  const target = reshape(like(targets, targets.shape, "i32", op), rows);
  const column = unsqueeze(target, dim);
  checkClasses(op, column, targets, classes, ignoreIndex);
  const iota = node("iota", [], { shape: column.shape.with(dim, classes), axis: dim, dtype: "i32" });
  const hit = eq(iota, column);
  const ignorable = ignoreIndex !== null && ignoreIndex >= 0 && ignoreIndex < classes;
  return {
    mask: ignorable ? and(hit, broadcastTo(ne(column, ignoreIndex), hit.shape, op)) : hit,
    valid: ignoreIndex === null ? full(rows, true, "bool") : ne(target, ignoreIndex),
    pick(values) {
      return sum(where(this.mask, values, 0), dim);
    },
  };
}

/** The check that targets are classes. */
function checkClasses(
  op: string,
  column: Node,
  given: Node,
  classes: number,
  ignoreIndex: number | null,
): void {
  const ignored = ignoreIndex === null ? "" : `, and ignoreIndex is ${ignoreIndex}`;
  const demand = {
    meets: (t: number): boolean => (t >= 0 && t < classes) || t === ignoreIndex,
    fails: (): Node => {
      const outside = or(lt(column, 0), ge(column, classes));
      return ignoreIndex === null ? outside : and(outside, ne(column, ignoreIndex));
    },
    error: (t?: number, place?: number): IndexError =>
      new IndexError(
        `${op}: ${t === undefined ? "a target is no class" : `target ${t} at position ${place} is no class`}; ` +
          `there are ${classes} classes, 0 to ${classes - 1}${ignored}`,
      ),
  };
  checkElements(given, demand, () => column);
}
