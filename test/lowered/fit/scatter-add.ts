import { KernelBuilder, ops } from "../../../src/lowered/build.ts";
import type { Lowered } from "../../../src/lowered/ir.ts";
import { argument, extent, type Policy } from "./parts.ts";

const { add, convert, inside } = ops;

/**
 * table[indices[a], i] += updates[a, i]. Elements of a row are shared out among threads, and each adds its own in order of
 * `a`: no atomics, and the same bits in every run. A status word keeps it from doing anything.
 */
export function lowerScatterAdd({ threads }: Policy): Lowered {
  const b = new KernelBuilder();
  const [updatesCount, columns, rows] = [extent(0), extent(1), extent(2)];
  const table = argument(b, 0, [rows, columns], true);
  const indices = argument(b, 1, [updatesCount], false, "i32");
  const updates = argument(b, 2, [updatesCount, columns]);
  const status = argument(b, 3, [extent(3)], false, "i32");
  b.for(
    columns,
    (column) =>
      b.for(updatesCount, (a) => {
        const index = b.let("index", convert(b.load({ access: indices, at: [a] }), "index"));
        b.if(inside(index, rows), () => {
          const to = { access: table, at: [index, column] };
          b.store(to, add(b.load(to), b.load({ access: updates, at: [a, column] })));
        });
      }),
    { hint: "column", parallel: "threads" },
  );
  return b.kernel("scatterAdd", { threads, status });
}
