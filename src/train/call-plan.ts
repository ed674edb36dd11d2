import type { AccumulatePhase } from "../optim/accumulate.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { TrainedSet } from "./trained-set.ts";

/** What one call does; the same object wherever it is the same, so that it can key a recording. */
export interface CallPlan extends AccumulatePhase {
  readonly trained: TrainedSet;
  /** What the call updates: nothing, where it only adds to sums of gradients. */
  readonly updated: ReadonlySet<Parameter>;
}

/** Where calls stand in a round of accumulation: every so many of them make one update. */
export class CallPlans {
  readonly #calls: number;
  readonly #made = new Map<TrainedSet, CallPlan[]>();
  #position = 0;
  #earlier: ReadonlySet<Parameter> = new Set();

  /** `calls` is how many calls make an update. */
  constructor(calls: number) {
    this.#calls = calls;
  }

  /** What the next call does if it trains this. */
  next(trained: TrainedSet): CallPlan {
    const last = this.#position === this.#calls - 1;
    let plans = this.#made.get(trained);
    if (plans === undefined) this.#made.set(trained, (plans = []));
    let plan = plans.find((p) => p.last === last && sameSet(p.earlier, this.#earlier));
    if (plan === undefined) {
      const updated = last ? new Set([...this.#earlier, ...trained.parameters]) : new Set<Parameter>();
      plans.push((plan = { trained, last, earlier: this.#earlier, updated }));
    }
    return plan;
  }

  /** Moves on, after a call that has not failed. */
  done({ trained, last }: CallPlan): void {
    this.#position = last ? 0 : this.#position + 1;
    this.#earlier = last ? new Set() : new Set([...this.#earlier, ...trained.parameters]);
  }
}

function sameSet<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  if (a.size !== b.size) return false;
  for (const x of a) if (!b.has(x)) return false;
  return true;
}
