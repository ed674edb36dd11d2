import { ArgumentError } from "../../../base/errors.ts";
import type { Metrics } from "../../metrics/metrics.ts";
import type { Rates } from "../rates.ts";

/** Selectors of what is trained. */
export type TrainedPaths = string | readonly string[];

/** When a phase begins: with the first update of an epoch, or with an update. Both are counted from 1. */
export type PhaseStart = { readonly epoch: number } | { readonly step: number };

/** A time in which the same parameters are trained, up to the next phase. */
export interface Phase {
  /** When it begins. The first begins at once, and need not say so. All of a schedule say epochs, or all say steps. */
  readonly from?: PhaseStart;
  readonly trains: TrainedPaths;
  /** As the option `lr`, which holds unless given. */
  readonly lr?: Rates;
}

/** Where a training stands before an update. */
export interface PhaseMoment {
  /** The update that comes, and the epoch that it is of; both are counted from 1. */
  readonly step: number;
  readonly epoch: number;
  /** Of the epoch before; null in the first one, and without `eval`. */
  readonly metrics: Metrics | null;
  /** What was trained until now; null before the first update. */
  readonly trains: TrainedPaths | null;
}

/**
 * Says before each update what is trained from then on; undefined: the same as before. What it says is kept in
 * checkpoints, so that a training that goes on trains the same.
 */
export type TrainsFunction = (moment: PhaseMoment) => TrainedPaths | undefined;

/** What of a model is trained: always the same, or by a schedule. */
export type Trains = TrainedPaths | readonly Phase[] | TrainsFunction;

/** A phase that a training has come to. */
export interface PhaseRecord {
  /** Its first update, and the epoch that this is of; both are counted from 1. */
  readonly step: number;
  readonly epoch: number;
  readonly trains: TrainedPaths;
}

/** Whether what is trained is a list of phases. */
const isPhases = (trains: Trains): trains is readonly Phase[] =>
  Array.isArray(trains) &&
  trains.length > 0 &&
  trains.every((phase) => typeof phase === "object" && phase !== null);

/** The phases of a schedule. Throws `ArgumentError` for what is none, and for phases that do not follow one another. */
export function checkedPhases(trains: TrainedPaths | readonly Phase[]): readonly Phase[] {
  if (!isPhases(trains)) return [{ trains: trains as TrainedPaths }];
  const units = new Set<string>();
  let before = 0;
  for (const [i, { from, trains: selectors }] of trains.entries()) {
    const name = `fit: phase ${i + 1} of trains`;
    if (
      typeof selectors !== "string" &&
      !(Array.isArray(selectors) && selectors.every((s) => typeof s === "string"))
    )
      throw new ArgumentError(
        `${name} trains ${JSON.stringify(selectors) ?? typeof selectors}; it must name parameters, as { from: { epoch: 2 }, trains: ["classifier.**"] }`,
      );
    if (from === undefined && i === 0) {
      before = 1;
      continue;
    }
    const [entry, ...others] = Object.entries(from ?? {});
    const [unit = "", at] = entry ?? [];
    if (others.length > 0 || !["epoch", "step"].includes(unit) || !Number.isSafeInteger(at) || at < 1)
      throw new ArgumentError(
        `${name} is from ${JSON.stringify(from) ?? "nowhere"}; it must be { epoch: n } or { step: n }, counted from 1`,
      );
    units.add(unit);
    if (units.size > 1)
      throw new ArgumentError(
        `${name} is from ${JSON.stringify(from)}, and one before it is not; give epochs for all, or steps for all`,
      );
    if (i === 0 ? at !== 1 : at <= before)
      throw new ArgumentError(
        i === 0
          ? `${name} is from ${unit} ${at}, and nothing says what is trained before; let it begin from ${unit} 1`
          : `${name} is from ${unit} ${at}, and the one before it from ${unit} ${before}; let each begin after the one before`,
      );
    before = at;
  }
  return trains;
}
