import { between } from "../../base/options.ts";
import { count, lastEpoch, scheduleOptions } from "./options.ts";
import type { RateGroup } from "./rates.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

/** The rate times `factor` (default 1/3) for `totalIters` (default 5) steps, then the rate; with 0 steps, for good. */
export class ConstantLR extends LRScheduler {
  readonly #factor: number;
  readonly #totalIters: number;

  constructor(
    optimizer: Schedulable,
    options?: { factor?: number; totalIters?: number; lastEpoch?: number },
  ) {
    super(optimizer, options?.lastEpoch);
    const checks = { factor: between(0, 1), totalIters: count(0), lastEpoch };
    const defaults = { factor: 1 / 3, totalIters: 5, lastEpoch: -1 };
    const given = scheduleOptions(this.name, options, checks, defaults);
    this.#factor = given.factor;
    this.#totalIters = given.totalIters;
    this.begin(given.lastEpoch);
  }

  override get name(): string {
    return "ConstantLR";
  }

  protected override next({ lr }: RateGroup): number {
    if (this.lastEpoch === 0) return lr * this.#factor;
    return this.lastEpoch === this.#totalIters ? lr * (1 / this.#factor) : lr;
  }

  protected override closed(group: RateGroup): number {
    const over = this.lastEpoch >= this.#totalIters;
    return this.base(group) * (this.#factor + (over ? 1 - this.#factor : 0));
  }
}

/**
 * From the rate times `startFactor` (default 1/3) to the rate times `endFactor` (default 1), in `totalIters` (default 5)
 * equal steps: a warm-up. With 0 steps the first factor stays.
 */
export class LinearLR extends LRScheduler {
  readonly #start: number;
  readonly #end: number;
  readonly #totalIters: number;

  constructor(
    optimizer: Schedulable,
    options?: { startFactor?: number; endFactor?: number; totalIters?: number; lastEpoch?: number },
  ) {
    super(optimizer, options?.lastEpoch);
    const checks = {
      startFactor: between(Number.MIN_VALUE, 1),
      endFactor: between(0, 1),
      totalIters: count(0),
      lastEpoch,
    };
    const defaults = { startFactor: 1 / 3, endFactor: 1, totalIters: 5, lastEpoch: -1 };
    const given = scheduleOptions(this.name, options, checks, defaults);
    this.#start = given.startFactor;
    this.#end = given.endFactor;
    this.#totalIters = given.totalIters;
    this.begin(given.lastEpoch);
  }

  override get name(): string {
    return "LinearLR";
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    if (this.lastEpoch === 0) return lr * this.#start;
    if (initial || this.lastEpoch > this.#totalIters) return lr;
    const rise = this.#end - this.#start;
    return lr * (1 + rise / (this.#totalIters * this.#start + (this.lastEpoch - 1) * rise));
  }

  protected override closed(group: RateGroup): number {
    const rise = this.#end - this.#start;
    const done = (rise * Math.min(this.#totalIters, this.lastEpoch)) / this.#totalIters;
    return this.base(group) * (this.#start + done);
  }
}
