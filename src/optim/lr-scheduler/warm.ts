import { checkCount, checkRange, LRScheduler, type RateGroup, type Schedulable } from "./scheduler.ts";

/** The rate times `factor` for `totalIters` steps, then the rate. */
export class ConstantLR extends LRScheduler {
  readonly #factor: number;
  readonly #totalIters: number;

  constructor(
    optimizer: Schedulable,
    { factor = 1 / 3, totalIters = 5 }: { factor?: number; totalIters?: number } = {},
  ) {
    super(optimizer);
    checkRange("ConstantLR", "factor", factor, Number.MIN_VALUE, 1);
    checkCount("ConstantLR", "totalIters", totalIters);
    this.#factor = factor;
    this.#totalIters = totalIters;
    this.start();
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
    options: { startFactor?: number; endFactor?: number; totalIters?: number } = {},
  ) {
    super(optimizer);
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = options;
    checkRange("LinearLR", "startFactor", startFactor, Number.MIN_VALUE, 1);
    checkRange("LinearLR", "endFactor", endFactor, 0, 1);
    checkCount("LinearLR", "totalIters", totalIters);
    this.#start = startFactor;
    this.#end = endFactor;
    this.#totalIters = totalIters;
    this.start();
  }

  protected override next({ lr }: RateGroup, initial: boolean): number {
    if (initial) return lr * this.#start;
    if (this.lastEpoch > this.#totalIters) return lr;
    const rise = this.#end - this.#start;
    return lr * (1 + rise / (this.#totalIters * this.#start + (this.lastEpoch - 1) * rise));
  }
}
