import type { DType } from "../base/dtype.ts";
import { count, KernelBuilder, ops } from "../lowered/build.ts";
import type { Expr, Lowered, Place } from "../lowered/ir.ts";
import type { AxisKernel } from "../plan/kernel.ts";
import { axis, inner, outer, stridesOf } from "./axis-parts.ts";
import { cellOf } from "./cells.ts";

const { add, and, convert, div, eq, inside, le, or } = ops;

/** Elements from which on a row is done as one: below, the loop is through before the row has begun. */
const asRow = 8;

/**
 * scatter or scatterAdd: updates in row-major order, so that neighbours in memory follow each other and the last of those
 * with one index stays. An index out of range is dropped: a check may stop the plan only after this kernel, and until then
 * nothing that is not the result's may change.
 */
export function lowerScatter(kernel: AxisKernel, kind: "scatter" | "scatterAdd", lanes: number): Lowered {
  const b = new KernelBuilder();
  const { dtype } = kernel.accesses[0]!;
  const strides = kernel.accesses.map((_, i) => stridesOf(i));
  // The result is whole, so its strides give its extent along the axis, which is not that of the updates.
  const limit = div(strides[0]![0]!, strides[0]![1]!);
  for (const [i, access] of kernel.accesses.entries())
    b.access({
      cell: cellOf(access.dtype),
      memory: { argument: i, alias: i },
      extents: [outer, i === 0 ? limit : axis, inner],
      strides: strides[i]!,
      written: i === 0,
    });
  // One index for the whole row, whose elements lie together on both sides.
  const together = [
    [1, 0],
    [2, 1],
    [0, 1],
  ].map(([access, stride]) => eq(strides[access!]![2]!, count(stride!)));
  const isRow = b.let(
    "isRow",
    [...together, le(count(asRow), inner)].reduce((x, y) => and(x, y)),
  );
  // Bytes are added one by one: to widen vectors of them, and to narrow the sums, takes longer.
  const steps = cellOf(dtype) === "u8" ? [1] : [lanes, 1];
  b.for(
    outer,
    (o) =>
      b.for(axis, (a) => {
        /** Runs `body` with the index of an update, where it is in range. */
        const inRange = (i: Expr, body: (index: Expr) => void) => {
          const index = b.let("index", convert(b.load({ access: 1, at: [o, a, i] }), "index"));
          b.if(inside(index, limit), () => body(index));
        };
        const update = (to: Place, from: Place, width: number) => {
          const value = b.load(from, width);
          b.store(to, kind === "scatter" ? value : added(dtype, b.load(to, width), value));
        };
        const wholeRow = (index: Expr) => {
          const packed = { dim: 2, packed: true };
          const at = (access: number, along: Expr, i: Expr): Place => ({
            access,
            at: [o, along, i],
            along: packed,
          });
          if (kind === "scatter") b.copy(at(0, index, count(0)), at(2, a, count(0)), inner);
          else b.steps(inner, steps, (i, width) => update(at(0, index, i), at(2, a, i), width));
        };
        b.if(
          isRow,
          () => inRange(count(0), wholeRow),
          () =>
            b.for(inner, (i) =>
              inRange(i, (index) =>
                update({ access: 0, at: [o, index, i] }, { access: 2, at: [o, a, i] }, 1),
              ),
            ),
        );
      }),
    { hint: "o", parallel: "tasks" },
  );
  return b.kernel(kind);
}

/** A sum of bools is whether any is true. */
const added = (dtype: DType, a: Expr, b: Expr): Expr => (dtype === "bool" ? or(a, b) : add(a, b));
