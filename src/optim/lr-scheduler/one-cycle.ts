import { ArgumentError } from "../../base/errors.ts";
import { anyNumber, between, flag } from "../../base/options.ts";
import { refuseWithoutMomentum } from "./cycle-momentum.ts";
import {
  count,
  lastEpoch,
  numbers,
  ofGroup,
  oneOf,
  orNull,
  type PerGroup,
  refuseOtherCounts,
  scheduleOptions,
} from "./options.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

/** Options of OneCycleLR, with PyTorch's meanings and defaults; what is of groups is one for all, or one for each. */
export interface OneCycleOptions {
  /** The highest rate. */
  maxLr: PerGroup<number>;
  /** Steps of the cycle; default null, `epochs` times `stepsPerEpoch`, which are read only then. */
  totalSteps?: number | null;
  epochs?: number | null;
  stepsPerEpoch?: number | null;
  /** The share of the steps in which the rate rises; default 0.3. */
  pctStart?: number;
  /** Default "cos". */
  annealStrategy?: "cos" | "linear";
  /** Whether momentum, or the first of the betas, falls where the rate rises; default true. */
  cycleMomentum?: boolean;
  /** The lowest momentum; default 0.85. */
  baseMomentum?: PerGroup<number>;
  /** The highest momentum, from which it starts; default 0.95. */
  maxMomentum?: PerGroup<number>;
  /** How far below the highest rate it starts, as a factor; default 25. */
  divFactor?: number;
  /** How far below the first rate it ends, as a factor; default 1e4. */
  finalDivFactor?: number;
  /** Whether the way down is as long as the way up, with a phase to the last rate after it; default false. */
  threePhase?: boolean;
  /** Default -1. */
  lastEpoch?: number;
}

const checks = {
  maxLr: numbers,
  totalSteps: orNull(count(1)),
  epochs: orNull(count(1)),
  stepsPerEpoch: orNull(count(1)),
  pctStart: between(0, 1),
  annealStrategy: oneOf("cos", "linear"),
  cycleMomentum: flag,
  baseMomentum: numbers,
  maxMomentum: numbers,
  divFactor: anyNumber,
  finalDivFactor: anyNumber,
  threePhase: flag,
  lastEpoch,
};

const defaults = {
  totalSteps: null,
  epochs: null,
  stepsPerEpoch: null,
  pctStart: 0.3,
  annealStrategy: "cos",
  cycleMomentum: true,
  baseMomentum: 0.85,
  maxMomentum: 0.95,
  divFactor: 25,
  finalDivFactor: 1e4,
  threePhase: false,
  lastEpoch: -1,
} as const;

/** One stretch of the cycle: the step that it ends with, and between which rates and momenta it goes. */
interface Phase {
  readonly end: number;
  readonly rates: readonly ["first" | "most" | "last", "first" | "most" | "last"];
  readonly momenta: readonly ["most" | "least", "most" | "least"];
}

/** The stretches of a cycle. */
function phasesOf(total: number, share: number, three: boolean): readonly Phase[] {
  const up: Phase = { end: share * total - 1, rates: ["first", "most"], momenta: ["most", "least"] };
  if (!three) return [up, { end: total - 1, rates: ["most", "last"], momenta: ["least", "most"] }];
  return [
    up,
    { end: 2 * share * total - 2, rates: ["most", "first"], momenta: ["least", "most"] },
    { end: total - 1, rates: ["first", "last"], momenta: ["most", "most"] },
  ];
}

/**
 * The rate up from `maxLr / divFactor` to `maxLr`, and down to a small part of the first, once, with the momentum the
 * other way (Smith and Topin, arXiv:1708.07120). Steps beyond the last throw.
 */
export class OneCycleLR extends LRScheduler {
  readonly #options: Required<OneCycleOptions>;
  readonly #total: number;
  readonly #phases: readonly Phase[];

  constructor(optimizer: Schedulable, options: OneCycleOptions) {
    super(optimizer, options?.lastEpoch);
    const given = scheduleOptions<OneCycleOptions, typeof defaults>(this.name, options, checks, defaults);
    const { maxLr, totalSteps, epochs, stepsPerEpoch, pctStart, baseMomentum, maxMomentum, divFactor } =
      given;
    if (totalSteps === null && (epochs === null || stepsPerEpoch === null))
      throw new ArgumentError(
        `OneCycleLR: totalSteps is ${totalSteps}, epochs ${epochs} and stepsPerEpoch ${stepsPerEpoch}; give totalSteps, or both of the others`,
      );
    refuseOtherCounts(this.name, optimizer.paramGroups, { maxLr, baseMomentum, maxMomentum });
    if (given.cycleMomentum) refuseWithoutMomentum(this.name, optimizer);
    this.#options = given;
    this.#total = totalSteps ?? epochs! * stepsPerEpoch!;
    this.#phases = phasesOf(this.#total, pctStart, given.threePhase);
    this.begin(given.lastEpoch, (group, i) => {
      group.initialLr = ofGroup(this.name, "maxLr", maxLr, i) / divFactor;
    });
  }

  override get name(): string {
    return "OneCycleLR";
  }

  protected override get cyclesMomentum(): boolean {
    return this.#options.cycleMomentum;
  }

  /** The phase that it is in, and how far. */
  #place(): { phase: Phase; way: number } {
    const step = this.lastEpoch;
    if (step > this.#total)
      throw new ArgumentError(
        `OneCycleLR: step ${step} of a cycle of ${this.#total}; make it with more totalSteps, or stop stepping it`,
      );
    const found = this.#phases.findIndex(({ end }) => step <= end);
    const at = found < 0 ? this.#phases.length - 1 : found;
    const start = at === 0 ? 0 : this.#phases[at - 1]!.end;
    const phase = this.#phases[at]!;
    return { phase, way: (step - start) / (phase.end - start) };
  }

  #between(start: number, end: number, way: number): number {
    if (this.#options.annealStrategy === "linear") return (end - start) * way + start;
    return end + ((start - end) / 2) * (Math.cos(Math.PI * way) + 1);
  }

  protected override next(_: object, __: boolean, index: number): number {
    const { maxLr, divFactor, finalDivFactor } = this.#options;
    const most = ofGroup(this.name, "maxLr", maxLr, index);
    const first = most / divFactor;
    const rates = { most, first, last: first / finalDivFactor };
    const { phase, way } = this.#place();
    const [start, end] = phase.rates;
    return this.#between(rates[start], rates[end], way);
  }

  protected override momentum(index: number): number | null {
    const { cycleMomentum, baseMomentum, maxMomentum } = this.#options;
    if (!cycleMomentum) return null;
    const momenta = {
      most: ofGroup(this.name, "maxMomentum", maxMomentum, index),
      least: ofGroup(this.name, "baseMomentum", baseMomentum, index),
    };
    const { phase, way } = this.#place();
    const [start, end] = phase.momenta;
    return this.#between(momenta[start], momenta[end], way);
  }
}
