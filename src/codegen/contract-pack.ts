import { count, type KernelBuilder, ops } from "../lowered/build.ts";
import type { Expr } from "../lowered/ir.ts";
import { ceilDiv, fetchOperand, inVectors, one, operandAt, type Parts, zero } from "./contract-parts.ts";

const { add, div, le, min, mul, rem, sub } = ops;

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
  const { b, kernel, policy, block } = parts;
  const at = (r: Expr, j: Expr) => ({ free: add(add(block.m0, first), r), depth: add(k0, j) });
  const store = (r: Expr, j: Expr, dim: number, live?: Expr) =>
    b.store(
      { access: left, at: [r, j], along: { dim, packed: true } },
      operandAt(parts, "left", at(r, j), live),
    );
  if (kernel.leftUnit === "m")
    // The next panel's, while this one is multiplied.
    byDepth(
      parts,
      { depth, size: rows, whole: policy.tile.rows, left: sub(block.rows, first) },
      (r, j, live) => store(r, j, 0, live),
      (j) => fetchOperand(parts, "left", at(rows, j)),
    );
  else
    b.for(rows, (r) =>
      inVectors(parts, depth, (j, live) => {
        fetchOperand(parts, "left", at(add(rows, r), j));
        store(r, j, 1, live);
      }),
    );
}

/**
 * Goes through depths, and for each along a panel's `size` in vectors: written out where that is the `whole` panel, as so
 * much is `left`. `begin` comes first at each depth.
 */
function byDepth(
  parts: Parts,
  { depth, size, whole, left }: { depth: Expr; size: Expr; whole: number; left: Expr },
  store: (index: Expr, j: Expr, live?: Expr) => void,
  begin: (j: Expr) => void = () => {},
): void {
  const { b, policy } = parts;
  const { lanes } = policy.registers;
  const some = () =>
    b.for(depth, (j) => {
      begin(j);
      inVectors(parts, size, (i, live) => store(i, j, live));
    });
  const all = () =>
    b.for(depth, (j) => {
      begin(j);
      for (let i = 0; i < whole; i += lanes) store(count(i), j);
    });
  // The last vector may reach into the next panel, whose elements nobody reads here.
  b.if(le(count(Math.ceil(whole / lanes) * lanes), left), all, some);
}

/** Packs the right operand of the block as panels of a tile's columns, which for each depth lie side by side. */
export function packRight(parts: Parts, right: number, stretch: Stretch): void {
  if (parts.kernel.rightUnit === "n") rightByDepth(parts, right, stretch);
  else rightByRow(parts, right, stretch);
}

function rightByDepth(parts: Parts, right: number, { k0, depth }: Stretch): void {
  const { b, policy, block } = parts;
  const width = policy.tile.columns;
  b.for(ceilDiv(block.columns, count(width)), (panel) => {
    const c = b.let("c", mul(panel, count(width)));
    const left = b.let("left", sub(block.columns, c));
    const panels = { depth, size: min(count(width), left), whole: width, left };
    byDepth(parts, panels, (i, j, live) => {
      const at = (d: Expr) => ({ free: add(add(block.n0, c), d), depth: add(k0, j) });
      fetchOperand(parts, "right", at(add(i, count(width))));
      const place = { access: right, at: [panel, j, i], along: { dim: 2, packed: true } };
      b.store(place, operandAt(parts, "right", at(i), live));
    });
  });
}

/** Rows of a square that are loaded into registers; of larger ones the text would be long. */
const mostAbreast = 4;

/** As many columns as a vector has lanes at a time, vectors along k, transposed on the way. */
function rightByRow(parts: Parts, right: number, { k0, depth }: Stretch): void {
  const { b, policy, block } = parts;
  const { lanes } = policy.registers;
  const vectors = count(policy.tile.columns / lanes);
  const each = Array.from({ length: lanes }, (_, r) => count(r));
  const value = (c: Expr, j: Expr, live?: Expr) =>
    operandAt(parts, "right", { free: add(block.n0, c), depth: add(k0, j) }, live);
  const rows = lanes <= mostAbreast ? null : b.local("f32", [lanes, lanes]);
  b.for(ceilDiv(block.columns, count(lanes)), (group) => {
    const first = b.let("first", mul(group, count(lanes)));
    const panel = b.let("panel", div(group, vectors));
    const c = b.let("c", mul(rem(group, vectors), count(lanes)));
    const last = sub(block.columns, one);
    // Columns that there are not are copies of the last, or keep what was there.
    const columns = rows === null ? each.map((r) => b.let("column", min(add(first, r), last))) : [];
    const some = min(count(lanes), sub(block.columns, first));
    /** What `rows` hold, one after the other. */
    const throughMemory = (buffer: number, j: Expr, live?: Expr): Expr[] => {
      const row = (r: Expr) => ({ access: buffer, at: [r, zero], along: { dim: 1, packed: true } });
      b.for(some, (r) => b.store(row(r), value(add(first, r), j, live)));
      return each.map((r) => b.let("u", b.load(row(r), lanes)));
    };
    inVectors(parts, depth, (j, live) => {
      const lines = rows === null ? columns.map((x) => value(x, j, live)) : throughMemory(rows, j, live);
      for (const [d, column] of transposed(parts.b, lines).entries())
        b.store({ access: right, at: [panel, add(j, count(d)), c], along: { dim: 2, packed: true } }, column);
    });
  });
}

/**
 * The columns of a square of vectors. Step by step squares of 1, 2, 4 … swap places across the diagonal (Eklundh, "A Fast
 * Computer Method for Matrix Transposing", 1972).
 */
export function transposed(b: KernelBuilder, rows: readonly Expr[]): readonly Expr[] {
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
