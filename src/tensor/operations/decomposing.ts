import { GradientError } from "../../base/errors.ts";
import { filledLike, sliceAxis } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { add, div, eq, mul, neg, sqrt, sub, where } from "./elementwise.ts";
import { counted, identity, reflected } from "./householder.ts";
import { eigenOf, singularOf } from "./jacobi.ts";
import { matmul } from "./linalg.ts";
import { cat, diagonal, transpose, tril, triu, unsqueeze } from "./movement.ts";
import { broadcastTo } from "./promote.ts";
import { triangularSolve } from "./solving.ts";
import { stated } from "./stated.ts";

const swapped = (x: Node): Node => transpose(x, -2, -1);
const still = (x: Node): Node => node("detach", [x], {});
const product = (...all: readonly Node[]): Node => all.reduce(matmul);
/** Columns times numbers, of [..., n]; rows times numbers. */
const scaled = (x: Node, s: Node): Node => mul(x, unsqueeze(s, -2));
const scaledRows = (s: Node, x: Node): Node => mul(unsqueeze(s, -1), x);
const columns = (x: Node, from: number, count: number): Node => sliceAxis(x, x.shape.length - 1, from, count);
const rows = (x: Node, from: number, count: number): Node => sliceAxis(x, x.shape.length - 2, from, count);

/** A square matrix with other numbers on its diagonal. */
function withDiagonal(x: Node, of: Node | number): Node {
  const n = x.shape.at(-1)!;
  const isOn = broadcastTo(eq(counted(n, n, 0), counted(n, n, 1)), x.shape, "linalg");
  const line = typeof of === "number" ? of : broadcastTo(unsqueeze(of, -2), x.shape, "linalg");
  return where(isOn, line, x);
}

/** How far numbers are from each other, j's from i's, with 1 on the diagonal, as what is between them is divided by it. */
const apart = (x: Node): Node => withDiagonal(sub(unsqueeze(x, -2), unsqueeze(x, -1)), 1);

/** Both factors of Householder's decomposition: "reduced" to what the matrix needs, or the "complete" basis. */
export function qrOf(a: Node, mode: "reduced" | "complete"): { q: Node; r: Node } {
  const [m, n] = a.shape.slice(-2) as [number, number];
  const k = Math.min(m, n);
  const whole = reflected(still(a));
  if (mode === "complete" && m > n) {
    const refuse = (): Node => {
      throw new GradientError(
        'linalg.qr: a complete basis of a matrix with more rows than columns has no gradient; use mode: "reduced"',
      );
    };
    return { q: stated(whole.q, [a, refuse]), r: stated(whole.r, [a, refuse]) };
  }
  // Columns beyond those that the basis is made of are products with it, and have their gradient.
  const first = columns(a, 0, k);
  const square = rows(columns(whole.r, 0, k), 0, k);
  const slope = (ofQ: Node | null, ofR: Node | null): Node => {
    const [left, right] = [ofR && matmul(r, swapped(ofR)), ofQ && matmul(swapped(ofQ), q)];
    const m = left === null ? neg(right!) : right === null ? left : sub(left, right);
    const both = add(tril(m), swapped(tril(m, -1)));
    const found = ofQ === null ? matmul(q, both) : add(ofQ, matmul(q, both));
    return swapped(triangularSolve(r, swapped(found), true, false));
  };
  const q = stated(columns(whole.q, 0, k), [first, (g) => slope(g, null)]);
  const r = stated(square, [first, (g) => slope(null, g)]);
  return { q, r: n === k ? r : cat([r, matmul(swapped(q), columns(a, k, n - k))], -1) };
}

/** A symmetric matrix of one triangle: the other is not looked at. */
const symmetric = (a: Node, upper: boolean): Node =>
  upper ? add(triu(a), swapped(triu(a, 1))) : add(tril(a), swapped(tril(a, -1)));

/** Eigenvalues of symmetric matrices, and their vectors. Both triangles have a gradient, as in PyTorch. */
export function eighOf(a: Node, upper: boolean): { values: Node; vectors: Node } {
  const found = eigenOf(symmetric(still(a), upper));
  const values = stated(found.values, [a, (g) => product(scaled(vectors, g), swapped(vectors))]);
  const vectors = stated(found.vectors, [
    a,
    (g, v) => {
      const within = matmul(swapped(v), g);
      const between = div(div(sub(within, swapped(within)), 2), apart(values));
      return product(v, between, swapped(v));
    },
  ]);
  return { values, vectors };
}

