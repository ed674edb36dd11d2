import type { DType } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, shapeText } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
/** Linear algebra of matrices, and of batches of them, named and behaving as `torch.linalg`. */
import { svdvals } from "./decompositions.ts";
import { abs } from "./operations/elementwise.ts";
import { select, transpose, unsqueeze } from "./operations/movement.ts";
import { floating } from "./operations/promote.ts";
import { amax, amin, sum } from "./operations/reduction.ts";
import { determinant, inverse, solveWith, triangularSolve } from "./operations/solving.ts";
import { requireMatrix } from "./require-matrix.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

export { cholesky, eigh, eigvalsh, pinv, qr, svd, svdvals } from "./decompositions.ts";

const requireOneDtype = (op: string, a: Tensor, b: Tensor): void => {
  if (a.dtype !== b.dtype)
    throw new DTypeError(`linalg.${op}: tensors of ${a.dtype} and ${b.dtype}; cast one to the other`);
};

const matrix = takes({ a: kind.tensor });

/**
 * The inverse of a square matrix, by elimination with the largest pivot of each column.
 *
 * Takes [..., n, n] of a floating dtype; gives its shape. n steps are one after the other: it is for small matrices. A
 * singular matrix gives infinities or NaN, where PyTorch throws.
 * Throws `ShapeError` for what is not square, `DTypeError` for integers.
 * Source: `torch.linalg.inv`. Example: `linalg.inv(eye(3).mul(2))`.
 */
export const inv = checked("linalg.inv", matrix, (a: Tensor): Tensor => {
  requireMatrix("inv", a);
  return new Tensor(inverse(floating(a.node)));
});

/**
 * The determinant of a square matrix.
 *
 * Takes [..., n, n] of a floating dtype; gives [...]. n steps are one after the other. Its gradient is that of the inverse,
 * which a singular matrix has not.
 * Throws `ShapeError` for what is not square, `DTypeError` for integers.
 * Source: `torch.linalg.det`. Example: `linalg.det(eye(3).mul(2))` is 8.
 */
export const det = checked("linalg.det", matrix, (a: Tensor): Tensor => {
  requireMatrix("det", a);
  return new Tensor(determinant(floating(a.node)));
});

/**
 * x of a · x = b, by elimination with the largest pivot of each column.
 *
 * Takes a of [..., n, n] and b of [..., n, k] or, where it has one dimension less than a, [..., n], of one floating dtype,
 * whose other dimensions broadcast; gives b's shape.
 * Throws `ShapeError` for shapes that do not fit, `DTypeError` for integers or two dtypes.
 * Source: `torch.linalg.solve`. Example: `linalg.solve(eye(2).mul(2), ones([2, 1]))`.
 */
export const solve = checked(
  "linalg.solve",
  takes({ a: kind.tensor, b: kind.tensor }),
  (a: Tensor, b: Tensor): Tensor => {
    requireMatrix("solve", a);
    requireOneDtype("solve", a, b);
    const isVector = b.ndim === 1 || (a.ndim - 1 === b.ndim && sameSizes(b.shape, a.shape.slice(0, -1)));
    const right = isVector ? unsqueeze(floating(b.node), -1) : floating(b.node);
    if (right.shape.length < 2 || right.shape.at(-2) !== a.shape.at(-1))
      throw new ShapeError(
        `linalg.solve: ${shapeText(a.shape)} and ${shapeText(b.shape)}: b has as many rows as a`,
      );
    const x = solveWith(floating(a.node), right);
    return new Tensor(isVector ? select(x, -1, 0) : x);
  },
);

const sameSizes = (a: Shape, b: Shape): boolean => a.every((n, i) => n === b[i]);

/** Options of `solveTriangular`. */
export interface TriangularOptions {
  /** Whether a is an upper triangle, else a lower one; it has no default. */
  upper: boolean;
  /** Whether a stands at the left, a · x = b, else x · a = b; true. */
  left?: boolean;
  /** Whether the diagonal is taken for ones; false. */
  unitriangular?: boolean;
}

/**
 * x of a · x = b for a triangle a, by substitution in halves: products of blocks, and divisions by the diagonal. What is on
 * the other side of the diagonal is not looked at, and gets no gradient.
 *
 * Takes a of [..., n, n] and b of [..., n, k] ([..., k, n] where a stands at the right), of one floating dtype, whose other
 * dimensions broadcast; gives b's shape.
 * Throws `ShapeError` for shapes that do not fit, `DTypeError` for integers or two dtypes.
 * Source: `torch.linalg.solve_triangular`.
 * Example: `linalg.solveTriangular(ones([3, 3]), ones([3, 1]), { upper: false })` is [1, 0, 0].
 */
