import { Resident } from "../engine/trace.ts";
import { add, full, mul } from "../tensor/operations/elementwise.ts";
import { reshape } from "../tensor/operations/movement.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { type Region, union } from "../tensor/region.ts";
import type { GradientTransform } from "./gradient-transform.ts";
import { narrowTo, partShape, within } from "./part.ts";
import { StateTensor, stateDtype } from "./state-tensor.ts";
import type { Node } from "./transform.ts";

/** Parameters, with the region of each that is meant; null: all of it. */
export type Regions = ReadonlyMap<Parameter, Region | null>;

/** What a call adds to sums of gradients that several calls make. */
export interface AccumulatePhase {
  /** What earlier calls have added to. */
  readonly earlier: Regions;
  /** What earlier calls and this one have gradients of. */
  readonly sofar: Regions;
  /** Whether the sums go on to the update, instead of being kept for the next call. */
  readonly last: boolean;
  /** Calls that the update is the mean of; less than all where it comes early. */
  readonly of: number;
}

/** What either of two sets names. */
export function unite(a: Regions, b: Regions): Regions {
  const both = new Map(a);
  for (const [p, region] of b) both.set(p, both.has(p) ? union(both.get(p)!, region) : region);
  return both;
}

/** What of a set is not frozen now. */
export function trainableOf(regions: Regions): Regions {
  const left = new Map<Parameter, Region | null>();
  for (const [p, region] of regions) {
    const trainable = p.trainable(region);
    if (trainable !== "none") left.set(p, trainable);
  }
  return left;
}

/** Sums gradients over several calls, each of weight 1 / `calls`, as one larger batch would give. */
export class Accumulator {
  readonly #calls: number;
  readonly #whole = new Map<Parameter, StateTensor>();
  /** The sums of a region go with it: there is no end to the regions that calls may be given. */
  readonly #partial = new WeakMap<Region, Map<Parameter, StateTensor>>();

  constructor(calls: number) {
    this.#calls = calls;
  }

  /**
   * Adds what earlier calls have summed to the gradients of one call, which are of `trained`. The last call goes on
   * with those of `updated`: what is frozen by then, and so is not in there, loses what was summed for it.
   */
  transform(
    { earlier, sofar, last, of }: AccumulatePhase,
    trained: Regions,
    updated: Regions,
  ): GradientTransform {
    return {
      name: "accumulate",
      apply: (gradients) => {
        const sums = new Map<Parameter, Node>();
        for (const [p, region] of earlier)
          sums.set(p, widened(p, this.sumOf(p, region).node, region, sofar.get(p)!));
        for (const [p, gradient] of gradients) {
          const share = widened(p, mul(gradient, 1 / this.#calls), trained.get(p)!, sofar.get(p)!);
          const before = sums.get(p);
          sums.set(p, before === undefined ? share : add(before, share));
        }
        if (!last) return sums;
        const whole = (sum: Node): Node => (of === this.#calls ? sum : mul(sum, this.#calls / of));
        return new Map(
          [...sums]
            .filter(([p]) => updated.has(p))
            .map(([p, sum]) => [p, whole(narrowTo(sum, sofar.get(p)!, updated.get(p)!))]),
        );
      },
    };
  }

  /** Keeps the sums, which are of `sofar`, for the next call. */
  keep(sofar: Regions): GradientTransform {
    return {
      name: "keep",
      apply: (sums) => {
        for (const [p, sum] of sums) this.sumOf(p, sofar.get(p)!).resident.assign(sum);
        return new Map();
      },
    };
  }

  /** What earlier calls have summed of a parameter, or of a region of it. */
  sumOf(p: Parameter, region: Region | null): StateTensor {
    let sums = region === null ? this.#whole : this.#partial.get(region);
    if (sums === undefined) this.#partial.set(region!, (sums = new Map()));
    let sum = sums.get(p);
    if (sum === undefined) {
      const resident = new Resident(stateDtype(p), partShape(p, region));
      resident.storage.label = `${p.label || "a parameter"} (accumulated gradient)`;
      sum = new StateTensor(resident);
      sums.set(p, sum);
    }
    return sum;
  }
}

/** A gradient of one region as one of a region that contains it: zeros elsewhere. */
export function widened(p: Parameter, gradient: Node, from: Region | null, to: Region | null): Node {
  if (from === to) return gradient;
  const place = to === null ? from! : within(from!, to);
  return place.put(full(partShape(p, to), 0, stateDtype(p)), reshape(gradient, place.partShape));
}
