import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Dataset, Subset } from "./dataset.ts";
import { permutation } from "./shuffle.ts";

/**
 * Deals rows out at random, the same way for the same seed: `torch.utils.data.random_split`. Lengths are counts that
 * add up to the number of rows, or fractions that add up to 1 (rounded down; rows left over go round from the first).
 */
export function randomSplit<B extends readonly Tensor[], const L extends readonly number[]>(
  dataset: Dataset<B>,
  lengths: L,
  { seed = 0 }: { seed?: number } = {},
): { -readonly [K in keyof L]: Subset<B> } {
  const counts = countsOf(lengths, dataset.length);
  const order = permutation(dataset.length, seed);
  let start = 0;
  const parts = counts.map((count) => new Subset(dataset, order.slice(start, (start += count))));
  return parts as { -readonly [K in keyof L]: Subset<B> };
}

function countsOf(lengths: readonly number[], rows: number): number[] {
  const total = lengths.reduce((sum, n) => sum + n, 0);
  const positive = lengths.every((n) => n >= 0);
  if (positive && total === rows && lengths.every(Number.isInteger)) return [...lengths];
  if (!positive || Math.abs(total - 1) > 1e-9)
    throw new ArgumentError(
      `randomSplit: lengths [${lengths.join(", ")}] add up to ${total}; give counts that add up to ${rows}, the rows there are, or fractions that add up to 1`,
    );
  const counts = lengths.map((fraction) => Math.floor(fraction * rows));
  const left = rows - counts.reduce((sum, n) => sum + n, 0);
  for (let i = 0; i < left; i++) counts[i % counts.length]!++;
  return counts;
}
