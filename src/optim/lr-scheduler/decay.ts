import { anyNumber } from "../../base/options.ts";
import { count, counts, lastEpoch, scheduleOptions } from "./options.ts";
import type { RateGroup } from "./rates.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

/** Multiplies the rate by `gamma` (default 0.1) every `stepSize` steps. */
export class StepLR extends LRScheduler {
  readonly #stepSize: number;
  readonly #gamma: number;

  constructor(optimizer: Schedulable, options: { stepSize: number; gamma?: number; lastEpoch?: number }) {
    super(optimizer, options?.lastEpoch);
    const checks = { stepSize: count(1), gamma: anyNumber, lastEpoch };
    const given = scheduleOptions(this.name, options, checks, { gamma: 0.1, lastEpoch: -1 });
    this.#stepSize = given.stepSize;
    this.#gamma = given.gamma;
    this.begin(given.lastEpoch);
  }

  override get name(): string {
    return "StepLR";
  }

  protected override next({ lr }: RateGroup): number {
    return this.lastEpoch === 0 || this.lastEpoch % this.#stepSize !== 0 ? lr : lr * this.#gamma;
  }

  protected override closed(group: RateGroup): number {
    return this.base(group) * this.#gamma ** Math.floor(this.lastEpoch / this.#stepSize);
  }
}

/** Multiplies the rate by `gamma` (default 0.1) at each milestone; one that is named twice counts twice. */
export class MultiStepLR extends LRScheduler {
  readonly #milestones: readonly number[];
  readonly #gamma: number;

  constructor(
    optimizer: Schedulable,
    options: { milestones: readonly number[]; gamma?: number; lastEpoch?: number },
  ) {
    super(optimizer, options?.lastEpoch);
    const checks = { milestones: counts(0), gamma: anyNumber, lastEpoch };
    const given = scheduleOptions(this.name, options, checks, { gamma: 0.1, lastEpoch: -1 });
    this.#milestones = [...given.milestones];
    this.#gamma = given.gamma;
    this.begin(given.lastEpoch);
  }

  override get name(): string {
    return "MultiStepLR";
  }

  protected override next({ lr }: RateGroup): number {
    return lr * this.#gamma ** this.#milestones.filter((milestone) => milestone === this.lastEpoch).length;
  }

  protected override closed(group: RateGroup): number {
    const passed = this.#milestones.filter((milestone) => milestone <= this.lastEpoch).length;
    return this.base(group) * this.#gamma ** passed;
  }
}

/** Multiplies the rate by `gamma` at every step. */
export class ExponentialLR extends LRScheduler {
  readonly #gamma: number;

  constructor(optimizer: Schedulable, options: { gamma: number; lastEpoch?: number }) {
    super(optimizer, options?.lastEpoch);
    const checks = { gamma: anyNumber, lastEpoch };
    const given = scheduleOptions(this.name, options, checks, { lastEpoch: -1 });
    this.#gamma = given.gamma;
    this.begin(given.lastEpoch);
  }

  override get name(): string {
    return "ExponentialLR";
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    return initial ? lr : lr * this.#gamma;
  }

  protected override closed(group: RateGroup): number {
    return this.base(group) * this.#gamma ** this.lastEpoch;
  }
}

/** Brings the rate to 0 over `totalIters` (default 5) steps, as a polynomial (`power`, default 1) of what is left. */
export class PolynomialLR extends LRScheduler {
  readonly #totalIters: number;
  readonly #power: number;

  constructor(optimizer: Schedulable, options?: { totalIters?: number; power?: number; lastEpoch?: number }) {
    super(optimizer, options?.lastEpoch);
    const checks = { totalIters: count(0), power: anyNumber, lastEpoch };
    const defaults = { totalIters: 5, power: 1, lastEpoch: -1 };
    const given = scheduleOptions(this.name, options, checks, defaults);
    this.#totalIters = given.totalIters;
    this.#power = given.power;
    this.begin(given.lastEpoch);
  }

  override get name(): string {
    return "PolynomialLR";
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    const total = this.#totalIters;
    if (initial || this.lastEpoch > total) return lr;
    return lr * ((1 - this.lastEpoch / total) / (1 - (this.lastEpoch - 1) / total)) ** this.#power;
  }

  protected override closed(group: RateGroup): number {
    const total = this.#totalIters;
    return this.base(group) * (1 - Math.min(total, this.lastEpoch) / total) ** this.#power;
  }
}
