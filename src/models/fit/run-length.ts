import type { FitSettings } from "./fit-options.ts";
import type { Objective } from "./objectives/objective.ts";

/** How long a training is. */
export interface RunLength {
  /** How many updates there are, unless it ends before. */
  readonly steps: number;
  /** The first update of an epoch; both are counted from 0. */
  firstOf(epoch: number): number;
}

/** How many updates a training makes, and which of them begin an epoch. */
export function runLength(
  { length }: Objective,
  { batch, accumulate, epochs, steps }: FitSettings,
): RunLength {
  const updates = Math.ceil(Math.ceil(length / batch) / accumulate);
  return { steps: steps ?? epochs * updates, firstOf: (epoch) => epoch * updates };
}
