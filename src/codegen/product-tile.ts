import type { Tile } from "../lowered/ir.ts";

/** What a register tile does with sums (rows by columns), a packed left (rows by depth) and right panel (1 by depth by columns). */
const tile = (name: string, keeps: boolean): Tile => ({
  name,
  meaning([sums, left, right]) {
    const [rows, columns] = sums!.sizes as [number, number];
    const width = right!.sizes[2]!;
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        let sum = keeps ? sums!.get(i, j) : 0;
        for (let k = 0; k < left!.sizes[1]!; k++)
          sum = Math.fround(left!.get(i, k) * right!.get(Math.floor(j / width), k, j % width) + sum);
        sums!.set(sum, i, j);
      }
  },
});

/** Sums of products, in order of the depth: those that begin, and those that go on from what is there. */
export const tiles = { begin: tile("begin", false), goOn: tile("goOn", true) };