/** Singular values, and both bases: of as many columns as there are values, or whole. */
export function svdOf(a: Node, fullMatrices: boolean): { u: Node; s: Node; vh: Node } {
  const [m, n] = a.shape.slice(-2) as [number, number];
  const k = Math.min(m, n);
  const tall = singularOf(m < n ? swapped(still(a)) : still(a));
  const [left, right] = m < n ? [tall.v, tall.u] : [tall.u, tall.v];
  const squares = (): Node => apart(mul(s, s));
  // Of a basis, what its turning within itself gives; and outside of it, where there is more room.
  const skew = (g: Node, basis: Node): Node => {
    const within = matmul(swapped(basis), g);
    return div(sub(within, swapped(within)), squares());
  };
  const outside = (g: Node, basis: Node): Node => sub(g, product(basis, swapped(basis), g));
  const s = stated(tall.s, [a, (g) => product(scaled(u, g), swapped(v))]);
  const u = stated(columns(left, 0, k), [
    a,
    (g) => {
      const within = product(u, scaled(skew(g, u), s), swapped(v));
      return m === k ? within : add(within, product(div(outside(g, u), unsqueeze(s, -2)), swapped(v)));
    },
  ]);
  const v = stated(columns(right, 0, k), [
    a,
    (g) => {
      const within = product(u, scaledRows(s, skew(g, v)), swapped(v));
      return n === k ? within : add(within, product(u, swapped(div(outside(g, v), unsqueeze(s, -2)))));
    },
  ]);
  // The rest of a basis is any; nothing should depend on which.
  const whole = (basis: Node, all: Node, size: number): Node =>
    fullMatrices && size > k ? cat([basis, columns(all, k, size - k)], -1) : basis;
  return { u: whole(u, left, m), s, vh: swapped(whole(v, right, n)) };
}

/** The pseudoinverse, without what singular values (or eigenvalues) up to a bound are of. */
export function pinvOf(a: Node, boundOf: (largest: Node) => Node, hermitian: boolean): Node {
  const [m, n] = a.shape.slice(-2) as [number, number];
  const known = hermitian ? symmetric(a, false) : a;
  const x = still(known);
  const inverted = (values: Node, sizes: Node, largest: Node): Node =>
    where(lte(sizes, boundOf(largest)), 0, div(1, values));
  let value: Node;
  if (hermitian) {
    const { values, vectors } = eigenOf(x);
    const sizes = sqrt(mul(values, values));
    const ends = [columns(sizes, 0, 1), columns(sizes, n - 1, 1)] as const;
    const largest = where(lte(ends[0], ends[1]), ends[1], ends[0]);
    value = product(scaled(vectors, inverted(values, sizes, largest)), swapped(vectors));
  } else {
    const k = Math.min(m, n);
    const { u, s, v } = singularOf(m < n ? swapped(x) : x);
    const [left, right] = m < n ? [v, u] : [u, v];
    const inverse = inverted(s, s, columns(s, 0, 1));
    value = product(scaled(columns(right, 0, k), inverse), swapped(columns(left, 0, k)));
  }
  return stated(value, [
    a,
    (g, p) => {
      const [gt, pt] = [swapped(g), swapped(p)];
      const ofRange = product(sub(identity(a, m), matmul(known, p)), gt, p, pt);
      const ofKernel = product(pt, p, gt, sub(identity(a, n), matmul(p, known)));
      return add(sub(ofRange, product(pt, g, pt)), ofKernel);
    },
  ]);
}

const lte = (a: Node, b: Node): Node => node("le", [a, broadcastTo(b, a.shape, "linalg")], {});

/** The triangle whose product with itself, turned, a positive matrix is: its first half's, and what that leaves of the second. */
export function choleskyOf(a: Node): Node {
  if (a.shape.includes(0)) return a;
  return stated(halvesOf(still(a)), [
    a,
    (g, l) => {
      const within = tril(matmul(swapped(l), g));
      const phi = withDiagonal(within, div(diagonal(within, 0, -2, -1), 2));
      // l⁻ᵀ · phi · l⁻¹, and its symmetric part.
      const half = triangularSolve(swapped(l), phi, true, false);
      const whole = swapped(triangularSolve(swapped(l), swapped(half), true, false));
      return div(add(whole, swapped(whole)), 2);
    },
  ]);
}

function halvesOf(a: Node): Node {
  const n = a.shape.at(-1)!;
  if (n === 1) return sqrt(a);
  const half = n >> 1;
  const block = (i: boolean, j: boolean): Node =>
    columns(rows(a, i ? half : 0, i ? n - half : half), j ? half : 0, j ? n - half : half);
  const first = halvesOf(block(false, false));
  const below = swapped(triangularSolve(first, swapped(block(true, false)), false, false));
  const second = halvesOf(sub(block(true, true), matmul(below, swapped(below))));
  const above = filledLike(0, swapped(below));
  return cat([cat([first, above], -1), cat([below, second], -1)], -2);
}
