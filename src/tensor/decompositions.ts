import { ArgumentError } from "../base/errors.ts";
import { filled } from "../ir/build.ts";
import type { Node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { finfo } from "./finfo.ts";
import { choleskyOf, eighOf, pinvOf, qrOf, svdOf } from "./operations/decomposing.ts";
import { maximum, mul } from "./operations/elementwise.ts";
import { identity } from "./operations/householder.ts";
import { transpose } from "./operations/movement.ts";
import { requireMatrix } from "./require-matrix.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

// Decompositions of matrices, named and behaving as in `torch.linalg`. Each is some thousand operations, one after the
// other: they are for matrices of up to some hundred rows.

const swapped = (x: Node): Node => transpose(x, -2, -1);

/** Zeros with the batch of a matrix. */
const zeros = (a: Node, ...last: number[]): Node => filled(0, [...a.shape.slice(0, -2), ...last], a.dtype);

/** Options of `qr`. */
export interface QrOptions {
  /** A basis of as many columns as the matrix has, "reduced"; a "complete" one; or "r", without it. Default "reduced". */
  mode?: "reduced" | "complete" | "r";
}

/**
 * An orthogonal matrix and an upper triangle whose product the matrix is, by Householder's reflections.
 *
 * Takes [..., m, n] of a floating dtype; with k the smaller of m and n gives Q of [..., m, k] and R of [..., k, n]; with
 * mode "complete" of [..., m, m] and [..., m, n]; with "r" Q is null. Signs are those of LAPACK. Where m is above n, a
 * complete basis has no gradient; and the first k columns must be independent for there to be one.
 * Throws `ShapeError` for what is no matrix, `DTypeError` for integers, `GradientError` for that of a complete basis.
 * Source: `torch.linalg.qr`. Example: `linalg.qr(randn([4, 3])).Q`.
 */
export const qr = checked(
  "linalg.qr",
  takes({ A: kind.tensor }, { mode: kind.oneOf("reduced", "complete", "r") }),
  (A: Tensor, { mode = "reduced" }: QrOptions = {}): { Q: Tensor | null; R: Tensor } => {
    requireMatrix("qr", A, false);
    const [m, n] = A.shape.slice(-2) as [number, number];
    const { q, r } = A.shape.includes(0)
      ? emptyQr(A.node, m, mode === "complete" ? m : Math.min(m, n), n)
      : qrOf(A.node, mode === "complete" ? "complete" : "reduced");
    return { Q: mode === "r" ? null : new Tensor(q), R: new Tensor(r) };
  },
);

const emptyQr = (a: Node, m: number, k: number, n: number): { q: Node; r: Node } => ({
  q: identity(a, m, k),
  r: zeros(a, k, n),
});

/** Options of `eigh` and `eigvalsh`. */
export interface EighOptions {
  /** Which triangle is looked at: "L", the lower one, or "U". Default "L". */
  UPLO?: "L" | "U";
}

const uplo = { UPLO: kind.oneOf("L", "U") };

function eigen(op: string, A: Tensor, { UPLO = "L" }: EighOptions): { values: Node; vectors: Node } {
  requireMatrix(op, A);
  const n = A.shape.at(-1)!;
  if (A.shape.includes(0)) return { values: zeros(A.node, n), vectors: zeros(A.node, n, n) };
  return eighOf(A.node, UPLO === "U");
}

/**
 * Eigenvalues of symmetric matrices, the least first, and the vectors that belong to them, by Jacobi's rotations.
 *
 * Takes [..., n, n] of a floating dtype, of which one triangle is looked at; gives eigenvalues of [..., n] and eigenvectors
 * of [..., n, n], a column each. A vector's sign is any, and what is of equal eigenvalues is any basis: what is computed of
 * them should not depend on that, and gradients of vectors of equal eigenvalues are not finite.
 * Throws `ShapeError` for what is not square, `DTypeError` for integers.
 * Source: `torch.linalg.eigh`. Example: `linalg.eigh(eye(3)).eigenvalues`.
 */
export const eigh = checked(
  "linalg.eigh",
  takes({ A: kind.tensor }, uplo),
  (A: Tensor, options: EighOptions = {}): { eigenvalues: Tensor; eigenvectors: Tensor } => {
    const { values, vectors } = eigen("eigh", A, options);
    return { eigenvalues: new Tensor(values), eigenvectors: new Tensor(vectors) };
  },
);

/**
 * Eigenvalues of symmetric matrices, the least first.
 *
 * Takes what `eigh` takes; gives [..., n]. Throws as `eigh`.
 * Source: `torch.linalg.eigvalsh`. Example: `linalg.eigvalsh(eye(3))`.
 */
export const eigvalsh = checked(
  "linalg.eigvalsh",
  takes({ A: kind.tensor }, uplo),
  (A: Tensor, options: EighOptions = {}): Tensor => new Tensor(eigen("eigvalsh", A, options).values),
);

/** Options of `svd`. */
export interface SvdOptions {
  /** Whether bases are whole, of [..., m, m] and [..., n, n]; true. */
  fullMatrices?: boolean;
}

/**
 * Singular values, the largest first, and an orthogonal basis at either side, by Jacobi's rotations of columns.
 *
 * Takes [..., m, n] of a floating dtype; with k the smaller of m and n gives U of [..., m, m], S of [..., k] and Vh of
 * [..., n, n]; with `fullMatrices: false` U is of [..., m, k] and Vh of [..., k, n]. Columns of U have any sign, with that of
 * the row of Vh, and what a whole basis has beyond k is any: what is computed of them should not depend on that. Gradients
 * of bases are not finite where singular values are equal or, if m and n differ, 0.
 * Throws `ShapeError` for what is no matrix, `DTypeError` for integers.
 * Source: `torch.linalg.svd`. Example: `linalg.svd(randn([4, 3]), { fullMatrices: false }).S`.
 */
export const svd = checked(
  "linalg.svd",
  takes({ A: kind.tensor }, { fullMatrices: kind.boolean }),
  (A: Tensor, { fullMatrices = true }: SvdOptions = {}): { U: Tensor; S: Tensor; Vh: Tensor } => {
    requireMatrix("svd", A, false);
    const { u, s, vh } = singular(A.node, fullMatrices);
    return { U: new Tensor(u), S: new Tensor(s), Vh: new Tensor(vh) };
  },
);

function singular(a: Node, fullMatrices: boolean): { u: Node; s: Node; vh: Node } {
  const [m, n] = a.shape.slice(-2) as [number, number];
  if (!a.shape.includes(0)) return svdOf(a, fullMatrices);
  const k = Math.min(m, n);
  const [left, right] = fullMatrices ? [m, n] : [k, k];
  return { u: identity(a, m, left), s: zeros(a, k), vh: identity(a, right, n) };
}

/**
 * Singular values, the largest first.
 *
 * Takes [..., m, n] of a floating dtype; gives [..., k], with k the smaller of m and n. Throws as `svd`.
 * Source: `torch.linalg.svdvals`. Example: `linalg.svdvals(randn([4, 3]))`.
 */
export const svdvals = checked("linalg.svdvals", takes({ A: kind.tensor }), (A: Tensor): Tensor => {
  requireMatrix("svdvals", A, false);
  return new Tensor(singular(A.node, false).s);
});

/** Options of `pinv`. */
export interface PinvOptions {
  /** Singular values up to so much of the largest count as 0; the larger of m and n times the dtype's eps. */
  rtol?: number;
  /** Singular values up to this count as 0; 0. With it, `rtol` is 0 unless given. */
  atol?: number;
  /** Whether the matrix is symmetric, of which the lower triangle is then looked at; false. */
  hermitian?: boolean;
}

/**
 * The pseudoinverse: of singular values what they are divided by, of those that count as 0 nothing.
 *
 * Takes [..., m, n] of a floating dtype; gives [..., n, m]. Its gradient is that of matrices of the same rank.
 * Throws `ShapeError` for what is no matrix, or with `hermitian` not square; `DTypeError` for integers; `ArgumentError` for
 * bounds below 0.
 * Source: `torch.linalg.pinv`. Example: `linalg.pinv(randn([4, 3]))`.
 */
export const pinv = checked(
  "linalg.pinv",
  takes({ A: kind.tensor }, { rtol: kind.number, atol: kind.number, hermitian: kind.boolean }),
  (A: Tensor, { rtol, atol = 0, hermitian = false }: PinvOptions = {}): Tensor => {
    requireMatrix("pinv", A, hermitian);
    for (const [name, value] of Object.entries({ rtol: rtol ?? 0, atol }))
      if (!(value >= 0)) throw new ArgumentError(`linalg.pinv: ${name} is ${value}; it must be 0 or more`);
    const [m, n] = A.shape.slice(-2) as [number, number];
    if (A.shape.includes(0)) return new Tensor(zeros(A.node, n, m));
    const relative = rtol ?? (atol > 0 ? 0 : Math.max(m, n) * finfo(A.dtype as "f32").eps);
    const bound = (largest: Node): Node => maximum(mul(relative, largest), atol);
    return new Tensor(pinvOf(A.node, bound, hermitian));
  },
);

/** Options of `cholesky`. */
export interface CholeskyOptions {
  /** Whether the triangle that is given is an upper one; false. */
  upper?: boolean;
}

/**
 * The lower triangle L of a symmetric matrix with eigenvalues above 0, which is L times L turned; or the upper one.
 *
 * Takes [..., n, n] of a floating dtype, of which the lower triangle is looked at; gives its shape. A matrix of another kind
 * gives NaN, where PyTorch throws.
 * Throws `ShapeError` for what is not square, `DTypeError` for integers.
 * Source: `torch.linalg.cholesky`. Example: `linalg.cholesky(eye(3).mul(4))`.
 */
export const cholesky = checked(
  "linalg.cholesky",
  takes({ A: kind.tensor }, { upper: kind.boolean }),
  (A: Tensor, { upper = false }: CholeskyOptions = {}): Tensor => {
    requireMatrix("cholesky", A);
    const lower = choleskyOf(A.node);
    return new Tensor(upper ? swapped(lower) : lower);
  },
);
