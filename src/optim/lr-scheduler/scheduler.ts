import { ArgumentError, StateDictError } from "../../base/errors.ts";
import { currentTrace, hostEffect } from "../../engine/trace.ts";
import { type RateGroup, restoreRates, type SavedRate, savedRate, wrongRates } from "./rates.ts";

/** What has groups with a learning rate: every optimizer. */
export interface Schedulable {
  readonly paramGroups: readonly RateGroup[];
}

/** A schedule's position. */
interface Position {
  lastEpoch: number;
  /** Those of the schedules that it is made of. */
  schedules?: Position[];
}

/** A schedule's state, as plain data. */
export interface SchedulerState extends Position {
  /** The schedule's name: its state goes back into one of the same. */
  schedule?: string;
  schedules?: SchedulerState[];
  /** The rate that each group has, and the one that it started from. */
  rates?: SavedRate[];
}

/**
 * Sets the learning rates of an optimizer's groups, step by step. As PyTorch's, most schedules change the rate there
 * is, so that several together compose; making one sets the first rate, and `step()` after each optimizer step (or
 * each epoch) the next. Inside a captured function a step is repeated at every replay. One that is made to go on from a
 * state dict sets the rates as they were when that is loaded, before the optimizer's or after it.
 */
export abstract class LRScheduler {
  /** What it steers. */
  readonly optimizer: Schedulable;
  /** How many steps it has taken. */
  lastEpoch = 0;
  /** The rates before this schedule was made: those of an optimizer that had been loaded already. */
  readonly #ratesBefore: readonly number[];

  constructor(optimizer: Schedulable) {
    if (!Array.isArray(optimizer?.paramGroups))
      throw new ArgumentError(
        `${this.name}: the first argument is ${optimizer === null ? "null" : typeof optimizer}, which is no optimizer: it has no paramGroups`,
      );
    this.optimizer = optimizer;
    this.#ratesBefore = optimizer.paramGroups.map(({ lr }) => lr);
  }

  /** What errors call it, and its state dict. */
  get name(): string {
    return this.constructor.name;
  }

  /** The schedules that it is made of. */
  protected get parts(): readonly LRScheduler[] {
    return [];
  }

  /** The rate of a group at `lastEpoch`, given the one before in `group.lr`; `initial` where the schedule starts. */
  protected abstract next(group: RateGroup, initial: boolean): number;

  /** Sets the rates as they are at the start. */
  start(): void {
    this.lastEpoch = 0;
    this.#set(true);
  }

  /** Moves on by one; where a rate cannot be set, nothing has changed. */
  step(): void {
    let undo = (): void => {};
    const effect = {
      apply: () => {
        const groups = this.optimizer.paramGroups;
        const rates = groups.map((group) => group.lr);
        const position = this.#position();
        undo = () => {
          this.#moveTo(position);
          for (const [i, rate] of rates.entries()) groups[i]!.lr = rate;
        };
        try {
          this.advance();
        } catch (error) {
          undo();
          throw error;
        }
      },
      undo: () => undo(),
    };
    // Outside of a recording it belongs to no step that could fail and take it back.
    if (currentTrace().recording) hostEffect(effect);
    else effect.apply();
  }

  /** What `step` does, once. */
  advance(): void {
    this.lastEpoch++;
    this.#set(false);
  }

  #set(initial: boolean): void {
    for (const group of this.optimizer.paramGroups) {
      group.initialLr ??= group.lr;
      group.lr = this.next(group, initial);
    }
  }

  /** The rates that it last set. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  /** Its position, and the rates. */
  stateDict(): SchedulerState {
    return { ...this.#state(), rates: this.optimizer.paramGroups.map(savedRate) };
  }

  #state(): SchedulerState {
    const schedules = this.parts.map((part) => part.#state());
    return {
      schedule: this.name,
      lastEpoch: this.lastEpoch,
      ...(schedules.length > 0 && { schedules }),
    };
  }

  /** Goes to a position, and sets the rates that groups had there. If something does not fit, nothing has changed. */
  loadStateDict(state: SchedulerState): void {
    this.#check(state);
    const wrong = wrongRates(state.rates, this.optimizer.paramGroups);
    if (wrong !== null) throw new StateDictError(`loadStateDict: ${wrong}`);
    restoreRates(this.optimizer.paramGroups, state.rates!, this.#allRatesBefore());
    this.#moveTo(state);
  }

  #allRatesBefore(): (readonly number[])[] {
    return [this.#ratesBefore, ...this.parts.flatMap((part) => part.#allRatesBefore())];
  }

  #check(state: SchedulerState): void {
    if (typeof state !== "object" || state === null)
      throw new StateDictError(`loadStateDict: the state of ${this.name} is ${String(state)}, not an object`);
    const { schedule, lastEpoch, schedules = [] } = state;
    if (schedule !== undefined && schedule !== this.name)
      throw new StateDictError(`loadStateDict: the state is of ${String(schedule)}, this is ${this.name}`);
    if (!Number.isInteger(lastEpoch) || lastEpoch < 0)
      throw new StateDictError(
        `loadStateDict: lastEpoch is ${String(lastEpoch)}; a schedule's state has a whole number from 0`,
      );
    if (!Array.isArray(schedules) || schedules.length !== this.parts.length)
      throw new StateDictError(
        `loadStateDict: the state is of ${schedules?.length ?? 0} schedules in sequence, this of ${this.parts.length}`,
      );
    for (const [i, part] of this.parts.entries()) part.#check(schedules[i]!);
  }

  #position(): Position {
    return { lastEpoch: this.lastEpoch, schedules: this.parts.map((part) => part.#position()) };
  }
  #moveTo({ lastEpoch, schedules }: Position): void {
    this.lastEpoch = lastEpoch;
    for (const [i, part] of this.parts.entries()) part.#moveTo(schedules![i]!);
  }
}
