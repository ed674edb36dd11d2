import { between } from "../options.ts";
import { count, scheduleOptions } from "./options.ts";
import type { RateGroup } from "./rates.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

/** The rate times `factor` for `totalIters` steps, then the rate. */
export class ConstantLR extends LRScheduler {
  readonly #factor: number;
  readonly #totalIters: number;

  constructor(optimizer: Schedulable, options?: { factor?: number; totalIters?: number }) {
    super(optimizer);
    const checks = { factor: between(Number.MIN_VALUE, 1), totalIters: count(1) };
    const { factor, totalIters } = scheduleOptions(this.name, options, checks, {
      factor: 1 / 3,
      totalIters: 5,
    });
    this.#factor = factor;
    this.#totalIters = totalIters;
    this.start();
  }

  override get name(): string {
    return "ConstantLR";
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    if (initial) return lr * this.#factor;
    return this.lastEpoch === this.#totalIters ? lr * (1 / this.#factor) : lr;
  }
}

/** From the rate times `startFactor` to the rate times `endFactor`, in equal steps: a warm-up, by default. */
export class LinearLR extends LRScheduler {
  readonly #start: number;
  readonly #end: number;
  readonly #totalIters: number;

  constructor(
    optimizer: Schedulable,
    options?: { startFactor?: number; endFactor?: number; totalIters?: number },
  ) {
    super(optimizer);
    const checks = {
      startFactor: between(Number.MIN_VALUE, 1),
      endFactor: between(0, 1),
      totalIters: count(1),
    };
    const defaults = { startFactor: 1 / 3, endFactor: 1, totalIters: 5 };
    const { startFactor, endFactor, totalIters } = scheduleOptions(this.name, options, checks, defaults);
    this.#start = startFactor;
    this.#end = endFactor;
    this.#totalIters = totalIters;
    this.start();
  }

  override get name(): string {
    return "LinearLR";
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    if (initial) return lr * this.#start;
    if (this.lastEpoch > this.#totalIters) return lr;
    const rise = this.#end - this.#start;
    return lr * (1 + rise / (this.#totalIters * this.#start + (this.lastEpoch - 1) * rise));
  }
}
