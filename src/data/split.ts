import { ArgumentError } from "../base/errors.ts";
import { refuseOptions, wholeNumber } from "../base/options.ts";
import { type Dataset, type Samples, Subset } from "./dataset.ts";
import { permutation } from "./shuffle.ts";

/** What a dataset's batches are, and what its samples are. */
type BatchOf<D> = D extends { batch(indices: ArrayLike<number>): infer B } ? B : never;
type SampleOf<D> = D extends { at(index: number): infer S } ? Exclude<S, undefined> : never;

/**
 * Deals rows, or samples, out at random, the same way for the same seed: `torch.utils.data.random_split`. Lengths are counts that
 * add up to the number of rows, or fractions that add up to 1 (rounded down; rows left over go round from the first).
 */
export function randomSplit<D extends Dataset<unknown> | Samples<unknown>, const L extends readonly number[]>(
  dataset: D,
  lengths: L,
  options: { seed?: number } = {},
): { -readonly [K in keyof L]: Subset<BatchOf<D>, SampleOf<D>> } {
  refuseOptions("randomSplit", options, { seed: wholeNumber });
  const { seed = 0 } = options;
  const counts = countsOf(lengths, dataset.length);
  const order = permutation(dataset.length, seed);
  let start = 0;
  const parts = counts.map((count) => new Subset(dataset, order.slice(start, (start += count))));
  return parts as { -readonly [K in keyof L]: Subset<BatchOf<D>, SampleOf<D>> };
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
