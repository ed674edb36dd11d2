import { checkCount, checkRange, LRScheduler, type RateGroup, type Schedulable } from "./scheduler.ts";

/** Multiplies the rate by `gamma` every `stepSize` steps. */
export class StepLR extends LRScheduler {
  readonly #stepSize: number;
  readonly #gamma: number;

  constructor(optimizer: Schedulable, { stepSize, gamma = 0.1 }: { stepSize: number; gamma?: number }) {
    super(optimizer);
    checkCount("StepLR", "stepSize", stepSize);
    this.#stepSize = stepSize;
    this.#gamma = gamma;
    this.start();
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    return initial || this.lastEpoch % this.#stepSize !== 0 ? lr : lr * this.#gamma;
  }
}

/** Multiplies the rate by `gamma` at each milestone; one that is named twice counts twice. */
export class MultiStepLR extends LRScheduler {
  readonly #milestones: readonly number[];
  readonly #gamma: number;

  constructor(
    optimizer: Schedulable,
    { milestones, gamma = 0.1 }: { milestones: readonly number[]; gamma?: number },
  ) {
    super(optimizer);
    this.#milestones = milestones;
    this.#gamma = gamma;
    this.start();
  }

  protected override next({ lr }: RateGroup): number {
    return lr * this.#gamma ** this.#milestones.filter((milestone) => milestone === this.lastEpoch).length;
  }
}

/** Multiplies the rate by `gamma` at every step. */
export class ExponentialLR extends LRScheduler {
  readonly #gamma: number;

  constructor(optimizer: Schedulable, { gamma }: { gamma: number }) {
    super(optimizer);
    this.#gamma = gamma;
    this.start();
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    return initial ? lr : lr * this.#gamma;
  }
}

/** Brings the rate to 0 over `totalIters` steps, as a polynomial of what is left. */
export class PolynomialLR extends LRScheduler {
  readonly #totalIters: number;
  readonly #power: number;

  constructor(
    optimizer: Schedulable,
    { totalIters = 5, power = 1 }: { totalIters?: number; power?: number } = {},
  ) {
    super(optimizer);
    checkCount("PolynomialLR", "totalIters", totalIters);
    this.#totalIters = totalIters;
    this.#power = power;
    this.start();
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

  constructor(optimizer: Schedulable, { lambda }: { lambda: (step: number) => number }) {
    super(optimizer);
    this.#lambda = lambda;
    this.start();
  }

  protected override next({ initialLr }: RateGroup): number {
    const factor = this.#lambda(this.lastEpoch);
    checkRange("LambdaLR", `lambda(${this.lastEpoch})`, factor, 0, Number.POSITIVE_INFINITY);
    return initialLr! * factor;
  }
}
