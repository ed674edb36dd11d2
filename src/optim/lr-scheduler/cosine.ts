import type { ParamGroup } from "../param-group.ts";
import { checkCount, LRScheduler, type Schedulable } from "./scheduler.ts";

type Group = ParamGroup<{ lr: number }>;

/** Half a cosine from the rate down to `etaMin` over `tMax` steps, and up again after. */
export class CosineAnnealingLR extends LRScheduler {
  readonly #max: number;
  readonly #min: number;

  constructor(optimizer: Schedulable, { tMax, etaMin = 0 }: { tMax: number; etaMin?: number }) {
    super(optimizer);
    checkCount("CosineAnnealingLR", "tMax", tMax);
    this.#max = tMax;
    this.#min = etaMin;
    this.start();
  }

  protected override next({ lr, initialLr }: Group, initial: boolean): number {
    if (initial) return lr;
    const max = this.#max;
    const min = this.#min;
    const height = (step: number): number => 1 + Math.cos((Math.PI * step) / max);
    // At the bottom the ratio below would be 0 / 0.
    if ((this.lastEpoch - 1 - max) % (2 * max) === 0) return lr + ((initialLr! - min) * (1 - Math.cos(Math.PI / max))) / 2;
    return (height(this.lastEpoch) / height(this.lastEpoch - 1)) * (lr - min) + min;
  }
}

/** Cosines from the rate down to `etaMin`, started anew after `t0` steps and then after `tMult` times as many as before. */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly #first: number;
  readonly #multiple: number;
  readonly #min: number;

  constructor(optimizer: Schedulable, { t0, tMult = 1, etaMin = 0 }: { t0: number; tMult?: number; etaMin?: number }) {
    super(optimizer);
    checkCount("CosineAnnealingWarmRestarts", "t0", t0);
    checkCount("CosineAnnealingWarmRestarts", "tMult", tMult);
    this.#first = t0;
    this.#multiple = tMult;
    this.#min = etaMin;
    this.start();
  }

  protected override next({ initialLr }: Group): number {
    let length = this.#first;
    let at = this.lastEpoch;
    while (at >= length) {
      at -= length;
      length *= this.#multiple;
    }
    return this.#min + ((initialLr! - this.#min) * (1 + Math.cos((Math.PI * at) / length))) / 2;
  }
}

