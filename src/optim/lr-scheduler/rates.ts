/** A group of parameters, as far as a schedule is concerned. */
export interface RateGroup {
  lr: number;
  /** The rate that a schedule started from. */
  initialLr?: number;
}

/** The rate of a group, and the one that it started from. */
export interface SavedRate {
  lr: number;
  initialLr: number;
}

/** What is to be saved of a group. */
export const savedRate = ({ lr, initialLr }: RateGroup): SavedRate => ({ lr, initialLr: initialLr ?? lr });

const isRate = (value: unknown): boolean => Number.isFinite(value) && (value as number) >= 0;

/** What is wrong with saved rates, or null. */
export function wrongRates(rates: unknown, groups: readonly RateGroup[]): string | null {
  if (!Array.isArray(rates))
    return "the state has no rates, which stateDict() gives, so it does not say where to go on";
  if (rates.length !== groups.length)
    return `the state is of ${rates.length} groups, the optimizer has ${groups.length}; add those that are missing first`;
  const bad = rates.findIndex((rate) => !isRate(rate?.lr) || !isRate(rate?.initialLr));
  return bad < 0 ? null : `the rate of group ${bad} is no number of at least 0`;
}

/** Rates in an order that is theirs, so that those of groups in another order are seen to be the same. */
const sorted = (rates: readonly SavedRate[]): string =>
  rates
    .map(({ lr, initialLr }) => `${initialLr}:${lr}`)
    .sort()
    .join();

/**
 * Sets the rates that were saved. An optimizer that has been loaded has them, or had them until schedules were made on
 * it (`before` are the rates that each found): then they are right group by group, in whatever order the groups are.
 * Otherwise groups are told by the rates they started from, and else by their places.
 */
export function restoreRates(
  groups: readonly RateGroup[],
  saved: readonly SavedRate[],
  before: readonly (readonly number[])[],
): void {
  const wanted = sorted(saved);
  const first = groups.map((group) => savedRate(group).initialLr);
  for (const rates of [groups.map(({ lr }) => lr), ...before])
    if (
      rates.length === groups.length &&
      sorted(first.map((initialLr, i) => ({ lr: rates[i]!, initialLr }))) === wanted
    ) {
      for (const [i, group] of groups.entries()) group.lr = rates[i]!;
      return;
    }
  const inOrder = first.every((rate, i) => rate === saved[i]!.initialLr);
  const byFirst = first.map((rate) => saved.find(({ initialLr }) => initialLr === rate));
  const known = !inOrder && sorted(byFirst.map((rate) => rate ?? { lr: -1, initialLr: -1 })) === wanted;
  for (const [i, group] of groups.entries()) {
    const { lr, initialLr } = known ? byFirst[i]! : saved[i]!;
    group.lr = lr;
    group.initialLr = initialLr;
  }
}
