import { InternalError } from "../../base/errors.ts";
import type { ContractKernel } from "../../plan/kernel.ts";
import { argsLayout } from "../args.ts";
import { emitDot } from "./contract-dot.ts";
import { emitFinish } from "./contract-finish.ts";
import { emitPack } from "./contract-pack.ts";
import type { ContractParts } from "./contract-parts.ts";
import { emitRows } from "./contract-rows.ts";
import { emitMultiply } from "./micro.ts";
import { lanesOf, preludeC } from "./prelude.ts";
import type { CTarget } from "./target.ts";
import { fewRows, scratchLayout, stretch, tileOf } from "./tiling.ts";
import { type CUnit, CWriter } from "./writer.ts";

/**
 * A product as one unit. A task is a block of the result. For each stretch of the contracted dimension it packs the right
 * operand, then for every few rows packs the left one and adds their products to the sums; packing evaluates the operands'
 * prologues. On the last stretch the epilogue follows while the sums are in the cache. (Goto and van de Geijn, "Anatomy
 * of High-Performance Matrix Multiplication", 2008.) Every sum runs over k in an order that depends on k alone.
 */
export function emitContract(kernel: ContractKernel, form: string, target: CTarget): CUnit {
  if (kernel.dtype !== "f32")
    throw new InternalError(`C: a product of ${kernel.dtype}; only f32 has kernels`);
  const w = new CWriter();
  // Vectors of f32 have as many lanes as those of f64, where there are any.
  const wide = [...kernel.accesses, ...kernel.prologue, ...kernel.epilogue].some((x) => x.dtype === "f64");
  const lanes = lanesOf(target, wide);
  const scratch = scratchLayout(target);
  const parts: ContractParts = {
    kernel,
    target,
    w,
    layout: argsLayout(kernel),
    lanes,
    tile: tileOf(lanes * 4, target),
    scratch,
    sumStride: form === "rows" ? scratch.rowStride : scratch.sumStride,
  };
  emitPlace(parts);
  emitFinish(parts);
  if (form === "dot") {
    emitDot(parts);
    emitRun(parts, () => {
      w.line("dot(args, at, m0, rows, n0, columns, k, sums);");
      w.line("finish(args, at, m0, rows, n0, columns, sums);");
    });
  } else if (form === "rows") {
    emitPack(parts, "left");
    emitRows(parts);
    emitRun(parts, () => emitFewRows(parts));
  } else {
    emitPack(parts, "left");
    emitPack(parts, "right");
    emitMultiply(parts);
    emitRun(parts, () => emitStretches(parts));
  }
  return { prelude: preludeC(target, wide), body: w.toString() };
}

/** place(args, batch, at): every access's address at a batch index. */
function emitPlace({ kernel, layout, w }: ContractParts): void {
  w.block("static void place(const i64 *args, i64 batch, char **at)", () => {
    for (const [a, { pointer }] of layout.accesses.entries()) w.line(`at[${a}] = (char *)args[${pointer}];`);
    for (let d = kernel.batch - 1; d >= 0; d--) {
      const extent = `args[${layout.extents[d]}]`;
      w.block("", () => {
        w.line(`const i64 index = batch % ${extent};`);
        w.line(`batch /= ${extent};`);
        for (const [a, { strides }] of layout.accesses.entries())
          w.line(`at[${a}] += index * args[${strides[d]}];`);
      });
    }
  });
}

/** run: `body` does the block of rows from m0 and columns from n0. */
function emitRun({ kernel, layout, scratch, w }: ContractParts, body: () => void): void {
  const [m, n, k] = [0, 1, 2].map((i) => `args[${layout.extents[kernel.batch + i]}]`);
  w.block("void run(const i64 *args, i64 begin, i64 end, char *scratch)", () => {
    w.line(`const i64 m = ${m}, n = ${n}, k = ${k};`);
    w.line(`const i64 block_rows = args[${layout.block[0]}], block_columns = args[${layout.block[1]}];`);
    w.line("const i64 row_blocks = (m + block_rows - 1) / block_rows;");
    w.line("const i64 column_blocks = (n + block_columns - 1) / block_columns;");
    w.line("char **const at = (char **)scratch;");
    w.line(`char *const left = scratch + ${scratch.left}, *const right = scratch + ${scratch.right};`);
    w.line(`char *const sums = scratch + ${scratch.sums};`);
    w.line("i64 packed = -1;");
    w.block("for (i64 task = begin; task < end; task++)", () => {
      // Blocks of rows run fastest, so that consecutive tasks share the packed right operand.
      w.line("const i64 m0 = task % row_blocks * block_rows, rest = task / row_blocks;");
      w.line("const i64 n0 = rest % column_blocks * block_columns;");
      w.line("const i64 rows = m - m0 < block_rows ? m - m0 : block_rows;");
      w.line("const i64 columns = n - n0 < block_columns ? n - n0 : block_columns;");
      w.line("place(args, rest / column_blocks, at);");
      body();
      w.line("packed = rest;");
    });
  });
}

/** Stretches of k, one after the other: the left operand's few rows are packed, the right operand is read as it is. */
function emitFewRows({ lanes, sumStride, w }: ContractParts): void {
  w.line(`const i64 width = (columns + ${lanes - 1}) / ${lanes} * ${lanes * 4};`);
  w.line(`for (i64 r = 0; r < rows; r++) __builtin_memset(sums + r * ${sumStride}, 0, width);`);
  w.block(`for (i64 k0 = 0; k0 < k; k0 += ${stretch})`, () => {
    w.line(`const i64 depth = k - k0 < ${stretch} ? k - k0 : ${stretch};`);
    w.line("pack_left(args, at, m0, rows, k0, depth, left);");
    w.block("switch (rows)", () => {
      for (let rows = 1; rows <= fewRows; rows++)
        w.line(`case ${rows}: rows_${rows}(args, at, n0, columns, k0, depth, left, sums); break;`);
    });
  });
  w.line("finish(args, at, m0, rows, n0, columns, sums);");
}

function emitStretches({ sumStride, tile, w }: ContractParts): void {
  // Stretches of about the same length, of whole vectors, each as long as the scratch allows or less.
  w.line(`const i64 count = k > ${stretch} ? (k + ${stretch - 1}) / ${stretch} : 1;`);
  w.line("const i64 stretch = k > 0 ? ((k + count - 1) / count + 15) / 16 * 16 : 16;");
  w.block("for (i64 k0 = 0; k0 == 0 || k0 < k; k0 += stretch)", () => {
    w.line("const i64 depth = k - k0 < stretch ? k - k0 : stretch;");
    w.line("if (rest != packed || stretch < k) pack_right(args, at, n0, columns, k0, depth, right);");
    w.block("for (i64 i = 0, some; i < rows; i += some)", () => {
      const smaller = tile.lesser.reduceRight(
        (next, rows) => (next === "" ? `${rows}` : `left_over >= ${rows} ? ${rows} : ${next}`),
        "",
      );
      w.line("const i64 left_over = rows - i;");
      w.line(`some = left_over >= ${tile.rows} ? ${tile.rows} : ${smaller};`);
      w.line("pack_left(args, at, m0 + i, some, k0, depth, left);");
      // Sums that are whole at once are not kept: the next rows' take their place.
      w.line(`char *const here = stretch < k ? sums + i * ${sumStride} : sums;`);
      w.line("multiply((int)some, left, right, depth, columns, here, k0 > 0);");
      w.line("if (k0 + stretch >= k) finish(args, at, m0 + i, some, n0, columns, here);");
    });
  });
}
