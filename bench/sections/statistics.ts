/** The mean F1 of all classes, in percent: of a class that is neither there nor predicted it is 0. */
export function macroF1(
  truth: readonly string[],
  predicted: readonly string[],
  chosen?: readonly number[],
): number {
  const counts = new Map<string, { right: number; there: number; said: number }>();
  const of = (label: string) => {
    let count = counts.get(label);
    if (count === undefined) counts.set(label, (count = { right: 0, there: 0, said: 0 }));
    return count;
  };
  for (const i of chosen ?? truth.keys()) {
    of(truth[i]!).there++;
    of(predicted[i]!).said++;
    if (truth[i] === predicted[i]) of(truth[i]!).right++;
  }
  const scores = [...counts.values()].map(({ right, there, said }) => (200 * right) / (there + said));
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
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
