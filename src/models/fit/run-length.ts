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
  { length, deal }: Objective,
  { batch, accumulate, epochs, steps }: FitSettings,
): RunLength {
  const updatesOf = (epoch: number): number =>
    Math.ceil((deal?.(epoch).length ?? Math.ceil(length / batch)) / accumulate);
  const firsts = [0];
  const firstOf = (epoch: number): number => {
    while (firsts.length <= epoch) firsts.push(firsts.at(-1)! + updatesOf(firsts.length - 1));
    return firsts[epoch]!;
  };
  return { steps: steps ?? firstOf(epochs), firstOf };
}
