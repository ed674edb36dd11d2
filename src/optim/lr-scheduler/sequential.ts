import { ArgumentError, StateDictError } from "../../base/errors.ts";
import { LRScheduler, type Schedulable, type SchedulerState } from "./scheduler.ts";

/** One schedule after another, each from its milestone on: a warm-up, then a decay. */
export class SequentialLR extends LRScheduler {
  readonly #schedules: readonly LRScheduler[];
  readonly #milestones: readonly number[];

  constructor(
    optimizer: Schedulable,
    { schedules, milestones }: { schedules: readonly LRScheduler[]; milestones: readonly number[] },
  ) {
    super(optimizer);
    if (schedules.length === 0 || milestones.length !== schedules.length - 1)
      throw new ArgumentError(
        `SequentialLR: ${schedules.length} schedules and ${milestones.length} milestones; it takes one milestone less than schedules`,
      );
    if (schedules.some((schedule) => schedule.optimizer !== optimizer))
      throw new ArgumentError("SequentialLR: a schedule is of another optimizer; all must be of one");
    this.#schedules = schedules;
    this.#milestones = milestones;
    this.start();
  }

  override start(): void {
    this.lastEpoch = 0;
    this.#begin(this.#schedules[0]!);
  }

  /** A schedule starts from the first rate, whatever others have made of it. */
  #begin(schedule: LRScheduler): void {
    for (const group of this.optimizer.paramGroups) group.lr = group.initialLr!;
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

  protected override state(): SchedulerState {
    return { lastEpoch: this.lastEpoch, schedules: this.#schedules.map((schedule) => schedule.stateDict()) };
  }
  protected override check(state: SchedulerState): void {
    super.check(state);
    if (state.schedules?.length !== this.#schedules.length)
      throw new StateDictError(
        `loadStateDict: the state is of ${state.schedules?.length ?? 0} schedules in sequence, this of ${this.#schedules.length}`,
      );
  }
  protected override restore(state: SchedulerState): void {
    super.restore(state);
    for (const [i, schedule] of this.#schedules.entries()) schedule.loadStateDict(state.schedules![i]!);
  }
}
