import { steer } from "../param-group.ts";

/** A group of parameters, as far as a schedule is concerned. */
export interface RateGroup {
  lr: number;
  /** The rate that a schedule started from. */
  initialLr?: number;
}

/** What some schedules cycle with the rate, where an optimizer has it. */
export type MomentumGroup = RateGroup & { momentum?: number; betas?: readonly [number, number] };

/** Sets the momentum of a group, or the first of its betas. */
export function setMomentum(group: MomentumGroup, momentum: number): void {
  if (group.betas !== undefined) steer(group, "betas", [momentum, group.betas[1]]);
  else steer(group, "momentum", momentum);
}

/** Notes what schedules set of groups; gives the way back to it. */
export function rememberRates(groups: readonly RateGroup[]): () => void {
  const before = groups.map(({ lr, initialLr, momentum, betas }: MomentumGroup) => ({
    lr,
    initialLr,
    momentum,
    betas,
  }));
  return () => {
    for (const [i, { lr, initialLr, momentum, betas }] of before.entries()) {
      const group = groups[i]!;
      steer(group, "lr", lr);
      // A group has a place for it, which stays.
      (group as { initialLr: number | undefined }).initialLr = initialLr;
      if (momentum !== undefined) steer(group, "momentum", momentum);
      if (betas !== undefined) steer(group, "betas", betas);
    }
  };
}

/** The rate of a group, and the one that it started from; the momentum, where that is cycled. */
export interface SavedRate {
  lr: number;
  initialLr: number;
  momentum?: number;
}

/** What is to be saved of a group. */
export function savedRate(group: MomentumGroup, withMomentum = false): SavedRate {
  const { lr, initialLr = lr, betas, momentum = betas?.[0] } = group;
  return { lr, initialLr, ...(withMomentum && momentum !== undefined && { momentum }) };
}

/** What is wrong with saved rates, or null. */
export function wrongRates(rates: unknown, groups: readonly RateGroup[]): string | null {
  if (!Array.isArray(rates))
    return "the state has no rates, which stateDict() gives, so it does not say where to go on";
  if (rates.length !== groups.length)
    return `the state is of ${rates.length} groups, the optimizer has ${groups.length}; add those that are missing first`;
  const bad = rates.findIndex(
    (rate) => ![rate?.lr, rate?.initialLr, rate?.momentum ?? 0].every((value) => Number.isFinite(value)),
  );
  return bad < 0 ? null : `the rate of group ${bad} is no number`;
}

/** Rates in an order that is theirs, so that those of groups in another order are seen to be the same. */
const sorted = (rates: readonly SavedRate[]): string =>
  rates
    .map(({ lr, initialLr }) => `${initialLr}:${lr}`)
    .sort()
    .join();

/** Sets the rates that were saved, and the momenta that were saved with them. */
export function restoreRates(
  groups: readonly RateGroup[],
  saved: readonly SavedRate[],
  before: readonly (readonly number[])[],
): void {
  placeRates(groups, saved, before);
  for (const [i, group] of groups.entries()) {
    const isOf = ({ lr, initialLr }: SavedRate): boolean => lr === group.lr && initialLr === group.initialLr;
    const momentum = (isOf(saved[i]!) ? saved[i] : saved.find(isOf))?.momentum;
    if (momentum !== undefined) setMomentum(group, momentum);
  }
}

/**
 * Sets the rates that were saved. An optimizer that has been loaded has them, or had them until schedules were made on
 * it (`before` are the rates that each found): then they are right group by group, in whatever order the groups are.
 * Otherwise groups are told by the rates they started from, and else by their places.
 */
function placeRates(
  groups: readonly RateGroup[],
  saved: readonly SavedRate[],
  before: readonly (readonly number[])[],
): void {
  const wanted = sorted(saved);
  const first = groups.map(({ lr, initialLr = lr }) => initialLr);
  for (const rates of [groups.map(({ lr }) => lr), ...before])
    if (
      rates.length === groups.length &&
      sorted(first.map((initialLr, i) => ({ lr: rates[i]!, initialLr }))) === wanted
    ) {
      for (const [i, group] of groups.entries()) steer(group, "lr", rates[i]!);
      return;
    }
  const inOrder = first.every((rate, i) => rate === saved[i]!.initialLr);
  const byFirst = first.map((rate) => saved.find(({ initialLr }) => initialLr === rate));
  const known = !inOrder && sorted(byFirst.map((rate) => rate ?? { lr: -1, initialLr: -1 })) === wanted;
  for (const [i, group] of groups.entries()) {
    const { lr, initialLr } = known ? byFirst[i]! : saved[i]!;
    steer(group, "lr", lr);
    group.initialLr = initialLr;
  }
}
