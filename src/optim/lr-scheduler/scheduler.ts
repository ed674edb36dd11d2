import { ArgumentError, StateDictError } from "../../base/errors.ts";
import { currentTrace, hostEffect } from "../../engine/trace.ts";
import { steer } from "../param-group.ts";
import { isResumed, notePlaced, noteSchedule, noteScheduleStep, warnOfUnplaced } from "../steering.ts";
import {
  type RateGroup,
  rememberRates,
  restoreRates,
  type SavedRate,
  savedRate,
  setMomentum,
  wrongRates,
} from "./rates.ts";

/** What has groups with a learning rate: every optimizer. */
export interface Schedulable {
  readonly paramGroups: readonly RateGroup[];
}

/** What a schedule counts beside its steps, as plain data. */
export type Counters = Readonly<Record<string, number | string>>;

/** A schedule's position. */
interface Position {
  lastEpoch: number;
  /** What else it counts. */
  counters?: Counters;
  /** The rates that groups started from, where a later schedule has given them others. */
  bases?: readonly number[];
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
 * state dict sets the rates as they were when that is loaded, before the optimizer's or after it. Most take `lastEpoch`,
 * where the groups have an `initialLr` of an earlier schedule: n - 1 after n steps, -1 to begin anew (the default). Where
 * an optimizer has been loaded and its schedule has neither, a warning says so once.
 */
export abstract class LRScheduler {
  /** What it steers. */
  readonly optimizer: Schedulable;
  /** How many steps it has taken. */
  lastEpoch = 0;
  /** The rates before this schedule was made: those of an optimizer that had been loaded already. */
  readonly #ratesBefore: readonly number[];
  #lastLr: readonly number[];
  /** Whether it was said where it is: by `lastEpoch`, a loaded state or a step to an epoch. */
  #isPlaced: boolean;
  /** The rates that groups started from when this schedule was made, where a later one has given them others. */
  readonly #bases = new Map<RateGroup, number>();

  /** `lastEpoch`: that of the schedule's options. */
  constructor(optimizer: Schedulable, lastEpoch?: number) {
    if (!Array.isArray(optimizer?.paramGroups))
      throw new ArgumentError(
        `${this.name}: the first argument is ${optimizer === null ? "null" : typeof optimizer}, which is no optimizer: it has no paramGroups`,
      );
    this.optimizer = optimizer;
    this.#ratesBefore = this.rates();
    this.#lastLr = this.#ratesBefore;
    this.#isPlaced = lastEpoch !== undefined;
  }

  /** What errors call it, and its state dict. */
  get name(): string {
    return this.constructor.name;
  }

  /** Whether it was said where it is, and with it all that it is made of. */
  protected get isPlaced(): boolean {
    return this.#isPlaced;
  }

  /** Whether all that it is made of was said where it is. */
  protected get partsArePlaced(): boolean {
    return this.parts.every((part) => part.isPlaced);
  }

  /**
   * Has the optimizer know of it, at the end of its constructor. `otherStart` is what else than loading its state would
   * place it on a resumed optimizer, as the end of a sentence; null: nothing.
   */
  protected steerFromHere(isPlaced: boolean, otherStart: string | null): void {
    this.#isPlaced = isPlaced;
    noteSchedule(this.optimizer.paramGroups, this, { isPlaced, otherStart, parts: this.parts });
  }

  #place(): void {
    this.#isPlaced = true;
    notePlaced(this.optimizer.paramGroups, this);
  }

  /** The schedules that it is made of. */
  protected get parts(): readonly LRScheduler[] {
    return [];
  }

  /** The rates of all groups. */
  protected rates(): number[] {
    return this.optimizer.paramGroups.map(({ lr }) => lr);
  }

  /** The rate that a group started from, as far as this schedule knows. */
  protected base(group: RateGroup): number {
    return this.#bases.get(group) ?? group.initialLr ?? group.lr;
  }

  /** The rate of a group at `lastEpoch`, given the one before in `group.lr`; `initial` where the schedule is made. */
  protected abstract next(group: RateGroup, initial: boolean, index: number): number;

  /** The rate at `lastEpoch` by what the group started from alone; null where there is only `next`. */
  protected closed(_group: RateGroup): number | null {
    return null;
  }

  /** Whether it, or one of its parts, sets momenta too. */
  protected get cyclesMomentum(): boolean {
    return this.parts.some((part) => part.cyclesMomentum);
  }

