import { ArgumentError } from "../../base/errors.ts";
import { anyNumber, optionProblem } from "../../base/options.ts";
import {
  functions,
  lastEpoch,
  ofGroup,
  type PerGroup,
  refuseOtherCounts,
  scheduleOptions,
} from "./options.ts";
import type { RateGroup } from "./rates.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

/** A factor for the number of steps taken. */
export type RateFunction = (step: number) => number;

/** Options of the schedules that are made of functions. */
export interface LambdaOptions {
  /** One function for all groups, or one for each. */
  lambda: PerGroup<RateFunction>;
  lastEpoch?: number;
}

/** A schedule by functions; what they give must be a number, of either sign. */
abstract class FunctionLR extends LRScheduler {
  readonly #lambda: PerGroup<RateFunction>;

  constructor(optimizer: Schedulable, options: LambdaOptions) {
    super(optimizer, options?.lastEpoch);
    const checks = { lambda: functions, lastEpoch };
    const given = scheduleOptions(this.name, options, checks, { lastEpoch: -1 });
    refuseOtherCounts(this.name, optimizer.paramGroups, { lambda: given.lambda });
    this.#lambda = Array.isArray(given.lambda) ? [...given.lambda] : given.lambda;
    this.begin(given.lastEpoch);
  }

  /** What the function of a group gives for the steps taken so far. */
  protected factor(index: number): number {
    const factor = ofGroup(this.name, "lambda", this.#lambda, index)(this.lastEpoch);
    const problem = optionProblem(`lambda(${this.lastEpoch})`, factor, anyNumber);
    if (problem !== null) throw new ArgumentError(`${this.name}: ${problem}`);
    return factor;
  }
}

/** Multiplies the first rate by what a function gives for the number of steps taken. */
export class LambdaLR extends FunctionLR {
  override get name(): string {
    return "LambdaLR";
  }

  protected override next(group: RateGroup, _: boolean, index: number): number {
    return this.base(group) * this.factor(index);
  }
}

/** Multiplies the rate there is, at every step, by what a function gives for the number of steps taken. */
export class MultiplicativeLR extends FunctionLR {
  override get name(): string {
    return "MultiplicativeLR";
  }

  protected override next({ lr }: RateGroup, initial: boolean, index: number): number {
    return initial ? lr : lr * this.factor(index);
  }
}
