import { count, KernelBuilder, ops } from "../../../src/lowered/build.ts";
import type { Lowered, Tile } from "../../../src/lowered/ir.ts";
import { argument, blocks, extent, f32, loadWhere, type Policy } from "./parts.ts";

const { add, and, div, inside, library, max, mul, rem, sub, within } = ops;

/** sums[i, j] += Σ left[i, k] · right[k, j], in order of k: what a target writes by hand. */
export const blockProduct: Tile = {
  name: "blockProduct",
  meaning([sums, left, right]) {
    const [rows, columns] = sums!.sizes as [number, number];
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        for (let k = 0; k < left!.sizes[1]!; k++)
          sums!.set(sums!.get(i, j) + Math.fround(left!.get(i, k) * right!.get(k, j)), i, j);
  },
};

/**
 * tanh(relu(left) · right + bias): a task a block of the result, whose operands come through local memory a block of the
 * depth at a time. Block edges that lie outside are zeros.
 */
export function lowerProduct({ threads, block }: Policy): Lowered {
  const b = new KernelBuilder();
  const [m, n, k] = [extent(0), extent(1), extent(2)];
  const left = argument(b, 0, [m, k]);
  const right = argument(b, 1, [k, n]);
  const bias = argument(b, 2, [n]);
  const result = argument(b, 3, [m, n], true);
  const [sums, lefts, rights] = [1, 2, 3].map(() => b.local("f32", [block, block])) as [
    number,
    number,
    number,
  ];
  const across = blocks(n, block);
  /** Each element of a block, shared out among threads. */
  const elements = (body: (i: ReturnType<typeof count>, j: ReturnType<typeof count>) => void) =>
    b.for(
      count(block * block),
      (e) => {
        const i = b.let("i", within(div(e, count(block)), count(block), "a block has so many rows"));
        body(i, b.let("j", within(sub(e, mul(i, count(block))), count(block), "the rest of that division")));
      },
      { parallel: "threads", hint: "e" },
    );
  b.for(
    mul(blocks(m, block), across),
    (task) => {
      const row = b.let("row", mul(div(task, across), count(block)));
      const column = b.let("column", mul(rem(task, across), count(block)));
      elements((i, j) => b.store({ access: sums, at: [i, j] }, f32(0)));
      b.for(blocks(k, block), (depth) => {
        const first = b.let("first", mul(depth, count(block)));
        elements((i, j) => {
          const [r, c] = [b.let("r", add(row, i)), b.let("c", add(first, j))];
          const value = loadWhere(b, and(inside(r, m), inside(c, k)), { access: left, at: [r, c] });
          b.store({ access: lefts, at: [i, j] }, max(value, f32(0)));
        });
        elements((i, j) => {
          const [r, c] = [b.let("r", add(first, i)), b.let("c", add(column, j))];
          const value = loadWhere(b, and(inside(r, k), inside(c, n)), { access: right, at: [r, c] });
          b.store({ access: rights, at: [i, j] }, value);
        });
        b.barrier();
        const whole = (access: number) => ({
          place: { access, at: [count(0), count(0)] },
          sizes: [count(block), count(block)],
        });
        b.call(blockProduct, [whole(sums), whole(lefts), whole(rights)]);
        b.barrier();
      });
      elements((i, j) => {
        const [r, c] = [b.let("r", add(row, i)), b.let("c", add(column, j))];
        b.if(and(inside(r, m), inside(c, n)), () => {
          const sum = add(b.load({ access: sums, at: [i, j] }), b.load({ access: bias, at: [c] }));
          b.store({ access: result, at: [r, c] }, library("tanh", [sum]));
        });
      });
      b.barrier();
    },
    { hint: "task", parallel: "tasks" },
  );
  return b.kernel("product", { threads });
}
