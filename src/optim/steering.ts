/** A schedule, as far as the optimizer that it steers has to know it. */
export interface SteeringSchedule {
  readonly name: string;
  readonly lastEpoch: number;
}

/** How a schedule has been made. */
interface Made {
  /** Whether it was said where it is. */
  readonly isPlaced: boolean;
  /** What else than loading its state would say so, as the end of a sentence; null: nothing. */
  readonly otherStart: string | null;
  /** The schedules that it is made of, which are its own affair from now on. */
  readonly parts: readonly SteeringSchedule[];
}

/** A schedule that nothing has placed yet. */
interface Unplaced {
  readonly otherStart: string | null;
  /** The step at which it was made. */
  readonly madeAt: number;
  /** Whether the rates have been loaded, and are not those of its first step. */
  isBehind: boolean;
}

/** What is known of the schedules of some groups. */
interface Steered {
  /** Whether a schedule has taken a step, here or before they were saved. */
  isSteered: boolean;
  /** Whether they have been loaded, had been steered before, and nothing has been stepped since. */
  isResumed: boolean;
  readonly unplaced: Map<SteeringSchedule, Unplaced>;
}

/** By an optimizer's list of groups, which is the same one for good. */
const known = new WeakMap<object, Steered>();

function steeredOf(groups: object): Steered {
  let steered = known.get(groups);
  if (steered === undefined) {
    steered = { isSteered: false, isResumed: false, unplaced: new Map() };
    known.set(groups, steered);
  }
  return steered;
}

/** Notes a schedule that has been made. */
export function noteSchedule(
  groups: object,
  schedule: SteeringSchedule,
  { isPlaced, otherStart, parts }: Made,
): void {
  const steered = steeredOf(groups);
  for (const part of parts) steered.unplaced.delete(part);
  if (!isPlaced)
    steered.unplaced.set(schedule, {
      otherStart,
      madeAt: schedule.lastEpoch,
      isBehind: steered.isResumed,
    });
}

/** Notes that a schedule has been told where it is. */
export const notePlaced = (groups: object, schedule: SteeringSchedule): void =>
  void known.get(groups)?.unplaced.delete(schedule);

/** Notes that a schedule has taken a step. */
export function noteScheduleStep(groups: object, schedule: SteeringSchedule): void {
  const steered = steeredOf(groups);
  steered.isSteered = true;
  steered.unplaced.delete(schedule);
}

/** Whether a schedule has taken a step, so that its place is needed too to go on. */
export const isSteered = (groups: object): boolean => known.get(groups)?.isSteered ?? false;

/** Whether groups have been loaded with rates of a schedule under way, and nothing has been stepped since. */
export const isResumed = (groups: object): boolean => known.get(groups)?.isResumed ?? false;

/** What a state dict's rates tell of schedules. */
interface LoadedRates {
  /** Whether there was a schedule. */
  readonly hadSchedule: boolean;
  /** Whether it had taken a step. */
  readonly isSteered: boolean;
}

/** Notes that the rates of groups have been loaded. */
export function noteLoadedRates(groups: object, { hadSchedule, isSteered }: LoadedRates): void {
  const steered = steeredOf(groups);
  steered.isResumed = hadSchedule;
  steered.isSteered ||= isSteered;
  if (isSteered) for (const place of steered.unplaced.values()) place.isBehind = true;
}

/**
 * Says, once, which schedules begin anew although the rates that they steer were loaded from where schedules had been
 * under way. To be called where something is stepped.
 */
export function warnOfUnplaced(groups: object): void {
  const steered = known.get(groups);
  if (steered === undefined) return;
  // From here on a schedule that is made is made in the middle of this run, as it would be in one without an interruption.
  steered.isResumed = false;
  const behind = [...steered.unplaced].filter(
    ([{ lastEpoch }, { isBehind, madeAt }]) => isBehind && lastEpoch === madeAt,
  );
  if (behind.length === 0) return;
  for (const [schedule] of behind) steered.unplaced.delete(schedule);
  const names = behind.map(([{ name }]) => name);
  const others = new Set(behind.map(([, { otherStart }]) => otherStart).filter((one) => one !== null));
  const it = names.length === 1;
  console.warn(
    `thaw: ${names.join(", ")} ${it ? "begins" : "begin"} anew, on an optimizer that was loaded with the rates of a schedule under way: ` +
      `the state of ${it ? "the schedule" : "the schedules"} was not loaded, so rates need not be those of a run without the interruption. ` +
      "Save schedule.stateDict() with the optimizer, and give it to schedule.loadStateDict() before anything is stepped, as save and load do with { schedule }" +
      `${[...others].map((other) => `; or ${other}`).join("")}. (This is said once.)`,
  );
}
