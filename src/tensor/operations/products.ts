import { isFloat } from "../../base/dtype.ts";
import { DTypeError, ShapeError } from "../../base/errors.ts";
import { shapeText } from "../../base/shape.ts";
import { cast, reshape } from "../../ir/build.ts";
import type { Node } from "../../ir/node.ts";
import { add, mul, sub } from "./elementwise.ts";
import { bmm, matmul, mm, outer } from "./linalg.ts";
import { diagonal, roll, transpose } from "./movement.ts";
import { broadcastTo, widen } from "./promote.ts";
import { sum } from "./reduction.ts";

/** The product of a matrix and a vector. */
export function mv(a: Node, b: Node): Node {
  if (a.shape.length !== 2 || b.shape.length !== 1)
    throw new ShapeError(
      `mv: takes a matrix and a vector, not shapes ${shapeText(a.shape)} and ${shapeText(b.shape)}; use matmul`,
    );
  return matmul(a, b);
}

/** Sums of products over the last dimension of both, as `torch.inner`; with a scalar, the product. */
export function inner(a: Node, b: Node): Node {
  const [m, n] = [a.shape.length, b.shape.length];
  if (m === 0 || n === 0) return mul(a, b);
  if (a.shape[m - 1] !== b.shape[n - 1])
    throw new ShapeError(
      `inner: the last sizes of ${shapeText(a.shape)} and ${shapeText(b.shape)} differ; transpose one of them`,
    );
  const rows = (x: Node): Node =>
    reshape(x, [x.shape.slice(0, -1).reduce((p, d) => p * d, 1), x.shape.at(-1)!]);
  const [x, y] = [rows(a), rows(b)];
  const product = matmul(x, transpose(y, 0, 1));
  return reshape(product, [...a.shape.slice(0, -1), ...b.shape.slice(0, -1)]);
}

/** The sum of a matrix's diagonal. */
export function trace(x: Node): Node {
  if (x.shape.length !== 2) throw new ShapeError(`trace: takes a matrix, not shape ${shapeText(x.shape)}`);
  return sum(diagonal(x));
}

/** beta · input + alpha · product, in the product's shape. With beta 0 the input is not looked at, be it NaN. */
function plus(op: string, input: Node, product: Node, beta: number, alpha: number): Node {
  // Integers take the whole part of both, as PyTorch does.
  const [b, a] = isFloat(product.dtype) ? [beta, alpha] : [Math.trunc(beta), Math.trunc(alpha)];
  if (widen(input).dtype !== product.dtype)
    throw new DTypeError(`${op}: tensors of ${input.dtype} and ${product.dtype}; cast one to the other`);
  const scaled = a === 1 ? product : mul(product, a);
  const start = broadcastTo(input, product.shape, op);
  if (b === 0) return scaled;
  return cast(add(b === 1 ? start : mul(start, b), scaled), product.dtype);
}

/** beta · input + alpha · a · b for two matrices. */
export const addmm = (input: Node, a: Node, b: Node, beta: number, alpha: number): Node =>
  plus("addmm", input, mm(a, b), beta, alpha);
/** beta · input + alpha · a · b for a matrix and a vector. */
export const addmv = (input: Node, a: Node, b: Node, beta: number, alpha: number): Node =>
  plus("addmv", input, mv(a, b), beta, alpha);
/** beta · input + alpha · the outer product of two vectors. */
export const addr = (input: Node, a: Node, b: Node, beta: number, alpha: number): Node =>
  plus("addr", input, outer(a, b), beta, alpha);
/** beta · input + alpha · a · b for two batches of matrices. */
export const baddbmm = (input: Node, a: Node, b: Node, beta: number, alpha: number): Node =>
  plus("baddbmm", input, bmm(a, b), beta, alpha);
/** beta · input + alpha · the sum over the batch of a · b. */
export const addbmm = (input: Node, a: Node, b: Node, beta: number, alpha: number): Node => {
  const products = bmm(a, b);
  // A sum of integers widens, and the operation keeps their dtype.
  return plus("addbmm", input, cast(sum(products, 0), products.dtype), beta, alpha);
};

/** The Kronecker product: every element of `a` times the whole of `b`. */
export function kron(a: Node, b: Node): Node {
  const rank = Math.max(a.shape.length, b.shape.length);
  const padded = (x: Node): number[] => [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape];
  const [p, q] = [padded(a), padded(b)];
  const left = reshape(
    a,
    p.flatMap((d) => [d, 1]),
  );
  const right = reshape(
    b,
    q.flatMap((d) => [1, d]),
  );
  return reshape(
    mul(left, right),
    p.map((d, i) => d * q[i]!),
  );
}

/** The cross product of vectors of three along a dimension. */
export function cross(a: Node, b: Node, given: number | null): Node {
  const dim = given ?? a.shape.indexOf(3);
  if (a.shape.at(dim) !== 3 || b.shape.at(dim) !== 3)
    throw new ShapeError(
      `cross: dimension ${dim} of ${shapeText(a.shape)} and ${shapeText(b.shape)} must have size 3 in both`,
    );
  const next = (x: Node, by: number): Node => roll(x, by, dim);
  return sub(mul(next(a, -1), next(b, 1)), mul(next(a, 1), next(b, -1)));
}
