import { ArgumentError, StateDictError } from "../../base/errors.ts";
import { currentTrace, hostEffect } from "../../engine/trace.ts";

/** A group of parameters, as far as a schedule is concerned. */
export interface RateGroup {
  lr: number;
  /** The rate that a schedule started from. */
  initialLr?: number;
}

/** What has groups with a learning rate: every optimizer. */
export interface Schedulable {
  readonly paramGroups: readonly RateGroup[];
}

/** A schedule's position, as plain data. */
export interface SchedulerState {
  lastEpoch: number;
  schedules?: SchedulerState[];
}

/**
 * Sets the learning rates of an optimizer's groups, step by step. As PyTorch's, most schedules change the rate there
 * is, so that several together compose; making one sets the first rate, and `step()` after each optimizer step (or
 * each epoch) the next. Inside a captured function a step is repeated at every replay.
 */
export abstract class LRScheduler {
  /** What it steers. */
  readonly optimizer: Schedulable;
  /** How many steps it has taken. */
  lastEpoch = 0;

  constructor(optimizer: Schedulable) {
    this.optimizer = optimizer;
    for (const group of optimizer.paramGroups) group.initialLr ??= group.lr;
  }

  /** The rate of a group at `lastEpoch`, given the one before in `group.lr`; `initial` where the schedule starts. */
  protected abstract next(group: RateGroup, initial: boolean): number;

  /** Sets the rates as they are at the start. */
  start(): void {
    this.lastEpoch = 0;
    this.#set(true);
  }

  /** Moves on by one. */
  step(): void {
    const { optimizer } = this;
    let undo = (): void => {};
    const effect = {
      apply: () => {
        const rates = optimizer.paramGroups.map((group) => group.lr);
        const epochs = this.state();
        undo = () => {
          this.restore(epochs);
          for (const [i, group] of optimizer.paramGroups.entries()) group.lr = rates[i]!;
        };
        this.advance();
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

  /** Its position; the rates themselves are in the optimizer's state dict. */
  stateDict(): SchedulerState {
    return this.state();
  }

  /** Goes to a position. */
  loadStateDict(state: SchedulerState): void {
    this.check(state);
    this.restore(state);
  }

  protected state(): SchedulerState {
    return { lastEpoch: this.lastEpoch };
  }
  protected check(state: SchedulerState): void {
    if (!Number.isInteger(state?.lastEpoch) || state.lastEpoch < 0)
      throw new StateDictError(
        `loadStateDict: lastEpoch is ${state?.lastEpoch}; a schedule's state has a whole number from 0`,
      );
  }
  protected restore(state: SchedulerState): void {
    this.lastEpoch = state.lastEpoch;
  }
}

/** Throws unless a count is a whole number from 1. */
export function checkCount(schedule: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new ArgumentError(`${schedule}: ${name} is ${value}; it must be a whole number of at least 1`);
}

/** Throws unless a number lies in a range. */
export function checkRange(schedule: string, name: string, value: number, min: number, max: number): void {
  if (!(value >= min && value <= max))
    throw new ArgumentError(`${schedule}: ${name} is ${value}; it must be a number from ${min} to ${max}`);
}
