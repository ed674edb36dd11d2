import { ArgumentError } from "../../base/errors.ts";
import { anyNumber, atLeast, flag, type OptionCheck, optionProblem } from "../../base/options.ts";
import { steer } from "../param-group.ts";
import { refuseWithoutMomentum } from "./cycle-momentum.ts";
import {
  above,
  lastEpoch,
  numbers,
  ofGroup,
  oneOf,
  orNull,
  type PerGroup,
  refuseOtherCounts,
  scheduleOptions,
} from "./options.ts";
import type { RateGroup } from "./rates.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

/** Options of CyclicLR, with PyTorch's meanings and defaults; what is of groups is one for all, or one for each. */
export interface CyclicOptions {
  /** The lowest rate, from which it starts. */
  baseLr: PerGroup<number>;
  /** The highest rate, where nothing scales it down. */
  maxLr: PerGroup<number>;
  /** Steps up; default 2000. */
  stepSizeUp?: number;
  /** Steps down; default null, as many as up. */
  stepSizeDown?: number | null;
  /** Cycles of one height, ones that halve, or ones scaled by `gamma` to the power of the step; default "triangular". */
  mode?: "triangular" | "triangular2" | "exp_range";
  /** Default 1. */
  gamma?: number;
  /** A scale of the height, in place of that of a mode; default null. */
  scaleFn?: ((x: number) => number) | null;
  /** Whether `scaleFn` is given the cycle, counted from 1, or the step; default "cycle". */
  scaleMode?: "cycle" | "iterations";
  /** Whether momentum, or the first of the betas, falls where the rate rises; default true. */
  cycleMomentum?: boolean;
  /** The lowest momentum; default 0.8. */
  baseMomentum?: PerGroup<number>;
  /** The highest momentum, from which it starts; default 0.9. */
  maxMomentum?: PerGroup<number>;
  /** Default -1. */
  lastEpoch?: number;
}

const aFunction: OptionCheck = (value: unknown) =>
  typeof value === "function" ? null : "a function of the cycle or the step";

const checks = {
  baseLr: numbers,
  maxLr: numbers,
  stepSizeUp: above(0),
  stepSizeDown: orNull(atLeast(0) as OptionCheck),
  mode: oneOf("triangular", "triangular2", "exp_range"),
  gamma: anyNumber,
  scaleFn: orNull(aFunction),
  scaleMode: oneOf("cycle", "iterations"),
  cycleMomentum: flag,
  baseMomentum: numbers,
  maxMomentum: numbers,
  lastEpoch,
};

const defaults = {
  stepSizeUp: 2000,
  stepSizeDown: null,
  mode: "triangular",
  gamma: 1,
  scaleFn: null,
  scaleMode: "cycle",
  cycleMomentum: true,
  baseMomentum: 0.8,
  maxMomentum: 0.9,
  lastEpoch: -1,
} as const;

/** The rate up and down between two bounds, and the momentum down and up (Smith, arXiv:1506.01186). */
export class CyclicLR extends LRScheduler {
  readonly #options: Required<CyclicOptions>;
  #isMade = false;

  constructor(optimizer: Schedulable, options: CyclicOptions) {
    super(optimizer, options?.lastEpoch);
    const given = scheduleOptions<CyclicOptions, typeof defaults>(this.name, options, checks, defaults);
    const { baseLr, maxLr, baseMomentum, maxMomentum } = given;
    refuseOtherCounts(this.name, optimizer.paramGroups, { baseLr, maxLr, baseMomentum, maxMomentum });
    if (given.cycleMomentum) refuseWithoutMomentum(this.name, optimizer);
    this.#options = given;
    this.begin(given.lastEpoch, (group, i) => {
      steer(group, "lr", ofGroup(this.name, "baseLr", baseLr, i));
    });
    this.#isMade = true;
  }

  override get name(): string {
    return "CyclicLR";
  }

  protected override get cyclesMomentum(): boolean {
    return this.#options.cycleMomentum;
  }

  /** How far it is on the way from one bound to the other, between 0 and 1. */
  #way(): { cycle: number; share: number } {
    const { stepSizeUp: up, stepSizeDown } = this.#options;
    const total = up + (stepSizeDown ?? up);
    const rising = up / total;
    const cycle = Math.floor(1 + this.lastEpoch / total);
    const at = 1 + this.lastEpoch / total - cycle;
    return { cycle, share: at <= rising ? at / rising : (at - 1) / (rising - 1) };
  }

  #scale(cycle: number): number {
    const { mode, gamma, scaleFn, scaleMode } = this.#options;
    if (scaleFn !== null) {
      const x = scaleMode === "cycle" ? cycle : this.lastEpoch;
      const scale = scaleFn(x);
      const problem = optionProblem(`scaleFn(${x})`, scale, anyNumber);
      if (problem !== null) throw new ArgumentError(`CyclicLR: ${problem}`);
      return scale;
    }
    if (mode === "triangular") return 1;
    return mode === "triangular2" ? 1 / 2 ** (cycle - 1) : gamma ** this.lastEpoch;
  }

  protected override next(group: RateGroup, _: boolean, index: number): number {
    const { baseLr, maxLr } = this.#options;
    const { cycle, share } = this.#way();
    // As PyTorch's, it begins from the rate that an earlier schedule began from, where there is one.
    const low = this.#isMade ? ofGroup(this.name, "baseLr", baseLr, index) : this.base(group);
    return low + (ofGroup(this.name, "maxLr", maxLr, index) - low) * share * this.#scale(cycle);
  }

  protected override momentum(index: number): number | null {
    const { cycleMomentum, baseMomentum, maxMomentum } = this.#options;
    if (!cycleMomentum) return null;
    const { cycle, share } = this.#way();
    const high = ofGroup(this.name, "maxMomentum", maxMomentum, index);
    return (
      high - (high - ofGroup(this.name, "baseMomentum", baseMomentum, index)) * share * this.#scale(cycle)
    );
  }
}
