import { count, KernelBuilder, ops, ref } from "../../../src/lowered/build.ts";
import type { Lowered } from "../../../src/lowered/ir.ts";
import { accumulate, argument, eachThread, extent, f32, type Policy } from "./parts.ts";

const { add, div, library, max, sub } = ops;

/** Softmax over rows: a task a row; threads find the largest and the sum of their elements, and put them together. */
export function lowerSoftmax({ threads }: Policy): Lowered {
  const b = new KernelBuilder();
  const [rows, columns] = [extent(0), extent(1)];
  const x = argument(b, 0, [rows, columns]);
  const y = argument(b, 1, [rows, columns], true);
  const parts = b.local("f32", [threads]);
  const eachColumn = (body: Parameters<KernelBuilder["for"]>[1]) =>
    b.for(columns, body, { parallel: "threads" });
  b.for(
    rows,
    (row) => {
      /** What each thread has found, put together in one order by all of them. */
      const together = (own: ReturnType<KernelBuilder["var"]>, first: number, join: typeof max) => {
        eachThread(b, threads, (t) => b.store({ access: parts, at: [t] }, ref(own)));
        b.barrier();
        const all = b.var("all", f32(first));
        b.for(count(threads), (t) => b.set(all, join(ref(all), b.load({ access: parts, at: [t] }))));
        b.barrier();
        return b.let("whole", ref(all));
      };
      const own = b.var("own", f32(-Infinity));
      eachColumn((i) => b.set(own, max(ref(own), b.load({ access: x, at: [row, i] }))));
      const most = together(own, -Infinity, max);
      const exp = (i: Parameters<typeof add>[0]) =>
        library("exp", [sub(b.load({ access: x, at: [row, i] }), most)]);
      const sum = b.var("sum", f32(0));
      eachColumn((i) => accumulate(b, sum, exp(i)));
      const total = together(sum, 0, add);
      eachColumn((i) => b.store({ access: y, at: [row, i] }, div(exp(i), total)));
    },
    { hint: "row", parallel: "tasks" },
  );
  return b.kernel("softmax", { threads });
}
