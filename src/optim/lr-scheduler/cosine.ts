import { atLeast } from "../options.ts";
import { count, scheduleOptions } from "./options.ts";
import type { RateGroup } from "./rates.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

/** Half a cosine from the rate down to `etaMin` over `TMax` steps, and up again after. */
export class CosineAnnealingLR extends LRScheduler {
  readonly #max: number;
  readonly #min: number;

  constructor(optimizer: Schedulable, options: { TMax: number; etaMin?: number }) {
    super(optimizer);
    const checks = { TMax: count(1), etaMin: atLeast(0) };
    const { TMax, etaMin } = scheduleOptions(this.name, options, checks, { etaMin: 0 });
    this.#max = TMax;
    this.#min = etaMin;
    this.start();
  }

  override get name(): string {
    return "CosineAnnealingLR";
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

  constructor(optimizer: Schedulable, options: { T0: number; TMult?: number; etaMin?: number }) {
    super(optimizer);
    const checks = { T0: count(1), TMult: count(1), etaMin: atLeast(0) };
    const { T0, TMult, etaMin } = scheduleOptions(this.name, options, checks, { TMult: 1, etaMin: 0 });
    this.#first = T0;
    this.#multiple = TMult;
    this.#min = etaMin;
    this.start();
  }

  override get name(): string {
    return "CosineAnnealingWarmRestarts";
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
