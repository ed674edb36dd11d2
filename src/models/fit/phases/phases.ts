import { ArgumentError } from "../../../base/errors.ts";
import { disown, isPromiseLike } from "../../../base/promise.ts";
import { select } from "../../../freeze/select.ts";
import type { Module } from "../../../nn/module.ts";
import type { Parameter } from "../../../tensor/parameter.ts";
import type { TextModel } from "../../text-model.ts";
import { type Rate, type Rates, ratesOf } from "../rates.ts";
import type { RunLength } from "../run-length.ts";
import {
  checkedPhases,
  type PhaseMoment,
  type PhaseRecord,
  type TrainedPaths,
  type Trains,
} from "./phase.ts";

/** A phase, with the updates that it is of: counted from 0, without `end`. */
export interface PhaseSpan {
  readonly trains: TrainedPaths;
  readonly trained: ReadonlyMap<string, Parameter>;
  readonly begin: number;
  readonly end: number;
  /** What the step's report calls it; "" where it is the only one. */
  readonly label: string;
}

/** What is trained when, and at which rates. */
export class Phases {
  /** All that may be trained. */
  readonly trained: ReadonlyMap<string, Parameter>;
  /** Parameters that always have the same rate, with that of the first phase that trains them. */
  readonly rates: readonly Rate[];
  /** What each of them is in each phase; null where it trains nothing there. */
  readonly #byPhase: readonly (readonly (number | null)[])[];
  readonly #model: TextModel;
  readonly #length: RunLength;
  readonly #choose: ((moment: PhaseMoment) => TrainedPaths | undefined) | null;
  /** Where each phase begins; empty where a function says what is trained. */
  readonly #spans: readonly PhaseSpan[];

  constructor(
    model: TextModel,
    { trains, lr }: { trains: Trains; lr: Rates | undefined },
    length: RunLength,
  ) {
    this.#model = model;
    this.#length = length;
    this.#choose = typeof trains === "function" ? trains : null;
    const phases = typeof trains === "function" ? [{ trains: "**" }] : checkedPhases(trains);
    const begins = phases.map(({ from }) =>
      from === undefined ? 0 : "epoch" in from ? length.firstOf(from.epoch - 1) : from.step - 1,
    );
    const late = begins.findIndex((begin) => begin >= length.steps);
    if (late >= 0)
      throw new ArgumentError(
        `fit: phase ${late + 1} of trains is from ${JSON.stringify(phases[late]!.from)}, and there are ${length.steps} updates, ${length.firstOf(1)} of them in the first epoch; leave it out, or train for longer`,
      );
    const spans = phases.map((phase, i) => ({
      trains: phase.trains,
      trained: this.#select(phase.trains),
      begin: begins[i]!,
      end: begins[i + 1] ?? length.steps,
      label: phases.length === 1 ? "" : labelOf(phase.from ?? { step: 1 }),
    }));
    const groups = byPhases(spans.map(({ trained }, i) => ratesOf(model, trained, phases[i]!.lr ?? lr)));
    this.rates = groups.map(({ rate }) => rate);
    this.#byPhase = groups.map(({ byPhase }) => byPhase);
    this.trained = this.#select("**", new Set(this.rates.flatMap(({ paths }) => paths)));
    this.#spans = this.#choose === null ? spans : [];
  }

  /** The phases that are known before; where a function chooses, one with all that it may. */
  get planned(): readonly Pick<PhaseSpan, "label" | "trained">[] {
    return this.#choose === null ? this.#spans : [{ label: "", trained: this.trained }];
  }

  #select(trains: TrainedPaths, only?: ReadonlySet<string>): ReadonlyMap<string, Parameter> {
    const named = select(this.#model as Module, trains);
    const trained = only === undefined ? named : new Map([...named].filter(([path]) => only.has(path)));
    if (trained.size === 0)
      throw new ArgumentError(
        `fit: trains is ${JSON.stringify(trains)}, which leaves nothing to train; name at least one parameter, as "classifier.**"`,
      );
    return trained;
  }

  /** What each of `rates` is for an update, counted from 0, before it rises and falls. */
  rateAt(rate: number, step: number): number {
    if (this.#spans.length === 0) return this.rates[rate]!.lr;
    return this.#byPhase[rate]![this.#indexAt(step)] ?? 0;
  }

  #indexAt(step: number): number {
    return this.#spans.findLastIndex(({ begin }) => begin <= step);
  }

  /** The phase of the update that comes, which may be one that has been come to before: `records` has those. */
  next(moment: Omit<PhaseMoment, "trains">, records: readonly PhaseRecord[]): PhaseRecord {
    const { step, epoch } = moment;
    const last = records.at(-1);
    if (this.#choose === null) {
      const { trains, begin } = this.#spans[this.#indexAt(step - 1)]!;
      return last?.step === begin + 1 ? last : { step, epoch, trains };
    }
    const chosen: unknown = this.#choose({ ...moment, trains: last?.trains ?? null });
    if (isPromiseLike(chosen)) {
      disown(chosen);
      throw new ArgumentError("fit: trains gave a promise; it must say at once what is trained");
    }
    if (chosen === undefined && last !== undefined) return last;
    const isNames =
      typeof chosen === "string" || (Array.isArray(chosen) && chosen.every((s) => typeof s === "string"));
    if (!isNames)
      throw new ArgumentError(
        `fit: trains gave ${JSON.stringify(chosen) ?? typeof chosen} for update ${step}; it must give selectors, or undefined for what was trained before`,
      );
    const trains = chosen as TrainedPaths;
    return JSON.stringify(trains) === JSON.stringify(last?.trains) ? last! : { step, epoch, trains };
  }

  /** All of a phase that has been come to. */
  spanOf(record: PhaseRecord): PhaseSpan {
    const { trains, step } = record;
    if (this.#choose === null) return this.#spans[this.#indexAt(step - 1)]!;
    const trained = this.#select(trains);
    return { trains, trained, begin: step - 1, end: this.#length.steps, label: labelOf({ step }) };
  }
}

const labelOf = (from: { readonly epoch: number } | { readonly step: number }): string =>
  "epoch" in from ? `from epoch ${from.epoch}` : `from update ${from.step}`;

/** Parameters that have the same rate as one another in each phase: the first that they have, and all of them. */
interface GroupOfRates {
  readonly rate: Rate;
  readonly byPhase: readonly (number | null)[];
}

/** Puts parameters together that have the same rate as one another in each phase. */
function byPhases(all: readonly (readonly Rate[])[]): GroupOfRates[] {
  const rateOf = all.map(
    (rates) => new Map(rates.flatMap((rate) => rate.paths.map((path) => [path, rate] as const))),
  );
  const groups = new Map<string, { of: string; byPhase: readonly (number | null)[]; paths: string[] }>();
  for (const path of new Set(all.flat().flatMap(({ paths }) => paths))) {
    const own = rateOf.map((rates) => rates.get(path));
    const byPhase = own.map((rate) => rate?.lr ?? null);
    const { of } = own.find((rate) => rate !== undefined)!;
    const key = JSON.stringify([of, byPhase]);
    const group = groups.get(key) ?? { of, byPhase, paths: [] };
    group.paths.push(path);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ of, byPhase, paths }) => ({
    rate: { of, lr: byPhase.find((lr) => lr !== null)!, paths },
    byPhase,
  }));
}
