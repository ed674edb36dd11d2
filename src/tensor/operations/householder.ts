import { filled, sliceAxis } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { abs, and, div, eq, gt, lt, mul, neg, sqrt, sub, where } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { transpose } from "./movement.ts";
import { broadcastTo } from "./promote.ts";
import { amax, sum } from "./reduction.ts";

const swapped = (x: Node): Node => transpose(x, -2, -1);

/** Numbers from 0 on, down or along a matrix of so many rows and columns. */
export const counted = (rows: number, columns: number, axis: 0 | 1): Node =>
  node("iota", [], { shape: [rows, columns], axis, dtype: "i32" });

/** Ones on the diagonal of matrices, in the batch of another. */
export function identity(like: Node, rows: number, columns = rows): Node {
  const shape = [...like.shape.slice(0, -2), rows, columns];
  const isOn = broadcastTo(eq(counted(rows, columns, 0), counted(rows, columns, 1)), shape, "linalg");
  return where(isOn, filled(1, shape, like.dtype), filled(0, shape, like.dtype));
}

/**
 * Householder's reflections: an orthogonal q of [..., m, m] and a triangle r of [..., m, n] whose product the matrix is.
 * Columns are done one after the other, and signs are those of LAPACK: what has nothing below its diagonal stays.
 */
export function reflected(a: Node): { q: Node; r: Node } {
  const [m, n] = a.shape.slice(-2) as [number, number];
  const rows = counted(m, 1, 0);
  let r = a;
  let q = identity(a, m);
  for (let k = 0; k < Math.min(m - 1, n); k++) {
    const column = sliceAxis(r, r.shape.length - 1, k, 1);
    const below = where(gt(rows, k), column, 0);
    const head = sliceAxis(column, column.shape.length - 2, k, 1);
    const largest = amax(abs(below), -2, true);
    const hasNone = eq(largest, 0);
    // Squares of what is scaled so neither overflow nor vanish.
    const both = where(gt(abs(head), largest), abs(head), largest);
    const unit = where(hasNone, 1, both);
    const [h, b] = [div(head, unit), div(below, unit)];
    const length = sqrt(sum(mul(where(eq(rows, k), h, b), where(eq(rows, k), h, b)), -2, true));
    const alpha = where(lt(h, 0), length, neg(length));
    const v = where(eq(rows, k), sub(h, alpha), b);
    const scale = where(hasNone, 0, div(2, sum(mul(v, v), -2, true)));
    const reflect = (x: Node): Node => sub(x, mul(mul(scale, v), matmul(swapped(v), x)));
    // Exactly what the reflection makes of its own column, without rounding.
    const own = and(eq(counted(m, n, 1), k), gt(counted(m, n, 0), k));
    r = where(and(own, eq(hasNone, false)), 0, reflect(r));
    q = sub(q, mul(matmul(q, v), swapped(mul(scale, v))));
  }
  return { q, r };
}
