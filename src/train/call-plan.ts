import type { Agreed } from "../distributed/agreement.ts";
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
  /** Calls that its update is the mean of; 0 where it makes none. */
  readonly of: number;
  /** What it may update: nothing, where it only adds to sums of gradients. */
  readonly updated: Regions;
  /** Of a group: what its ranks have agreed on for this call, which they update together. */
  readonly agreed: Agreed | null;

  constructor(
    members: readonly TrainedSet[],
    trained: TrainedSet,
    earlier: Regions,
    last: boolean,
    of: number,
    agreed: Agreed | null = null,
  ) {
    this.agreed = agreed;
    this.members = members;
    this.trained = trained;
    this.earlier = earlier;
    this.last = last;
    this.of = of;
    this.updated = agreed?.regions ?? (last ? unite(earlier, trained.regions) : nothing);
  }
}

const nothing: Regions = new Map();

/** What a call trains that only ends a round. */
const noSet: TrainedSet = { regions: nothing, text: "what was accumulated" };

/** Calls that are remembered of each set: there is no end to what may have come before it in a round. */
const remembered = 1024;

/** Where calls stand in a round of accumulation: every so many of them make one update. */
export class CallPlans {
  readonly calls: number;
  readonly #made = new WeakMap<TrainedSet, CallPlan[]>();
  #position = 0;
  #earlier = nothing;

  /** `calls` is how many calls make an update. */
  constructor(calls: number) {
    this.calls = calls;
  }

  /** Calls made towards the next update. */
  get position(): number {
    return this.#position;
  }
  /** What they have found gradients of. */
  get earlier(): Regions {
    return this.#earlier;
  }

  /** Goes to another place in a round, whose sums are of `earlier`. */
  goTo(position: number, earlier: Regions): void {
    this.#position = position;
    this.#earlier = earlier;
  }

  /** What the next call does if its losses train these, and all of them together `trained`. */
  next(members: readonly TrainedSet[], trained: TrainedSet): CallPlan {
    const last = this.isLast;
    // Where in a round a call stands says no more than whether it is the last.
    return this.#find(members, trained, last, last ? this.calls : 0);
  }

  /** Whether the next call ends the round. */
  get isLast(): boolean {
    return this.#position === this.calls - 1;
  }

  /** A call as a group of ranks has agreed on it. */
  agreedOn({ members, trained, last, of }: CallPlan, agreed: Agreed): CallPlan {
    return this.#find(members, trained, last, of, agreed);
  }

  /** What makes the update of a round before all its calls; null where it has had none. */
  early(): CallPlan | null {
    return this.#position === 0 ? null : this.#find([], noSet, true, this.#position);
  }

  #find(
    members: readonly TrainedSet[],
    trained: TrainedSet,
    last: boolean,
    of: number,
    agreed: Agreed | null = null,
  ): CallPlan {
    let plans = this.#made.get(trained);
    if (plans === undefined) this.#made.set(trained, (plans = []));
    for (const p of plans)
      if (p.last === last && p.of === of && p.agreed === agreed && sameList(p.members, members))
        if (sameRegions(p.earlier, this.#earlier)) return p;
    const plan = new CallPlan(members, trained, this.#earlier, last, of, agreed);
    plans.push(plan);
    if (plans.length > remembered) plans.shift();
    return plan;
  }

  /** Moves on, after a call that has not failed and has found gradients of what it `reached`. */
  done({ earlier, last }: CallPlan, reached: Regions): void {
    this.#position = last ? 0 : this.#position + 1;
    // What is without any gradient has no sum, not one of zeros, which decay and momentum would act on.
    this.#earlier = last ? nothing : unite(earlier, reached);
  }
}

function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function sameRegions(a: Regions, b: Regions): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [p, region] of a) if (!b.has(p) || b.get(p) !== region) return false;
  return true;
}
