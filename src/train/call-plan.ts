import { type AccumulatePhase, type Regions, unite } from "../optim/accumulate.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { TrainedSet } from "./trained-set.ts";

/** What one call does: one object wherever it is the same, so that its identity can key a recording. */
export class CallPlan implements AccumulatePhase {
  /** What each loss of the call trains: one, unless several tasks make one update together. */
  readonly members: readonly TrainedSet[];
  /** What all of them train. */
  readonly trained: TrainedSet;
  readonly earlier: Regions;
  readonly sofar: Regions;
  readonly last: boolean;

  constructor(members: readonly TrainedSet[], trained: TrainedSet, earlier: Regions, last: boolean) {
    this.members = members;
    this.trained = trained;
    this.earlier = earlier;
    this.sofar = unite(earlier, trained.regions);
    this.last = last;
  }

  /** What the call updates: nothing, where it only adds to sums of gradients. */
  get updated(): Regions {
    return this.last ? this.sofar : nothing;
  }
}

const nothing: Regions = new Map();

/** Where calls stand in a round of accumulation: every so many of them make one update. */
export class CallPlans {
  readonly #calls: number;
  readonly #made = new WeakMap<TrainedSet, CallPlan[]>();
  #position = 0;
  #earlier: Regions = new Map();

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
    if (plan === undefined) plans.push((plan = new CallPlan(members, trained, this.#earlier, last)));
    return plan;
  }

  /** Moves on, after a call that has not failed and has found gradients for what it `reached`. */
  done({ earlier, sofar, last }: CallPlan, reached: ReadonlySet<Parameter>): void {
    this.#position = last ? 0 : this.#position + 1;
    // A parameter without any gradient has no sum, not one of zeros, which decay and momentum would act on.
    this.#earlier = new Map([...(last ? [] : sofar)].filter(([p]) => earlier.has(p) || reached.has(p)));
  }
}

const sameList = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

function sameRegions(a: Regions, b: Regions): boolean {
  if (a.size !== b.size) return false;
  for (const [p, region] of a) if (!b.has(p) || b.get(p) !== region) return false;
  return true;
}
