import { constant, count, ops, ref, typeOf } from "../lowered/build.ts";
import type { Expr, Name, Place } from "../lowered/ir.ts";
import { packLeft, type Stretch } from "./contract-pack.ts";
import { inVectors, operandAt, type Parts, zero } from "./contract-parts.ts";
import { few } from "./product-policy.ts";

const { add, eq, fma, lane, rotate, splat } = ops;

const packed = { dim: 1, packed: true };

/** Does something that is written out for each number of few rows. */
function forRows({ b, block }: Parts, body: (rows: number) => void): void {
  for (let rows = 1; rows <= few.rows; rows++) b.if(eq(block.rows, count(rows)), () => body(rows));
}

/** Sums of few rows begin with 0. */
export function clearRows(parts: Parts): void {
  const { b, block, sums, policy } = parts;
  const nothing = constant(typeOf("f32", policy.registers.lanes), 0);
  // Whole vectors: the buffer has room for them.
  b.for(block.rows, (r) =>
    inVectors(parts, block.columns, (c) => b.store({ access: sums, at: [r, c], along: packed }, nothing)),
  );
}

/**
 * A stretch of a product of few rows: the left operand is packed, the right one is evaluated where it is, once, some of
 * its rows abreast, so that a sum comes from the cache once for several products.
 */
export function addRows(parts: Parts, left: number, stretch: Stretch): void {
  const { b, block, sums } = parts;
  const { lanes } = parts.policy.registers;
  packLeft(parts, left, stretch, zero, block.rows);
  forRows(parts, (rows) => {
    const abreast = rows > 2 ? 4 : 8;
    b.steps(stretch.depth, [abreast, 1], (p, by) => {
      const depths = Array.from({ length: by }, (_, u) => add(p, count(u)));
      const factors = depths.map((j) =>
        Array.from({ length: rows }, (_, r) => b.let("a", b.load({ access: left, at: [count(r), j] }))),
      );
      inVectors(parts, block.columns, (c, live) => {
        const place = (r: number): Place => ({ access: sums, at: [count(r), c], along: packed });
        const now = Array.from({ length: rows }, (_, r) => b.load(place(r), lanes)).map((e) => b.var("s", e));
        for (const [u, j] of depths.entries()) {
          const at = { free: add(block.n0, c), depth: add(stretch.k0, j) };
          const value = operandAt(parts, "right", at, live);
          for (const [r, s] of now.entries()) b.set(s, fma(splat(factors[u]![r]!, lanes), value, ref(s)));
        }
        for (const [r, s] of now.entries()) b.store(place(r), ref(s));
      });
    });
  });
}

/** Rows and columns whose sums are kept in registers together, each a vector along k. */
const side = 4;

/**
 * A product whose operands both lie along k. Nothing is packed: each row of the right operand, which may be large, is read
 * once from memory; sums are vectors whose lanes are added at the end.
 */
export function dot(parts: Parts, k: Expr): void {
  const { b, block, sums, policy } = parts;
  const { lanes } = policy.registers;
  const some = (height: number, width: number, i: Expr, c: Expr) => {
    const each = (n: number) => Array.from({ length: n }, (_, x) => x);
    const totals: Name[][] = each(height).map(() =>
      each(width).map(() => b.var("c", constant(typeOf("f32", lanes), 0))),
    );
    const step = (j: Expr, live?: Expr) => {
      const rights = each(width).map((y) =>
        operandAt(parts, "right", { free: add(add(block.n0, c), count(y)), depth: j }, live),
      );
      for (const [x, row] of totals.entries()) {
        const a = operandAt(parts, "left", { free: add(add(block.m0, i), count(x)), depth: j }, live);
        for (const [y, total] of row.entries()) b.set(total, fma(a, rights[y]!, ref(total)));
      }
    };
    b.steps(k, [lanes], (j) => step(j), step);
    for (const [x, row] of totals.entries())
      for (const [y, total] of row.entries()) {
        for (let n = lanes / 2; n >= 1; n /= 2) b.set(total, add(ref(total), rotate(ref(total), n)));
        b.store({ access: sums, at: [add(i, count(x)), add(c, count(y))] }, lane(ref(total), 0));
      }
  };
  b.steps(block.columns, [side, 1], (c, width) =>
    b.steps(block.rows, [side, 1], (i, height) => some(height, width, i, c)),
  );
}
