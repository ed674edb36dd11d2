import { ShapeError } from "../../base/errors.ts";
import { broadcastShapes, shapeText } from "../../base/shape.ts";
import { filled, sliceAxis } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { abs, div, eq, gt, mul, neg, sub, where } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { cat, transpose } from "./movement.ts";
import { broadcastTo } from "./promote.ts";
import { argmax, prod } from "./reduction.ts";
import { stated } from "./stated.ts";

const swapped = (x: Node): Node => transpose(x, -2, -1);
/** Row `k`, or column, as a matrix. */
const rowOf = (x: Node, k: number): Node => sliceAxis(x, x.shape.length - 2, k, 1);
const columnOf = (x: Node, k: number): Node => sliceAxis(x, x.shape.length - 1, k, 1);

/** What elimination makes of a matrix with more columns at its right. */
interface Eliminated {
  /** What has become of the columns at the right: the solution. */
  readonly right: Node;
  /** The pivots, side by side, with the sign of the rows that were swapped: their product is the determinant. */
  readonly pivots: Node[];
}

/**
 * Gauss and Jordan's elimination of a square matrix, batches too: column by column, the row with the largest element is
 * brought up, divided by it, and taken from all others.
 */
function eliminate(a: Node, b: Node): Eliminated {
  const n = a.shape.at(-1)!;
  const rank = a.shape.length;
  let x = cat([a, b], -1);
  const pivots: Node[] = [];
  const rows = node("iota", [], { shape: [n, 1], axis: 0, dtype: "i32" });
  for (let k = 0; k < n; k++) {
    const candidates = where(gt(k, rows), -1, abs(columnOf(x, k)));
    const best = argmax(candidates, rank - 2, true);
    // Row k and the best one change places.
    const from = where(eq(rows, k), best, where(eq(rows, best), k, rows));
    const lines = broadcastTo(from, x.shape, "linalg");
    x = node("gather", [x, lines], { axis: rank - 2 });
    const line = rowOf(x, k);
    const pivot = columnOf(line, k);
    pivots.push(where(eq(best, k), pivot, neg(pivot)));
    const unit = div(line, pivot);
    x = where(eq(rows, k), unit, sub(x, mul(columnOf(x, k), unit)));
  }
  return { right: sliceAxis(x, rank - 1, n, b.shape.at(-1)!), pivots };
}

const still = (x: Node): Node => node("detach", [x], {});

function identityLike(a: Node): Node {
  const n = a.shape.at(-1)!;
  const iota = (axis: number): Node => node("iota", [], { shape: [n, n], axis, dtype: "i32" });
  const diagonal = broadcastTo(eq(iota(0), iota(1)), a.shape, "linalg");
  return where(diagonal, filled(1, a.shape, a.dtype), filled(0, a.shape, a.dtype));
}

/** The inverse of square matrices. */
export function inverse(a: Node): Node {
  if (a.shape.includes(0)) return a;
  const value = eliminate(still(a), identityLike(a)).right;
  return stated(value, [a, (g, n) => neg(matmul(matmul(swapped(n), g), swapped(n)))]);
}

/** The determinant of square matrices. */
export function determinant(a: Node): Node {
  const outer = a.shape.slice(0, -2);
  if (a.shape.at(-1) === 0) return filled(1, outer, a.dtype);
  const { pivots } = eliminate(still(a), filled(0, [...a.shape.slice(0, -1), 0], a.dtype));
  const value = prod(cat(pivots, -1), [-2, -1]);
  const wide = (x: Node): Node => node("reshape", [x], { shape: [...outer, 1, 1] });
  return stated(value, [a, (g, n) => mul(wide(mul(g, n)), swapped(inverse(a)))]);
}

/** x of a · x = b, where batches broadcast. */
export function solveWith(a: Node, b: Node): Node {
  const [x, y] = alongBatches(a, b);
  if (x.shape.includes(0) || y.shape.includes(0)) return filled(0, y.shape, y.dtype);
  const value = eliminate(still(x), still(y)).right;
  return stated(
    value,
    [x, (g, n) => neg(matmul(solveWith(swapped(x), g), swapped(n)))],
    [y, (g) => solveWith(swapped(x), g)],
  );
}

/** Two batches of matrices, in the batches that they broadcast to. */
function alongBatches(a: Node, b: Node): [Node, Node] {
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (batch === null)
    throw new ShapeError(
      `linalg: the batches of ${shapeText(a.shape)} and ${shapeText(b.shape)} do not broadcast`,
    );
  const wide = (x: Node): Node => broadcastTo(x, [...batch, ...x.shape.slice(-2)], "linalg");
  return [wide(a), wide(b)];
}

/** x of a · x = b for a triangle: that of its first half, then that of its second less what the first is of it. */
export function triangularSolve(a: Node, b: Node, upper: boolean, unit: boolean): Node {
  const [x, y] = alongBatches(a, b);
  return y.shape.includes(0) ? y : substitute(x, y, upper, unit);
}

function substitute(a: Node, b: Node, upper: boolean, unit: boolean): Node {
  const n = a.shape.at(-1)!;
  if (n === 1) return unit ? b : div(b, a);
  const [rows, columns] = [a.shape.length - 2, a.shape.length - 1];
  const half = n >> 1;
  const part = (x: Node, axis: number, second: boolean): Node =>
    sliceAxis(x, axis, second ? half : 0, second ? n - half : half);
  const block = (i: boolean, j: boolean): Node => part(part(a, rows, i), columns, j);
  // Of an upper triangle it is the second half that stands alone.
  const first = substitute(block(upper, upper), part(b, rows, upper), upper, unit);
  const rest = sub(part(b, rows, !upper), matmul(block(!upper, upper), first));
  const second = substitute(block(!upper, !upper), rest, upper, unit);
  return cat(upper ? [second, first] : [first, second], rows);
}
