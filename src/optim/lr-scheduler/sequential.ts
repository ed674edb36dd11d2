import { ArgumentError } from "../../base/errors.ts";
import type { OptionCheck } from "../options.ts";
import { counts, scheduleOptions } from "./options.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

const severalSchedules: OptionCheck = (value: unknown) =>
  Array.isArray(value) && value.every((one) => one instanceof LRScheduler) ? null : "an array of schedules";

/** One schedule after another, each from its milestone on: a warm-up, then a decay. */
export class SequentialLR extends LRScheduler {
  readonly #schedules: readonly LRScheduler[];
  readonly #milestones: readonly number[];

  constructor(
    optimizer: Schedulable,
    options: { schedules: readonly LRScheduler[]; milestones: readonly number[] },
  ) {
    super(optimizer);
    const checks = { schedules: severalSchedules, milestones: counts(1) };
    const { schedules, milestones } = scheduleOptions(this.name, options, checks, {});
    if (schedules.length === 0 || milestones.length !== schedules.length - 1)
      throw new ArgumentError(
        `SequentialLR: ${schedules.length} schedules and ${milestones.length} milestones; it takes one milestone less than schedules`,
      );
    if (milestones.some((milestone, i) => i > 0 && milestone < milestones[i - 1]!))
      throw new ArgumentError(`SequentialLR: milestones are [${milestones.join(", ")}]; they must rise`);
    if (schedules.some((schedule) => schedule.optimizer !== optimizer))
      throw new ArgumentError("SequentialLR: a schedule is of another optimizer; all must be of one");
    this.#schedules = [...schedules];
    this.#milestones = [...milestones];
    this.start();
  }

  override get name(): string {
    return "SequentialLR";
  }

  protected override get parts(): readonly LRScheduler[] {
    return this.#schedules;
  }

  override start(): void {
    this.lastEpoch = 0;
    this.#begin(this.#schedules[0]!);
  }

  /** A schedule starts from the first rate, whatever others have made of it. */
  #begin(schedule: LRScheduler): void {
    for (const group of this.optimizer.paramGroups) group.lr = group.initialLr ??= group.lr;
    schedule.start();
  }

  override advance(): void {
    this.lastEpoch++;
    const passed = this.#milestones.filter((milestone) => milestone <= this.lastEpoch).length;
    const schedule = this.#schedules[passed]!;
    if (passed > 0 && this.#milestones[passed - 1] === this.lastEpoch) this.#begin(schedule);
    else schedule.advance();
  }

  protected override next(group: { lr: number }): number {
    return group.lr;
  }
}
