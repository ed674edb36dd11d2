import { count, ops } from "../lowered/build.ts";
import type { Expr } from "../lowered/ir.ts";
import { ceilDiv, fetchOperand, inVectors, operandAt, type Parts, zero } from "./contract-parts.ts";

const { add, div, lt, min, mul, rem, sub } = ops;

/** A stretch of the contracted dimension. */
export interface Stretch {
  readonly k0: Expr;
  readonly depth: Expr;
}

/**
 * Packs rows of the left operand from `first` of the block on, as rows by depths of the buffer. Whole vectors are stored,
 * also where fewer rows or depths are left: the buffer has room for them, and nobody reads them.
 */
export function packLeft(parts: Parts, left: number, { k0, depth }: Stretch, first: Expr, rows: Expr): void {
  const { b, kernel, block } = parts;
  const value = (r: Expr, j: Expr, live?: Expr) =>
    operandAt(parts, "left", { free: add(add(block.m0, first), r), depth: add(k0, j) }, live);
  /** The next panel's, while this one is multiplied. */
  const fetch = (r: Expr, j: Expr) =>
    fetchOperand(parts, "left", { free: add(add(add(block.m0, first), rows), r), depth: add(k0, j) });
  const store = (r: Expr, j: Expr, dim: number, v: Expr) =>
    b.store({ access: left, at: [r, j], along: { dim, packed: true } }, v);
  if (kernel.leftUnit === "m")
    b.for(depth, (j) => {
      fetch(zero, j);
      inVectors(parts, rows, (r, live) => store(r, j, 0, value(r, j, live)));
    });
  else
    b.for(rows, (r) =>
      inVectors(parts, depth, (j, live) => {
        fetch(r, j);
        store(r, j, 1, value(r, j, live));
      }),
    );
}

/** Packs the right operand of the block as panels of a tile's columns, which for each depth lie side by side. */
export function packRight(parts: Parts, right: number, stretch: Stretch): void {
  if (parts.kernel.rightUnit === "n") rightByDepth(parts, right, stretch);
  else rightByRow(parts, right, stretch);
}

function rightByDepth(parts: Parts, right: number, { k0, depth }: Stretch): void {
  const { b, policy, block } = parts;
  const { tile } = policy;
  const { lanes } = policy.registers;
  const width = count(tile.columns);
  const at = (c: Expr, j: Expr) => ({ free: add(block.n0, c), depth: add(k0, j) });
  const store = (panel: Expr, j: Expr, d: Expr, value: Expr) =>
    b.store({ access: right, at: [panel, j, d], along: { dim: 2, packed: true } }, value);
  const whole = b.let("whole", div(block.columns, width));
  b.for(whole, (panel) => {
    const c = b.let("c", mul(panel, width));
    b.for(depth, (j) => {
      for (let d = 0; d < tile.columns; d += lanes) {
        fetchOperand(parts, "right", at(add(c, count(d + tile.columns)), j));
        store(panel, j, count(d), operandAt(parts, "right", at(add(c, count(d)), j)));
      }
    });
  });
  // What is left, vector by vector.
  const c = b.let("c", mul(whole, width));
  const some = b.let("some", sub(block.columns, c));
  b.if(lt(zero, some), () =>
    b.for(depth, (j) =>
      inVectors(parts, some, (d, live) =>
        store(whole, j, d, operandAt(parts, "right", at(add(c, d), j), live)),
      ),
    ),
  );
}

/** As many columns as a vector has lanes at a time, vectors along k, transposed on the way. */
function rightByRow(parts: Parts, right: number, { k0, depth }: Stretch): void {
  const { b, policy, block } = parts;
  const { lanes } = policy.registers;
  const vectors = count(policy.tile.columns / lanes);
  const rows = b.local("f32", [lanes, lanes]);
  b.for(ceilDiv(block.columns, count(lanes)), (group) => {
    const first = b.let("first", mul(group, count(lanes)));
    const panel = b.let("panel", div(group, vectors));
    const c = b.let("c", mul(rem(group, vectors), count(lanes)));
    // Columns that there are not keep what was there.
    const some = b.let("some", min(count(lanes), sub(block.columns, first)));
    const value = (r: Expr, j: Expr, live?: Expr) =>
      operandAt(parts, "right", { free: add(add(block.n0, first), r), depth: add(k0, j) }, live);
    inVectors(parts, depth, (j, live) => {
      const packed = { dim: 1, packed: true };
      b.for(some, (r) => b.store({ access: rows, at: [r, zero], along: packed }, value(r, j, live)));
      const lines = Array.from({ length: lanes }, (_, r) =>
        b.let("u", b.load({ access: rows, at: [count(r), zero], along: packed }, lanes)),
      );
      for (const [d, column] of transposed(parts, lines).entries())
        b.store({ access: right, at: [panel, add(j, count(d)), c], along: { dim: 2, packed: true } }, column);
    });
  });
}

/**
 * The columns of a square of vectors. Step by step squares of 1, 2, 4 … swap places across the diagonal (Eklundh, "A Fast
 * Computer Method for Matrix Transposing", 1972).
 */
function transposed({ b }: Parts, rows: readonly Expr[]): readonly Expr[] {
  const lanes = rows.length;
  let now = [...rows];
  for (let half = 1; half < lanes; half *= 2) {
    const next = [...now];
    const list = (from: (lane: number) => number) => Array.from({ length: lanes }, (_, l) => from(l));
    // Lanes from `lanes` on are of the second operand.
    const low = list((l) => ((l & half) === 0 ? l : lanes + l - half));
    const high = list((l) => ((l & half) === 0 ? l + half : lanes + l));
    for (let r = 0; r < lanes; r++) {
      if ((r & half) !== 0) continue;
      next[r] = b.let("u", ops.shuffle(now[r]!, now[r + half]!, low));
      next[r + half] = b.let("u", ops.shuffle(now[r]!, now[r + half]!, high));
    }
    now = next;
  }
  return now;
}
