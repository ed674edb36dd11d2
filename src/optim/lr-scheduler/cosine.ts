import { ArgumentError } from "../../base/errors.ts";
import { anyNumber } from "../../base/options.ts";
import { count, lastEpoch, scheduleOptions } from "./options.ts";
import type { RateGroup } from "./rates.ts";
import { type Counters, LRScheduler, type Schedulable } from "./scheduler.ts";

/** Half a cosine from the rate down to `etaMin` (default 0) over `TMax` steps, and up again after. */
export class CosineAnnealingLR extends LRScheduler {
  readonly #max: number;
  readonly #min: number;

  constructor(optimizer: Schedulable, options: { TMax: number; etaMin?: number; lastEpoch?: number }) {
    super(optimizer, options?.lastEpoch);
    const checks = { TMax: count(1), etaMin: anyNumber, lastEpoch };
    const given = scheduleOptions(this.name, options, checks, { etaMin: 0, lastEpoch: -1 });
    this.#max = given.TMax;
    this.#min = given.etaMin;
    this.begin(given.lastEpoch);
  }

  override get name(): string {
    return "CosineAnnealingLR";
  }

  protected override next(group: RateGroup, initial: boolean): number {
    const { lr } = group;
    if (initial) return lr;
    const max = this.#max;
    const min = this.#min;
    const height = (step: number): number => 1 + Math.cos((Math.PI * step) / max);
    // At the bottom the ratio below would be 0 / 0.
    if ((this.lastEpoch - 1 - max) % (2 * max) === 0)
      return lr + ((this.base(group) - min) * (1 - Math.cos(Math.PI / max))) / 2;
    return (height(this.lastEpoch) / height(this.lastEpoch - 1)) * (lr - min) + min;
  }

  protected override closed(group: RateGroup): number {
    return (
      this.#min +
      ((this.base(group) - this.#min) * (1 + Math.cos((Math.PI * this.lastEpoch) / this.#max))) / 2
    );
  }
}

/**
 * Cosines from the rate down to `etaMin` (default 0), started anew after `T0` steps and then after `TMult` (default 1)
 * times as many as before. `step(epoch)` goes to an epoch, which may be a fraction, as between the batches of one.
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly #first: number;
  readonly #multiple: number;
  readonly #min: number;
  /** How far into the present cosine it is, and how long that one is. */
  #at: number;
  #length: number;

  constructor(
    optimizer: Schedulable,
    options: { T0: number; TMult?: number; etaMin?: number; lastEpoch?: number },
  ) {
    super(optimizer, options?.lastEpoch);
    const checks = { T0: count(1), TMult: count(1), etaMin: anyNumber, lastEpoch };
    const given = scheduleOptions(this.name, options, checks, { TMult: 1, etaMin: 0, lastEpoch: -1 });
    this.#first = given.T0;
    this.#multiple = given.TMult;
    this.#min = given.etaMin;
    this.#at = given.lastEpoch;
    this.#length = given.T0;
    this.#wrap();
    this.begin(given.lastEpoch);
  }

  override get name(): string {
    return "CosineAnnealingWarmRestarts";
  }

  override start(): void {
    this.#moveOn();
    super.start();
  }

  override advance(): void {
    this.#moveOn();
    super.advance();
  }

  /** Brings a number of whole steps to the place in the cosine that they end in. */
  #wrap(): void {
    while (this.#at >= this.#length) {
      this.#at -= this.#length;
      this.#length *= this.#multiple;
    }
  }

  #moveOn(): void {
    if (this.lastEpoch < 0) {
      this.#at = 0;
      this.#length = this.#first;
      return;
    }
    this.#at++;
    if (this.#at < this.#length) return;
    this.#at %= this.#length;
    this.#length *= this.#multiple;
  }

  protected override checkEpoch(epoch: number): void {
    if (!Number.isFinite(epoch) || epoch < 0)
      throw new ArgumentError(
        `${this.name}: step(${String(epoch)}); an epoch is a number of at least 0, or left out`,
      );
  }

  protected override jump(epoch: number): void {
    const first = this.#first;
    const multiple = this.#multiple;
    if (epoch < first) {
      this.#at = epoch;
      this.#length = first;
    } else if (multiple === 1) this.#at = epoch % first;
    else {
      const restarts = Math.trunc(Math.log((epoch / first) * (multiple - 1) + 1) / Math.log(multiple));
      this.#at = epoch - (first * (multiple ** restarts - 1)) / (multiple - 1);
      this.#length = first * multiple ** restarts;
    }
    super.jump(Math.floor(epoch));
  }

  protected override next(group: RateGroup): number {
    return (
      this.#min + ((this.base(group) - this.#min) * (1 + Math.cos((Math.PI * this.#at) / this.#length))) / 2
    );
  }

  protected override get counters(): Counters {
    return { at: this.#at, length: this.#length };
  }

  /** A state from before there were counters has taken whole steps. */
  protected override set counters(counters: Counters | undefined) {
    const { at, length } = counters ?? { at: Math.max(0, this.lastEpoch), length: this.#first };
    this.#at = at as number;
    this.#length = length as number;
    if (counters === undefined) this.#wrap();
  }

  protected override wrongCounters(counters: Counters | undefined): string | null {
    if (counters === undefined) return null;
    const { at, length } = counters;
    return Number.isFinite(at) && Number.isFinite(length) && (length as number) > 0
      ? null
      : `has counters at ${at} of ${length}, which are no place in a cosine`;
  }
}