  /** The momentum of a group at `lastEpoch`, where it sets momenta; null: it is let be. */
  protected momentum(_index: number): number | null {
    return null;
  }

  /** What it counts beside its steps, to be saved. */
  protected get counters(): Counters | undefined {
    return undefined;
  }
  protected set counters(_: Counters | undefined) {}

  /** What is wrong with counters of a state dict, or null. */
  protected wrongCounters(_: Counters | undefined): string | null {
    return null;
  }

  /** Goes on after `lastEpoch`, once `prepare` has set what a first start sets. If that fails, nothing has changed. */
  protected begin(lastEpoch: number, prepare: (group: RateGroup, index: number) => void = () => {}): void {
    const groups = this.optimizer.paramGroups;
    const strange = groups.findIndex((group) => group.initialLr === undefined);
    if (lastEpoch >= 0 && strange >= 0)
      throw new ArgumentError(
        `${this.name}: lastEpoch is ${lastEpoch}, and group ${strange} has no initialLr to go on from; load the optimizer's state first, or leave lastEpoch out`,
      );
    const undo = rememberRates(groups);
    try {
      if (lastEpoch < 0) for (const [i, group] of groups.entries()) prepare(group, i);
      this.lastEpoch = lastEpoch;
      for (const group of groups) this.#bases.set(group, (group.initialLr ??= group.lr));
      this.start();
    } catch (error) {
      undo();
      throw error;
    }
    this.steerFromHere(
      this.#isPlaced,
      "make it with lastEpoch: n - 1, where it had taken n steps, or with lastEpoch: -1 to begin anew on purpose",
    );
  }

  /** Takes the step that sets the first rates. */
  start(): void {
    this.lastEpoch++;
    // Rates from a file are those of this step already; a schedule without a closed form computes them from the step alone.
    const isSet = this.lastEpoch > 0 && isResumed(this.optimizer.paramGroups);
    this.#set((group, i) => (isSet && this.closed(group) !== null ? group.lr : this.next(group, true, i)));
  }

  /** Takes back the count of the first step, for one that is started again by what it is a part of. */
  retreat(): void {
    this.lastEpoch--;
  }

  /** Starts from the first rate while training is under way, at the milestone of a sequence. */
  restart(): void {
    this.jump(0);
  }

  /** Sets the rates of an epoch, wherever the schedule is. */
  protected jump(epoch: number): void {
    this.lastEpoch = epoch;
    this.#set((group, i) => this.closed(group) ?? this.next(group, false, i));
  }

  /**
   * Moves on by one; where a rate cannot be set, nothing has changed. With `epoch` it moves there, as PyTorch's
   * deprecated argument does.
   */
  step(epoch?: number): void {
    if (epoch !== undefined) {
      this.checkEpoch(epoch);
      this.#place();
    }
    this.take(() => (epoch === undefined ? this.advance() : this.jump(epoch)));
  }

  /** Refuses an epoch that it cannot go to. */
  protected checkEpoch(epoch: number): void {
    if (this.parts.length > 0)
      throw new ArgumentError(
        `${this.name}: step() takes no epoch, for its parts are at epochs of their own`,
      );
    if (!Number.isInteger(epoch) || epoch < 0)
      throw new ArgumentError(
        `${this.name}: step(${String(epoch)}); an epoch is a whole number from 0, and is best left out`,
      );
  }

