import { InternalError } from "../base/errors.ts";
import { settings } from "../base/settings.ts";
import { count, KernelBuilder, ops, param, ref } from "../lowered/build.ts";
import type { Expr, Lowered } from "../lowered/ir.ts";
import { verify } from "../lowered/verify.ts";
import type { ContractKernel } from "../plan/kernel.ts";
import { addRows, clearRows, dot } from "./contract-few.ts";
import { packLeft, packRight } from "./contract-pack.ts";
import { ceilDiv, extentsOf, finish, goesAlong, one, type Parts, zero } from "./contract-parts.ts";
import { few, type ProductForm, type ProductPolicy, productBuffers } from "./product-policy.ts";
import { tiles } from "./product-tile.ts";
import { KernelAccesses, lowerValues, scalarValues } from "./value.ts";

const { add, div, eq, lt, max, min, mul, ne, or, rem, sub, within } = ops;

/**
 * A product. A task is a block of the result. For each stretch of the contracted dimension it packs the right operand,
 * then for every few rows packs the left one and adds their products to the sums; packing evaluates the operands'
 * prologues. On the last stretch the epilogue follows while the sums are in the cache. (Goto and van de Geijn, "Anatomy
 * of High-Performance Matrix Multiplication", 2008.) Every sum runs over k in an order that depends on k alone.
 */
export function lowerContract(kernel: ContractKernel, form: ProductForm, policy: ProductPolicy): Lowered {
  if (kernel.dtype !== "f32") throw new InternalError(`a product of ${kernel.dtype}; only f32 has kernels`);
  const b = new KernelBuilder();
  const extents = extentsOf(kernel);
  const accesses = new KernelAccesses(b, kernel, {
    extents,
    varies: (a, dim) =>
      kernel.accesses[a]!.level === "full" &&
      (dim < kernel.batch || goesAlong(kernel, a)[0].includes(dim - kernel.batch)),
    along: (a) => kernel.batch + goesAlong(kernel, a)[1],
  });
  const batches = extents.slice(0, kernel.batch);
  const [m, n, k] = extents.slice(kernel.batch) as [Expr, Expr, Expr];
  const isRows = form === "rows";
  const largest = isRows ? few : policy.largest;
  const blockRows = min(param({ kind: "block", dim: 0 }), count(largest.rows));
  const blockColumns = min(param({ kind: "block", dim: 1 }), count(largest.columns));
  // Stretches of about the same length, each of whole vectors, and one at least.
  const even = ceilDiv(k, max(ceilDiv(k, count(policy.stretch)), one));
  const most = min(mul(add(div(even, count(16)), one), count(16)), count(policy.stretch));
  const { sums, left, right } = productBuffers(b, policy, form, kernel.leftUnit, most);
  const stretch = b.let("stretch", most);
  const rowBlocks = b.let("rowBlocks", ceilDiv(m, blockRows));
  const columnBlocks = b.let("columnBlocks", ceilDiv(n, blockColumns));
  const turns = b.let("turns", max(ceilDiv(k, stretch), one));
  const packed = b.var("packed", count(-1));
  const nowhere = { b, registers: policy.registers, accesses, at: extents.map(() => zero) };
  const same = scalarValues(
    accesses,
    kernel.epilogue,
    kernel.stores.map((s) => s.value),
  );
  const values = lowerValues(nowhere, kernel.epilogue, same, new Map());
  const scalars = new Map(same.map((v, i) => [v, values[i]!]));
  b.for(
    [...batches, rowBlocks, columnBlocks].reduce((x, y) => mul(x, y)),
    (task) => {
      // Blocks of rows run fastest, so that consecutive tasks share the packed right operand.
      const rest = b.let("rest", div(task, rowBlocks));
      const begin = (block: Expr, size: Expr, end: Expr) =>
        within(mul(block, size), end, "blocks are no more than have something to do");
      const m0 = b.let("row", begin(rem(task, rowBlocks), blockRows, m));
      const n0 = b.let("column", begin(rem(rest, columnBlocks), blockColumns, n));
      let left0 = b.let("batch", div(rest, columnBlocks));
      const batch = batches.map(() => zero);
      for (let d = kernel.batch - 1; d >= 0; d--) {
        batch[d] = b.let("index", rem(left0, batches[d]!));
        left0 = b.let("batch", div(left0, batches[d]!));
      }
      const block = {
        m0,
        n0,
        rows: b.let("rows", min(sub(m, m0), blockRows)),
        columns: b.let("columns", min(sub(n, n0), blockColumns)),
      };
      const parts: Parts = { b, kernel, policy, accesses, batch, block, sums, scalars };
      if (form === "dot") {
        dot(parts, k);
        finish(parts, zero, zero, block.rows);
        return;
      }
      const eachStretch = (body: (s: Expr, k0: Expr, depth: Expr) => void) =>
        b.for(turns, (s) => {
          const k0 = b.let("k0", mul(s, stretch));
          body(s, k0, b.let("depth", min(sub(k, k0), stretch)));
        });
      if (isRows) {
        clearRows(parts);
        eachStretch((_, k0, depth) => addRows(parts, left, { k0, depth }));
        finish(parts, zero, zero, block.rows);
        return;
      }
      const width = count(policy.tile.columns);
      const height = count(policy.tile.rows);
      const { unit } = policy.tile;
      /** Whole tiles. */
      const up = (size: Expr, unit: number) => mul(ceilDiv(size, count(unit)), count(unit));
      const panels = b.let("panels", ceilDiv(block.columns, width));
      const columns = b.let("wide", up(block.columns, unit.columns));
      eachStretch((s, k0, depth) => {
        b.if(or(ne(rest, ref(packed)), lt(stretch, k)), () => packRight(parts, right, { k0, depth }));
        b.for(ceilDiv(block.rows, height), (panel) => {
          const i = b.let("i", mul(panel, height));
          const some = b.let("some", min(height, sub(block.rows, i)));
          const rows = b.let("rows", min(height, up(sub(block.rows, i), unit.rows)));
          packLeft(parts, left, { k0, depth }, i, some);
          // Sums that are whole at once are not kept: the next rows' take their place.
          const here = b.let("here", min(i, mul(sub(turns, one), count(largest.rows))));
          const operands = [
            { place: { access: sums, at: [here, zero] }, sizes: [rows, columns] },
            { place: { access: left, at: [zero, zero] }, sizes: [rows, depth] },
            { place: { access: right, at: [zero, zero, zero] }, sizes: [panels, depth, width] },
          ];
          b.if(
            eq(s, zero),
            () => b.call(tiles.begin, operands),
            () => b.call(tiles.goOn, operands),
          );
          b.if(eq(add(s, one), turns), () => finish(parts, i, here, some));
        });
      });
      b.set(packed, rest);
    },
    { hint: "task", parallel: "tasks" },
  );
  const lowered = b.kernel(`product${form && ` ${form}`}`);
  if (settings.verify) verify(lowered);
  return lowered;
}
