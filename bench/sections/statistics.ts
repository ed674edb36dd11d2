import { type Counts, labelMetrics, meanOf } from "../../src/models/metrics/label-metrics.ts";

/** The mean F1, in percent, of all classes that a text has or was given. */
export function macroF1(
  truth: readonly string[],
  predicted: readonly string[],
  chosen?: readonly number[],
): number {
  const counts = new Map<string, { -readonly [K in keyof Counts]: Counts[K] }>();
  const of = (label: string) => {
    let count = counts.get(label);
    if (count === undefined) counts.set(label, (count = { right: 0, given: 0, support: 0 }));
    return count;
  };
  for (const i of chosen ?? truth.keys()) {
    of(truth[i]!).support++;
    of(predicted[i]!).given++;
    if (truth[i] === predicted[i]) of(truth[i]!).right++;
  }
  return 100 * meanOf(Array.from(counts, ([label, count]) => labelMetrics(label, count).f1));
}

/** A mean, and where 95 of 100 means lie of texts that are drawn anew, with replacement. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Draws of texts. */
const draws = 2000;

/** The interval of a figure of texts; every figure of a comparison is to be given the same seed, so that texts are paired. */
export function bootstrap(texts: number, figure: (chosen: readonly number[]) => number): Interval {
  let state = 1;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const all = Array.from({ length: texts }, (_, i) => i);
  const found = Array.from({ length: draws }, () => figure(all.map(() => below(texts)))).sort(
    (a, b) => a - b,
  );
  return {
    mean: figure(all),
    low: found[Math.floor(draws * 0.025)]!,
    high: found[Math.ceil(draws * 0.975) - 1]!,
  };
}