  /** Carries out a step, now or whenever the step that is being recorded is; if it fails, nothing has changed. */
  protected take(move: () => void): void {
    let undo = (): void => {};
    const effect = {
      apply: () => {
        warnOfUnplaced(this.optimizer.paramGroups);
        const rates = rememberRates(this.optimizer.paramGroups);
        const position = this.#position();
        const lastLr = this.#lastLr;
        undo = () => {
          this.#moveTo(position);
          rates();
          this.#lastLr = lastLr;
        };
        try {
          move();
        } catch (error) {
          undo();
          throw error;
        }
        noteScheduleStep(this.optimizer.paramGroups, this);
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
    this.#set((group, i) => this.next(group, false, i));
  }

  /** Sets what a rule gives for each group, all or none. */
  #set(rule: (group: RateGroup, index: number) => number): void {
    const groups = this.optimizer.paramGroups;
    for (const group of groups) group.initialLr ??= group.lr;
    const rates = groups.map(rule);
    const momenta = groups.map((_, i) => this.momentum(i));
    for (const [i, rate] of rates.entries())
      if (!Number.isFinite(rate) || !Number.isFinite(momenta[i] ?? 0))
        throw new ArgumentError(
          `${this.name}: at step ${this.lastEpoch} group ${i} would get a rate of ${rate}` +
            `${momenta[i] === null ? "" : ` and a momentum of ${momenta[i]}`}; its options divide by 0 or leave the range of numbers there`,
        );
    for (const [i, group] of groups.entries()) {
      steer(group, "lr", rates[i]);
      if (momenta[i] != null) setMomentum(group, momenta[i]!);
    }
    this.noteRates();
  }

  /** Notes the rates that there are as those it has set. */
  protected noteRates(): void {
    this.#lastLr = this.rates();
  }

  /** The rates that it last set. */
  getLastLr(): number[] {
    return [...this.#lastLr];
  }

  /** Its position, and the rates. */
  stateDict(): SchedulerState {
    return {
      ...this.#state(),
      rates: this.optimizer.paramGroups.map((group) => savedRate(group, this.cyclesMomentum)),
    };
  }

  #state(): SchedulerState {
    const schedules = this.parts.map((part) => part.#state());
    const { counters } = this;
    const groups = this.optimizer.paramGroups;
    const bases = groups.map((group) => this.base(group));
    const isOwn = groups.some((group, i) => bases[i] !== (group.initialLr ?? group.lr));
    return {
      schedule: this.name,
      // A part whose turn has not come stands before its first step, and starts at 0 whatever is said of it.
      lastEpoch: Math.max(0, this.lastEpoch),
      ...(counters !== undefined && { counters }),
      ...(isOwn && { bases }),
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
    this.#settle(state);
    this.#place();
  }

  /** Takes the rates that have been loaded as those it has set, and those it started from. */
  #settle({ bases, schedules }: SchedulerState): void {
    this.noteRates();
    this.#bases.clear();
    for (const [i, base] of (bases ?? []).entries()) this.#bases.set(this.optimizer.paramGroups[i]!, base);
    for (const [i, part] of this.parts.entries()) part.#settle(schedules![i]!);
  }

  #allRatesBefore(): (readonly number[])[] {
    return [this.#ratesBefore, ...this.parts.flatMap((part) => part.#allRatesBefore())];
  }

  #check(state: SchedulerState): void {
    if (typeof state !== "object" || state === null)
      throw new StateDictError(`loadStateDict: the state of ${this.name} is ${String(state)}, not an object`);
    const { schedule, lastEpoch, schedules = [], counters, bases } = state;
    if (schedule !== undefined && schedule !== this.name)
      throw new StateDictError(`loadStateDict: the state is of ${String(schedule)}, this is ${this.name}`);
    if (!Number.isInteger(lastEpoch) || lastEpoch < 0)
      throw new StateDictError(
        `loadStateDict: lastEpoch is ${String(lastEpoch)}; a schedule's state has a whole number from 0`,
      );
    const wrong = this.wrongCounters(counters);
    if (wrong !== null) throw new StateDictError(`loadStateDict: the state of ${this.name} ${wrong}`);
    const groups = this.optimizer.paramGroups.length;
    if (
      bases !== undefined &&
      !(Array.isArray(bases) && bases.length === groups && bases.every(Number.isFinite))
    )
      throw new StateDictError(
        `loadStateDict: the bases of ${this.name} are ${String(bases)}, not a number for each of ${groups} groups`,
      );
    if (!Array.isArray(schedules) || schedules.length !== this.parts.length)
      throw new StateDictError(
        `loadStateDict: the state is of ${schedules?.length ?? 0} schedules in sequence, this of ${this.parts.length}`,
      );
    for (const [i, part] of this.parts.entries()) part.#check(schedules[i]!);
  }

  #position(): Position {
    const { counters } = this;
    return {
      lastEpoch: this.lastEpoch,
      ...(counters !== undefined && { counters }),
      schedules: this.parts.map((part) => part.#position()),
    };
  }

  #moveTo({ lastEpoch, counters, schedules }: Position): void {
    this.lastEpoch = lastEpoch;
    this.counters = counters;
    for (const [i, part] of this.parts.entries()) part.#moveTo(schedules![i]!);
  }
}
