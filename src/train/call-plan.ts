import { type Regions, unite } from "../optim/accumulate.ts";
import type { TrainedSet } from "./trained-set.ts";

/** What one call does: one object wherever it is the same, so that its identity can key a recording. */
export class CallPlan {
  /** What each loss of the call trains: one, unless several tasks make one update together. */
  readonly members: readonly TrainedSet[];
  /** What all of them train. */
  readonly trained: TrainedSet;
  /** What earlier calls of the round have gradients of. */
  readonly earlier: Regions;
  /** Whether it ends the round, with an update. */
  readonly last: boolean;
  /** What it may update: nothing, where it only adds to sums of gradients. */
  readonly updated: Regions;

  constructor(members: readonly TrainedSet[], trained: TrainedSet, earlier: Regions, last: boolean) {
    this.members = members;
    this.trained = trained;
    this.earlier = earlier;
    this.last = last;
    this.updated = last ? unite(earlier, trained.regions) : nothing;
  }
}

const nothing: Regions = new Map();

/** Calls that are remembered of each set: there is no end to what may have come before it in a round. */
const remembered = 1024;

/** Where calls stand in a round of accumulation: every so many of them make one update. */
export class CallPlans {
  readonly #calls: number;
  readonly #made = new WeakMap<TrainedSet, CallPlan[]>();
  #position = 0;
  #earlier = nothing;

  /** `calls` is how many calls make an update. */
  constructor(calls: number) {
    this.#calls = calls;
  }

  /** What the next call does if its losses train these, and all of them together `trained`. */
  next(members: readonly TrainedSet[], trained: TrainedSet): CallPlan {
    const last = this.#position === this.#calls - 1;
    let plans = this.#made.get(trained);
    if (plans === undefined) this.#made.set(trained, (plans = []));
    let plan = plans.find(
      (p) => p.last === last && sameList(p.members, members) && sameRegions(p.earlier, this.#earlier),
    );
    if (plan === undefined) {
      plans.push((plan = new CallPlan(members, trained, this.#earlier, last)));
      if (plans.length > remembered) plans.shift();
    }
    return plan;
  }

  /** Moves on, after a call that has not failed and has found gradients of what it `reached`. */
  done({ earlier, last }: CallPlan, reached: Regions): void {
    this.#position = last ? 0 : this.#position + 1;
    // What is without any gradient has no sum, not one of zeros, which decay and momentum would act on.
    this.#earlier = last ? nothing : unite(earlier, reached);
  }
}

const sameList = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

function sameRegions(a: Regions, b: Regions): boolean {
  if (a.size !== b.size) return false;
  for (const [p, region] of a) if (!b.has(p) || b.get(p) !== region) return false;
  return true;
}
