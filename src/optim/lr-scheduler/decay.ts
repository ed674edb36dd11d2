import { ArgumentError } from "../../base/errors.ts";
import { atLeast, optionProblem } from "../options.ts";
import { aFunction, count, counts, scheduleOptions } from "./options.ts";
import type { RateGroup } from "./rates.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

/** Multiplies the rate by `gamma` every `stepSize` steps. */
export class StepLR extends LRScheduler {
  readonly #stepSize: number;
  readonly #gamma: number;

  constructor(optimizer: Schedulable, options: { stepSize: number; gamma?: number }) {
    super(optimizer);
    const checks = { stepSize: count(1), gamma: atLeast(0) };
    const { stepSize, gamma } = scheduleOptions(this.name, options, checks, { gamma: 0.1 });
    this.#stepSize = stepSize;
    this.#gamma = gamma;
    this.start();
  }

  override get name(): string {
    return "StepLR";
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    return initial || this.lastEpoch % this.#stepSize !== 0 ? lr : lr * this.#gamma;
  }
}

/** Multiplies the rate by `gamma` at each milestone; one that is named twice counts twice. */
export class MultiStepLR extends LRScheduler {
  readonly #milestones: readonly number[];
  readonly #gamma: number;

  constructor(optimizer: Schedulable, options: { milestones: readonly number[]; gamma?: number }) {
    super(optimizer);
    const checks = { milestones: counts(0), gamma: atLeast(0) };
    const { milestones, gamma } = scheduleOptions(this.name, options, checks, { gamma: 0.1 });
    this.#milestones = [...milestones];
    this.#gamma = gamma;
    this.start();
  }

  override get name(): string {
    return "MultiStepLR";
  }

  protected override next({ lr }: RateGroup): number {
    return lr * this.#gamma ** this.#milestones.filter((milestone) => milestone === this.lastEpoch).length;
  }
}

/** Multiplies the rate by `gamma` at every step. */
export class ExponentialLR extends LRScheduler {
  readonly #gamma: number;

  constructor(optimizer: Schedulable, options: { gamma: number }) {
    super(optimizer);
    this.#gamma = scheduleOptions(this.name, options, { gamma: atLeast(0) }, {}).gamma;
    this.start();
  }

  override get name(): string {
    return "ExponentialLR";
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    return initial ? lr : lr * this.#gamma;
  }
}

/** Brings the rate to 0 over `totalIters` steps, as a polynomial of what is left. */
export class PolynomialLR extends LRScheduler {
  readonly #totalIters: number;
  readonly #power: number;

  constructor(optimizer: Schedulable, options?: { totalIters?: number; power?: number }) {
    super(optimizer);
    const checks = { totalIters: count(1), power: atLeast(0) };
    const { totalIters, power } = scheduleOptions(this.name, options, checks, { totalIters: 5, power: 1 });
    this.#totalIters = totalIters;
    this.#power = power;
    this.start();
  }

  override get name(): string {
    return "PolynomialLR";
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    const total = this.#totalIters;
    if (initial || this.lastEpoch > total) return lr;
    return lr * ((1 - this.lastEpoch / total) / (1 - (this.lastEpoch - 1) / total)) ** this.#power;
  }
}

/** Multiplies the first rate by what a function gives for the number of steps taken. */
export class LambdaLR extends LRScheduler {
  readonly #lambda: (step: number) => number;

  constructor(optimizer: Schedulable, options: { lambda: (step: number) => number }) {
    super(optimizer);
    this.#lambda = scheduleOptions(this.name, options, { lambda: aFunction }, {}).lambda;
    this.start();
  }

  override get name(): string {
    return "LambdaLR";
  }

  protected override next({ initialLr }: RateGroup): number {
    const factor = this.#lambda(this.lastEpoch);
    const problem = optionProblem(`lambda(${this.lastEpoch})`, factor, atLeast(0));
    if (problem !== null) throw new ArgumentError(`LambdaLR: ${problem}`);
    return initialLr! * factor;
  }
}
