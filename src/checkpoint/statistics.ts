import { decoders, roomFor } from "./diff-values.ts";
import type { TensorSource } from "./open.ts";

/** Figures of the values of a tensor; of the finite ones, but for the counts. */
export interface TensorStatistics {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Over all of them, not a sample. */
  readonly std: number;
  readonly nan: number;
  readonly infinite: number;
}

/** Figures of a tensor, read piece by piece; null for a dtype that is not read as numbers, or no elements. */
export function statisticsOf(source: TensorSource, name: string): TensorStatistics | null {
  const { dtype, begin, end } = source.entries.get(name)!;
  const decoder = decoders.get(dtype);
  if (decoder === undefined || begin === end) return null;
  const block = new Uint8Array(Math.min(end - begin, 2 ** 18));
  const room = roomFor(block.length);
  let [min, max, nan, infinite, count, mean, squares] = [Infinity, -Infinity, 0, 0, 0, 0, 0];
  for (let at = 0; at < end - begin; at += block.length) {
    const values = decoder.decode(block.subarray(0, source.read(name, block, at)), room);
    for (let i = 0; i < values.length; i++) {
      const x = values[i]!;
      if (Number.isNaN(x)) nan++;
      else if (!Number.isFinite(x)) infinite++;
      else {
        // Welford's running mean and variance (1962), which do not cancel.
        count++;
        const before = x - mean;
        mean += before / count;
        squares += before * (x - mean);
        min = Math.min(min, x);
        max = Math.max(max, x);
      }
    }
  }
  if (count === 0) return { min: NaN, max: NaN, mean: NaN, std: NaN, nan, infinite };
  return { min, max, mean, std: Math.sqrt(squares / count), nan, infinite };
}
