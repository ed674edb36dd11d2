import { ArgumentError } from "../../base/errors.ts";
import type { OptionCheck } from "../../base/options.ts";
import { steer } from "../param-group.ts";
import { ChainedScheduler } from "./chained.ts";
import { counts, lastEpoch, scheduleOptions } from "./options.ts";
import { refuseParts } from "./parts.ts";
import { LRScheduler, type Schedulable } from "./scheduler.ts";

const severalSchedules: OptionCheck = (value: unknown) =>
  Array.isArray(value) && value.every((one) => one instanceof LRScheduler) ? null : "an array of schedules";

/** One schedule after another, each from its milestone on: a warm-up, then a decay. */
export class SequentialLR extends LRScheduler {
  readonly #schedules: readonly LRScheduler[];
  readonly #milestones: readonly number[];

  constructor(
    optimizer: Schedulable,
    options: { schedules: readonly LRScheduler[]; milestones: readonly number[]; lastEpoch?: number },
  ) {
    super(optimizer, options?.lastEpoch);
    const checks = { schedules: severalSchedules, milestones: counts(0), lastEpoch };
    const given = scheduleOptions(this.name, options, checks, { lastEpoch: -1 });
    const { schedules, milestones } = given;
    if (schedules.length === 0 || milestones.length !== schedules.length - 1)
      throw new ArgumentError(
        `SequentialLR: ${schedules.length} schedules and ${milestones.length} milestones; it takes one milestone less than schedules`,
      );
    if (milestones.some((milestone, i) => i > 0 && milestone < milestones[i - 1]!))
      throw new ArgumentError(`SequentialLR: milestones are [${milestones.join(", ")}]; they must rise`);
    refuseParts("SequentialLR", optimizer, schedules);
    if (schedules.some((schedule, i) => i > 0 && schedule instanceof ChainedScheduler))
      throw new ArgumentError(
        "SequentialLR: a ChainedScheduler has no first rates of its own to start from at a milestone; put it first, or chain sequences instead",
      );
    this.#schedules = [...schedules];
    this.#milestones = [...milestones];
    this.lastEpoch = given.lastEpoch + 1;
    this.#reset();
    for (const schedule of schedules) schedule.retreat();
    this.#schedules[this.#passed(0)]!.start();
    this.noteRates();
    // With another `lastEpoch` its parts start all the same, as PyTorch's do.
    this.steerFromHere(
      options.lastEpoch === -1,
      "make SequentialLR with lastEpoch: -1 to begin anew on purpose",
    );
  }

  override get name(): string {
    return "SequentialLR";
  }

  protected override get parts(): readonly LRScheduler[] {
    return this.#schedules;
  }

  /** How many milestones lie behind at a step. */
  #passed(step: number): number {
    return this.#milestones.filter((milestone) => milestone <= step).length;
  }

  /** Sets the first rates, whatever schedules have made of them. */
  #reset(): void {
    for (const group of this.optimizer.paramGroups) steer(group, "lr", (group.initialLr ??= group.lr));
  }

  /** As PyTorch's, one that is the first part of another sequence takes a step of its own where that one starts. */
  override start(): void {
    this.advance();
  }

  override retreat(): void {
    for (const schedule of this.#schedules) schedule.retreat();
  }

  override restart(): void {
    this.lastEpoch = 0;
    this.#reset();
    this.#schedules[this.#passed(0)]!.restart();
    this.noteRates();
  }

  override advance(): void {
    this.lastEpoch++;
    const passed = this.#passed(this.lastEpoch);
    const schedule = this.#schedules[passed]!;
    if (passed > 0 && this.#milestones[passed - 1] === this.lastEpoch) schedule.restart();
    else schedule.advance();
    this.noteRates();
  }

  protected override next(group: { lr: number }): number {
    return group.lr;
  }
}
