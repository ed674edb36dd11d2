import { meanOf } from "./label-metrics.ts";
import type { Metrics } from "./metrics.ts";

/** How well numbers are found. */
export interface NumberMetrics extends Metrics {
  /** The mean of the squared differences. */
  readonly mse: number;
  /** How far both lie on a line, from −1 to 1; NaN where all of one are the same. */
  readonly pearson: number;
  /** How far both have the same order, from −1 to 1; NaN where all of one are the same. */
  readonly spearman: number;
}

/** Compares numbers that were found with those that there are. */
export function numberMetrics(targets: readonly number[], found: readonly number[]): NumberMetrics {
  const mse = meanOf(targets.map((target, i) => (target - found[i]!) ** 2));
  return { loss: mse, mse, pearson: pearson(targets, found), spearman: spearman(targets, found) };
}

/** Pearson's correlation; NaN where all of one side are the same. Source: `scipy.stats.pearsonr`. */
export function pearson(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [meanOf(a), meanOf(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (const [i, value] of a.entries()) {
    const [x, y] = [value - meanA, b[i]! - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? Number.NaN : Math.max(-1, Math.min(1, ab / Math.sqrt(aa * bb)));
}

/** Spearman's correlation, that of ranks; equal values share the mean of their ranks. Source: `scipy.stats.spearmanr`. */
export const spearman = (a: readonly number[], b: readonly number[]): number => pearson(ranks(a), ranks(b));

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const ranks = Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (const i of order.slice(from, to)) ranks[i] = (from + to - 1) / 2;
    from = to;
  }
  return ranks;
}
