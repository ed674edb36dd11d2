import { WeakList } from "../base/weak-list.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";

/** A step that updates parameters, and can tell what its last call has left as it was. */
export interface Updates {
  /** When it last updated anything, as `nextUpdate` counts; 0: never. */
  readonly at: number;
  /** The parameters of its module, each with what that call could not train of it (null: all of it). */
  leftOut(): Iterable<readonly [Parameter, Region | null | "none"]>;
}

/** Steps there are. Who holds one on is whoever calls it. */
const steps = new WeakList<Updates>();
let updates = 0;

/** Makes a step known to `lastLeftOut`. */
export const noteUpdates = (step: Updates): void => steps.add(step);

/** The number of an update that has just been made: later ones have larger ones. */
export const nextUpdate = (): number => ++updates;

/** What of each parameter the step that updated last has left out (null: all of it); of those that some step has. */
export function lastLeftOut(): Map<Parameter, Region | null | "none"> {
  const made = steps.all().filter(({ at }) => at > 0);
  const leftOut = new Map<Parameter, Region | null | "none">();
  for (const step of made.sort((a, b) => a.at - b.at))
    for (const [p, region] of step.leftOut()) leftOut.set(p, region);
  return leftOut;
}
