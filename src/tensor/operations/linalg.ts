import { DTypeError, ShapeError } from "../../base/errors.ts";
import { broadcastShapes, sameShape, shapeText } from "../../base/shape.ts";
import { permute, reshape } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { add, mul } from "./elementwise.ts";
import { widen } from "./promote.ts";

/** Two factors of one dtype, widened where they are of a storage dtype. */
export function factors(op: string, a: Node, b: Node): [Node, Node] {
  const [x, y] = [widen(a), widen(b)];
  if (x.dtype !== y.dtype)
    throw new DTypeError(`${op}: tensors of ${a.dtype} and ${b.dtype}; cast one to the other`);
  if (x.dtype === "bool") throw new DTypeError(`${op}: takes numbers, not bool; cast with to("f32")`);
  return [x, y];
}

/** The matrix product by the rules of `torch.matmul`: vectors, matrices, and batches of them that broadcast. */
export function matmul(a: Node, b: Node): Node {
  const [x, y] = factors("matmul", a, b);
  const [m, n] = [x.shape.length, y.shape.length];
  const wrong = (why: string): ShapeError =>
    new ShapeError(`matmul: cannot multiply ${shapeText(x.shape)} by ${shapeText(y.shape)}: ${why}`);
  if (m === 0 || n === 0) throw wrong("a scalar is no matrix; use mul");
  const [p, q] = [x.shape[m - 1]!, y.shape[Math.max(0, n - 2)]!];
  if (p !== q) throw wrong(`the inner sizes ${p} and ${q} differ`);
  const batches = [x.shape.slice(0, Math.max(0, m - 2)), y.shape.slice(0, Math.max(0, n - 2))] as const;
  const batch = broadcastShapes(batches[0], batches[1]);
  if (batch === null)
    throw wrong(`the batch sizes ${shapeText(batches[0])} and ${shapeText(batches[1])} do not broadcast`);
  return contract(
    { x, batch: batches[0], rows: m === 1 ? [] : [m - 2], inner: m - 1 },
    { x: y, batch: batches[1], rows: n === 1 ? [] : [n - 1], inner: Math.max(0, n - 2) },
    batch,
  );
}

interface Factor {
  readonly x: Node;
  readonly batch: readonly number[];
  readonly rows: readonly number[];
  readonly inner: number;
}

/**
 * A batched product without copies: a batch dimension that only one side has (the other lacks it, or has size 1)
 * is a free dimension of that side.
 */
function contract(left: Factor, right: Factor, batch: readonly number[]): Node {
  if (batch.length === 0)
    return node("dot", [left.x, right.x], {
      leftBatch: [],
      rightBatch: [],
      leftContract: [left.inner],
      rightContract: [right.inner],
    });
  const rank = batch.length;
  const axis = (f: Factor, i: number): number => i - (rank - f.batch.length);
  const has = (f: Factor, i: number): boolean => axis(f, i) >= 0 && f.batch[axis(f, i)] === batch[i];
  const axesOf = (f: Factor, which: readonly number[]): number[] => which.map((i) => axis(f, i));
  const every = batch.map((_, i) => i);
  const shared = every.filter((i) => has(left, i) && has(right, i));
  // Sizes of 1 that the other side broadcasts over would come out as dimensions of their own: they go first.
  const l = squeezed(
    left,
    every.filter((i) => axis(left, i) >= 0 && !has(left, i)).map((i) => axis(left, i)),
  );
  const r = squeezed(
    right,
    every.filter((i) => axis(right, i) >= 0 && !has(right, i)).map((i) => axis(right, i)),
  );
  const product = node("dot", [l.x, r.x], {
    leftBatch: axesOf(left, shared).map(l.at),
    rightBatch: axesOf(right, shared).map(r.at),
    leftContract: [l.at(left.inner)],
    rightContract: [r.at(right.inner)],
  });
  // The result has shared batches, left's own and rows, right's own and columns.
  const leftOwn = every.filter((i) => !shared.includes(i) && has(left, i));
  const rightOwn = every.filter((i) => !shared.includes(i) && has(right, i));
  const names = [
    ...shared,
    ...leftOwn,
    ...left.rows.map(() => rank),
    ...rightOwn,
    ...right.rows.map(() => rank + 1),
  ];
  const wanted = [...every, ...left.rows.map(() => rank), ...right.rows.map(() => rank + 1)];
  return permute(
    product,
    wanted.map((name) => names.indexOf(name)),
  );
}

function squeezed({ x }: Factor, axes: readonly number[]): { x: Node; at: (axis: number) => number } {
  return {
    x: reshape(
      x,
      x.shape.filter((_, i) => !axes.includes(i)),
    ),
    at: (axis) => axis - axes.filter((a) => a < axis).length,
  };
}

/** The product of two matrices. */
export function mm(a: Node, b: Node): Node {
  if (a.shape.length !== 2 || b.shape.length !== 2)
    throw new ShapeError(
      `mm: takes two matrices, not shapes ${shapeText(a.shape)} and ${shapeText(b.shape)}; use matmul`,
    );
  return matmul(a, b);
}

/** The product of two batches of matrices. */
export function bmm(a: Node, b: Node): Node {
  if (a.shape.length !== 3 || b.shape.length !== 3 || a.shape[0] !== b.shape[0])
    throw new ShapeError(
      `bmm: takes two batches of matrices of one size, not ${shapeText(a.shape)} and ${shapeText(b.shape)}`,
    );
  return matmul(a, b);
}

/** The sum of products of two vectors. */
export function dot(a: Node, b: Node): Node {
  if (a.shape.length !== 1 || b.shape.length !== 1)
    throw new ShapeError(
      `dot: takes two vectors, not ${shapeText(a.shape)} and ${shapeText(b.shape)}; use matmul`,
    );
  return matmul(a, b);
}

/** Every product of elements of two vectors. */
export function outer(a: Node, b: Node): Node {
  if (a.shape.length !== 1 || b.shape.length !== 1)
    throw new ShapeError(`outer: takes two vectors, not ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
  return mul(reshape(a, [a.shape[0]!, 1]), reshape(b, [1, b.shape[0]!]));
}

/** x · weightᵀ + bias. */
export function linear(x: Node, weight: Node, bias?: Node): Node {
  const inner = x.shape.at(-1);
  const columns = weight.shape.length === 2 || weight.shape.length === 1 ? weight.shape.at(-1) : undefined;
  if (columns === undefined || inner !== columns)
    throw new ShapeError(
      `linear: an input of shape ${shapeText(x.shape)} for a weight of shape ${shapeText(weight.shape)}: ${
        columns === undefined
          ? "the weight is a matrix or a vector"
          : `the last dimension of the input must be ${columns}`
      }`,
    );
  const [a, w] = factors("linear", x, weight);
  const product = node("dot", [a, w], {
    leftBatch: [],
    rightBatch: [],
    leftContract: [a.shape.length - 1],
    rightContract: [w.shape.length - 1],
  });
  if (bias === undefined) return product;
  const result = add(product, bias);
  if (!sameShape(result.shape, product.shape))
    throw new ShapeError(
      `linear: a bias of shape ${shapeText(bias.shape)} for a result of shape ${shapeText(product.shape)}`,
    );
  return result;
}
