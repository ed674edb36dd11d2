import { WeakList } from "../base/weak-list.ts";
import type { Parameter } from "../tensor/parameter.ts";

/** A round of accumulation, some of whose gradients may be summed and not applied yet. */
export interface Round {
  /** Calls so far towards the next update, and how many make one. */
  readonly position: number;
  readonly calls: number;
  /** What it may train. */
  parameters(): Iterable<Parameter>;
  /** How often its state has been taken, so that whoever saves can tell whether it was among what they saved. */
  readonly timesSaved: number;
  /** Begins anew: what was summed is not applied. */
  discard(): void;
}

/** Rounds there are. Who holds a round on is the step that it belongs to. */
const rounds = new WeakList<Round>();

/** Makes a round known to `roundsUnderWay`. */
export const noteRound = (round: Round): void => rounds.add(round);

/** The rounds that have sums, or have counted calls, for an update of any of some parameters. */
export function roundsUnderWay(parameters: ReadonlySet<Parameter>): Round[] {
  return rounds
    .all()
    .filter((round) => round.position > 0 && [...round.parameters()].some((p) => parameters.has(p)));
}
