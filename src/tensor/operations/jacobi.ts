import { padAxis, sliceAxis } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { abs, add, div, eq, lt, mul, neg, sqrt, sub, where } from "./elementwise.ts";
import { identity, reflected } from "./householder.ts";
import { cat, diagonal, transpose, unsqueeze } from "./movement.ts";
import { broadcastTo } from "./promote.ts";
import { amax, sum } from "./reduction.ts";
import { sort } from "./sorting.ts";

const swapped = (x: Node): Node => transpose(x, -2, -1);

/** How often each pair of columns is turned: what is off the diagonal vanishes quadratically in the end. */
const sweepsOf = (n: number, dtype: string): number =>
  5 + Math.ceil(Math.log2(n)) + (dtype === "f64" ? 2 : 0);

/** The sine and cosine that make two numbers of the diagonal independent of what is between them. */
function turn(first: Node, second: Node, between: Node): { sine: Node; cosine: Node } {
  const ratio = div(sub(second, first), mul(2, between));
  const size = div(1, add(abs(ratio), sqrt(add(mul(ratio, ratio), 1))));
  const tangent = where(eq(between, 0), 0, where(lt(ratio, 0), neg(size), size));
  const cosine = div(1, sqrt(add(mul(tangent, tangent), 1)));
  return { sine: mul(tangent, cosine), cosine };
}

/** The first half of a dimension (counted from the end), and the second. */
const halves = (x: Node, dim: -1 | -2): [Node, Node] => {
  const axis = x.shape.length + dim;
  const half = x.shape[axis]! / 2;
  return [sliceAxis(x, axis, 0, half), sliceAxis(x, axis, half, half)];
};

/** Turns column i of the first half and of the second together, for all i at once; or rows. */
function turned(x: Node, dim: -1 | -2, { sine, cosine }: { sine: Node; cosine: Node }): Node {
  const [p, q] = halves(x, dim);
  const along = (angle: Node): Node => (dim === -1 ? angle : swapped(angle));
  const [s, c] = [along(sine), along(cosine)];
  return cat([sub(mul(c, p), mul(s, q)), add(mul(s, p), mul(c, q))], dim);
}

/**
 * The next round of a tournament in which each column meets each other one once: the first stays, and the others move
 * around, so that after n − 1 rounds all are where they were.
 */
function moved(x: Node, dim: -1 | -2): Node {
  const axis = x.shape.length + dim;
  const half = x.shape[axis]! / 2;
  if (half === 1) return x;
  const part = (from: number, count: number): Node => sliceAxis(x, axis, from, count);
  return cat(
    [part(0, 1), part(half, 1), part(1, half - 2), part(half + 1, half - 1), part(half - 1, 1)].filter(
      (piece) => piece.shape[axis]! > 0,
    ),
    dim,
  );
}

/** With one more of a dimension where there is an odd number: a column of zeros, which no turn changes. */
const even = (x: Node, dim: -1 | -2): Node =>
  x.shape.at(dim)! % 2 === 0 ? x : padAxis(x, x.shape.length + dim, 0, 1, 0);

/** Has `round` done for each round of each sweep over n columns. */
function sweep(n: number, dtype: string, round: () => void): void {
  const rounds = (n - 1) * sweepsOf(n, dtype);
  for (let i = 0; i < rounds; i++) round();
}

/** What is divided by to be 1 at most, of a matrix: squares neither overflow nor vanish then. */
function scaleOf(a: Node): Node {
  const largest = amax(abs(a), [-2, -1], true);
  return where(eq(largest, 0), 1, largest);
}

/** Columns in the order of some indices, of [..., n]. */
function ordered(x: Node, indices: Node): Node {
  return node("gather", [x, broadcastTo(unsqueeze(indices, -2), x.shape, "linalg")], {
    axis: x.shape.length - 1,
  });
}

/** Eigenvalues of symmetric matrices, the least first, and their vectors as columns (Jacobi's rotations). */
export function eigenOf(a: Node): { values: Node; vectors: Node } {
  const n = a.shape.at(-1)!;
  const scale = scaleOf(a);
  let x = even(even(div(a, scale), -1), -2);
  const size = x.shape.at(-1)!;
  let v = identity(x, size);
  sweep(size, a.dtype, () => {
    const [top, bottom] = halves(x, -2);
    const [first, between] = halves(top, -1);
    const line = (block: Node): Node => unsqueeze(diagonal(block, 0, -2, -1), -2);
    const angle = turn(line(first), line(halves(bottom, -1)[1]), line(between));
    x = moved(moved(turned(turned(x, -1, angle), -2, angle), -1), -2);
    v = moved(turned(v, -1, angle), -1);
  });
  const inner = (y: Node, dim: -1 | -2): Node => sliceAxis(y, y.shape.length + dim, 0, n);
  const found = sort(diagonal(inner(inner(x, -1), -2), 0, -2, -1), -1);
  return {
    values: mul(found.values, flat(scale)),
    vectors: ordered(inner(inner(v, -1), -2), found.indices),
  };
}

/** A number for each matrix, without its last dimension. */
const flat = (x: Node): Node => sum(x, -1);

/**
 * Singular values of matrices with at least as many rows as columns, the largest first, and both bases, whole (one-sided
 * Jacobi's rotations: columns are turned until they are orthogonal; what they are then is brought to length 1).
 */
export function singularOf(a: Node): { u: Node; s: Node; v: Node } {
  const n = a.shape.at(-1)!;
  const scale = scaleOf(a);
  let x = even(div(a, scale), -1);
  const size = x.shape.at(-1)!;
  let v = identity(x, size);
  sweep(size, a.dtype, () => {
    const [p, q] = halves(x, -1);
    const inner = (y: Node, z: Node): Node => sum(mul(y, z), -2, true);
    const angle = turn(inner(p, p), inner(q, q), inner(p, q));
    x = moved(turned(x, -1, angle), -1);
    v = moved(turned(v, -1, angle), -1);
  });
  const inner = (y: Node, dim: -1 | -2): Node => sliceAxis(y, y.shape.length + dim, 0, n);
  x = inner(x, -1);
  const lengths = sort(sqrt(sum(mul(x, x), -2)), -1, true);
  x = ordered(x, lengths.indices);
  v = ordered(inner(inner(v, -1), -2), lengths.indices);
  // Reflections make a whole basis, also where columns have vanished; they may turn a column about.
  const { q, r } = reflected(x);
  const signs = where(lt(diagonal(r, 0, -2, -1), 0), -1, 1);
  const wide = unsqueeze(signs, -2);
  const rows = q.shape.length - 1;
  const u = cat(
    [mul(sliceAxis(q, rows, 0, n), wide), sliceAxis(q, rows, n, q.shape.at(-1)! - n)].filter(
      (part) => part.shape.at(-1)! > 0,
    ),
    -1,
  );
  return { u, s: mul(lengths.values, flat(scale)), v };
}