export const solveTriangular = checked(
  "linalg.solveTriangular",
  takes(
    { a: kind.tensor, b: kind.tensor },
    { upper: kind.boolean, left: kind.boolean, unitriangular: kind.boolean },
    true,
  ),
  (a: Tensor, b: Tensor, { upper, left = true, unitriangular = false }: TriangularOptions): Tensor => {
    const op = "solveTriangular";
    requireMatrix(op, a);
    requireMatrix(op, b, false);
    requireOneDtype(op, a, b);
    if (upper === undefined)
      throw new ArgumentError(`linalg.${op}: upper is missing; say which triangle a is, { upper: false }`);
    if (b.shape.at(left ? -2 : -1) !== a.shape.at(-1))
      throw new ShapeError(
        `linalg.${op}: ${shapeText(a.shape)} and ${shapeText(b.shape)}: b has as many ${left ? "rows" : "columns"} as a`,
      );
    const [x, y] = [floating(a.node), floating(b.node)];
    const swapped = (n: Node): Node => transpose(n, -2, -1);
    return new Tensor(
      left
        ? triangularSolve(x, y, upper, unitriangular)
        : swapped(triangularSolve(swapped(x), swapped(y), !upper, unitriangular)),
    );
  },
);

/** Options of norms. */
export interface NormOptions {
  /** The dimensions that are reduced: all, unless given. */
  dim?: number | readonly number[] | null;
  keepdim?: boolean;
  /** What the tensor is cast to first. */
  dtype?: DType;
}

const normOptions = { dim: kind.nullable(kind.dims), keepdim: kind.boolean, dtype: kind.dtype };

/**
 * The p-norm of all elements, or along dimensions: (Σ |x|^ord)^(1/ord), the largest of |x| for Infinity, the smallest for
 * -Infinity, how many are not 0 for 0.
 *
 * Takes any shape and a floating dtype, and `ord`, 2 unless given. Gives [] or the shape without these dimensions.
 * Throws `DTypeError` for integers, `IndexError` for a dimension that is not there.
 * Source: `torch.linalg.vector_norm`. Example: `linalg.vectorNorm(randn([2, 3]), 1, { dim: -1 })`.
 */
export const vectorNorm = checked(
  "linalg.vectorNorm",
  takes({ x: kind.tensor, ord: kind.maybe(kind.number) }, normOptions),
  (x: Tensor, ord = 2, { dim, keepdim = false, dtype }: NormOptions = {}): Tensor =>
    x.norm(ord, dim ?? undefined, { keepdim, ...(dtype !== undefined && { dtype }) }),
);

/**
 * The norm of a vector or a matrix: without `ord` that of all elements in one row, or along `dim`; of two dimensions, which
 * are those of a matrix, "fro" is the root of the sum of squares, 1 and -1 the largest and smallest sum of a column, Infinity
 * and -Infinity of a row, 2 and -2 the largest and smallest singular value, "nuc" their sum; along one dimension it is `vectorNorm`.
 *
 * Takes any shape and a floating dtype. Gives [] or the shape without these dimensions.
 * Throws `ArgumentError` for an order that a matrix has not, `ShapeError` for
 * other than one or two dimensions with an order, `DTypeError` for integers.
 * Source: `torch.linalg.norm`. Example: `linalg.norm(randn([2, 3]), "fro")`.
 */
export const norm = checked(
  "linalg.norm",
  takes({ x: kind.tensor, ord: kind.nullable(kind.either(kind.number, kind.string)) }, normOptions),
  (x: Tensor, ord: number | string | null = null, options: NormOptions = {}): Tensor => {
    const { keepdim = false, dtype } = options;
    const dims = options.dim === undefined || options.dim === null ? null : [options.dim].flat();
    if (ord === null) return vectorNorm(x, 2, options);
    const along = dims ?? x.shape.map((_, i) => i);
    if (along.length !== 1 && along.length !== 2)
      throw new ShapeError(
        `linalg.norm: order ${ord} along ${along.length} dimensions of shape ${shapeText(x.shape)}; give dim, one or two of them`,
      );
    if (typeof ord === "number" && along.length === 1) return vectorNorm(x, ord, { ...options, dim: along });
    if (ord === "fro" && along.length === 2) return vectorNorm(x, 2, { ...options, dim: along });
    const size = typeof ord === "number" ? Math.abs(ord) : Number.NaN;
    const isOfValues = (size === 2 || ord === "nuc") && along.length === 2;
    if (size !== 1 && size !== Number.POSITIVE_INFINITY && !isOfValues)
      throw new ArgumentError(
        `linalg.norm: order ${JSON.stringify(ord)} of a ${along.length === 1 ? "vector" : "matrix"}; it is "fro", "nuc", ±1, ±2 or ±Infinity of a matrix, a number of a vector`,
      );
    requireMatrix("norm", x, false);
    if (isOfValues) {
      const found = svdvals((dtype === undefined ? x : x.to(dtype)).movedim(along, [-2, -1]));
      const one = ord === "nuc" ? found.sum(-1) : ord === 2 ? found.amax(-1) : found.amin(-1);
      if (!keepdim) return one;
      const at = along.map((dim) => (dim < 0 ? dim + x.ndim : dim));
      return one.reshape(x.shape.map((n, i) => (at.includes(i) ? 1 : n)));
    }
    const source = floating((dtype === undefined ? x : x.to(dtype)).node);
    // Sums along one of the two, with the other then reduced: each is kept until both are done.
    const [rows, columns] = size === 1 ? along : [along[1]!, along[0]!];
    const sums = sum(abs(source), rows!, true);
    const extreme = ((ord as number) > 0 ? amax : amin)(sums, columns!, true);
    const kept = new Tensor(extreme);
    return keepdim ? kept : kept.squeeze(along);
  },
);
