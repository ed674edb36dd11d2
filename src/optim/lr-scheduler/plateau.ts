import { ArgumentError } from "../../base/errors.ts";
import { anyNumber } from "../../base/options.ts";
import { refuseWhileRecording } from "../../engine/trace.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { steer } from "../param-group.ts";
import {
  count,
  numbers,
  ofGroup,
  oneOf,
  type PerGroup,
  refuseOtherCounts,
  scheduleOptions,
} from "./options.ts";
import type { RateGroup } from "./rates.ts";
import { type Counters, LRScheduler, type Schedulable } from "./scheduler.ts";

/** Options of ReduceLROnPlateau, with PyTorch's meanings and defaults. */
export interface PlateauOptions {
  /** Whether a metric is better the lower or the higher it is; default "min". */
  mode?: "min" | "max";
  /** What the rate is multiplied by, below 1; default 0.1. */
  factor?: number;
  /** Steps without anything better that are borne with; default 10. */
  patience?: number;
  /** By how much a metric must be better to count; default 1e-4. */
  threshold?: number;
  /** Whether that is a share of the best or a difference from it; default "rel". */
  thresholdMode?: "rel" | "abs";
  /** Steps after a reduction in which none counts as bad; default 0. */
  cooldown?: number;
  /** The least rate of all groups, or of each; default 0. */
  minLr?: PerGroup<number>;
  /** A reduction by no more than this is left undone; default 1e-8. */
  eps?: number;
}

const belowOne = (value: unknown): string | null =>
  Number.isFinite(value) && (value as number) < 1 ? null : "a number below 1";

/**
 * Multiplies the rate by `factor` where a metric has not become better for more than `patience` steps, as
 * `torch.optim.lr_scheduler.ReduceLROnPlateau`. `step(metric)` takes a number, or a tensor of one element; it cannot
 * be captured, for a metric is known only when a step has been carried out.
 */
export class ReduceLROnPlateau extends LRScheduler {
  readonly #options: Required<PlateauOptions>;
  #best: number;
  #bad = 0;
  #cooldown = 0;

  constructor(optimizer: Schedulable, options?: PlateauOptions) {
    super(optimizer);
    const checks = {
      mode: oneOf("min", "max"),
      factor: belowOne,
      patience: count(0),
      threshold: anyNumber,
      thresholdMode: oneOf("rel", "abs"),
      cooldown: count(0),
      minLr: numbers,
      eps: anyNumber,
    };
    const defaults: Required<PlateauOptions> = {
      mode: "min",
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: "rel",
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
    };
    this.#options = scheduleOptions<PlateauOptions, Required<PlateauOptions>>(
      this.name,
      options,
      checks,
      defaults,
    );
    refuseOtherCounts(this.name, optimizer.paramGroups, { minLr: this.#options.minLr });
    this.#best = this.#worst;
    this.steerFromHere(false, null);
  }

  override get name(): string {
    return "ReduceLROnPlateau";
  }

  get #worst(): number {
    return this.#options.mode === "min" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** Notes a metric; where the last ones were no better, the rates become lower. */
  override step(metric?: number | Tensor): void {
    const what = "ReduceLROnPlateau.step(metric)";
    refuseWhileRecording(what);
    const value = metric instanceof Tensor && metric.numel === 1 ? metric.itemSync() : metric;
    if (typeof value !== "number")
      throw new ArgumentError(
        `${what}: the metric is ${metric instanceof Tensor ? `a tensor of ${metric.numel} elements, of ${metric.dtype}` : typeof metric}; give a number, such as a mean loss`,
      );
    this.take(() => this.#note(value));
  }

  #note(metric: number): void {
    const { patience, cooldown } = this.#options;
    this.lastEpoch++;
    if (this.#isBetter(metric)) {
      this.#best = metric;
      this.#bad = 0;
    } else this.#bad++;
    if (this.#cooldown > 0) {
      this.#cooldown--;
      this.#bad = 0;
    }
    if (this.#bad > patience) {
      for (const [i, group] of this.optimizer.paramGroups.entries())
        steer(group, "lr", this.next(group, false, i));
      this.#cooldown = cooldown;
      this.#bad = 0;
    }
    this.noteRates();
  }

  #isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const best = this.#best;
    if (mode === "min") return metric < (thresholdMode === "rel" ? best * (1 - threshold) : best - threshold);
    return metric > (thresholdMode === "rel" ? best * (1 + threshold) : best + threshold);
  }

  /** The rate of a group after a reduction. */
  protected override next({ lr }: RateGroup, _: boolean, index: number): number {
    const { factor, minLr, eps } = this.#options;
    const reduced = Math.max(lr * factor, ofGroup(this.name, "minLr", minLr, index));
    return lr - reduced > eps ? reduced : lr;
  }

  protected override get counters(): Counters {
    // JSON has no infinity.
    const best = Number.isFinite(this.#best) ? this.#best : String(this.#best);
    return { best, bad: this.#bad, cooldown: this.#cooldown };
  }

  protected override set counters({ best, bad, cooldown }: Counters) {
    this.#best = Number(best);
    this.#bad = bad as number;
    this.#cooldown = cooldown as number;
  }

  protected override wrongCounters(counters: Counters | undefined): string | null {
    const { best, bad, cooldown } = counters ?? {};
    const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;
    return counters !== undefined &&
      !Number.isNaN(Number(best ?? Number.NaN)) &&
      isCount(bad) &&
      isCount(cooldown)
      ? null
      : `does not say what was best (${String(best)}), how many steps were bad (${String(bad)}) and how many are left to cool down (${String(cooldown)})`;
  }
}
