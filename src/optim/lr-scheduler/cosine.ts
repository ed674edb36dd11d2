import { checkCount, LRScheduler, type RateGroup, type Schedulable } from "./scheduler.ts";

/** Half a cosine from the rate down to `etaMin` over `TMax` steps, and up again after. */
export class CosineAnnealingLR extends LRScheduler {
  readonly #max: number;
  readonly #min: number;

  constructor(optimizer: Schedulable, { TMax, etaMin = 0 }: { TMax: number; etaMin?: number }) {
    super(optimizer);
    checkCount("CosineAnnealingLR", "TMax", TMax);
    this.#max = TMax;
    this.#min = etaMin;
    this.start();
  }

  protected override next({ lr, initialLr }: RateGroup, initial: boolean): number {
    if (initial) return lr;
    const max = this.#max;
    const min = this.#min;
    const height = (step: number): number => 1 + Math.cos((Math.PI * step) / max);
    // At the bottom the ratio below would be 0 / 0.
    if ((this.lastEpoch - 1 - max) % (2 * max) === 0)
      return lr + ((initialLr! - min) * (1 - Math.cos(Math.PI / max))) / 2;
    return (height(this.lastEpoch) / height(this.lastEpoch - 1)) * (lr - min) + min;
  }
}

/** Cosines from the rate down to `etaMin`, started anew after `T0` steps and then after `TMult` times as many as before. */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly #first: number;
  readonly #multiple: number;
  readonly #min: number;

  constructor(
    optimizer: Schedulable,
    { T0, TMult = 1, etaMin = 0 }: { T0: number; TMult?: number; etaMin?: number },
  ) {
    super(optimizer);
    checkCount("CosineAnnealingWarmRestarts", "T0", T0);
    checkCount("CosineAnnealingWarmRestarts", "TMult", TMult);
    this.#first = T0;
    this.#multiple = TMult;
    this.#min = etaMin;
    this.start();
  }

  protected override next({ initialLr }: RateGroup): number {
    let length = this.#first;
    let at = this.lastEpoch;
    while (at >= length) {
      at -= length;
      length *= this.#multiple;
    }
    return this.#min + ((initialLr! - this.#min) * (1 + Math.cos((Math.PI * at) / length))) / 2;
  }
}
