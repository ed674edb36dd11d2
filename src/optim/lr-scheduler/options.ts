import { ArgumentError } from "../../base/errors.ts";
import {
  type OptionCheck,
  optionProblem,
  refuseNoOptions,
  refuseUnknownOptions,
} from "../../base/options.ts";

/** For each option of a schedule, what it must be. */
type Checks<O extends object> = { readonly [K in keyof Required<O>]: OptionCheck };

/** A whole number of at least `min`. */
export const count =
  (min: number): OptionCheck =>
  (value: unknown) =>
    Number.isInteger(value) && (value as number) >= min ? null : `a whole number of at least ${min}`;

/** Whole numbers of at least `min`, in any order. */
export const counts =
  (min: number): OptionCheck =>
  (value: unknown) =>
    Array.isArray(value) && value.every((one) => Number.isInteger(one) && one >= min)
      ? null
      : `an array of whole numbers of at least ${min}`;

/** A function of the number of steps taken, or one for each group. */
export const functions: OptionCheck = (value: unknown) =>
  typeof value === "function" ||
  (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "function"))
    ? null
    : "a function of the number of steps taken, or an array of one for each group";

/** A finite number above `min`. */
export const above =
  (min: number): OptionCheck =>
  (value: unknown) =>
    Number.isFinite(value) && (value as number) > min ? null : `a number above ${min}`;

/** A finite number, or one for each group. */
export const numbers: OptionCheck = (value: unknown) =>
  Number.isFinite(value) || (Array.isArray(value) && value.every((one) => Number.isFinite(one)))
    ? null
    : "a number, or an array of one for each group";

/** One of some words. */
export const oneOf =
  (...words: readonly string[]): OptionCheck =>
  (value: unknown) =>
    words.includes(value as string) ? null : words.map((word) => `"${word}"`).join(" or ");

/** A value that may be left out, as null too. */
export const orNull =
  (check: OptionCheck): OptionCheck =>
  (value: never) => {
    const must = value === null ? null : check(value);
    return must === null ? null : `${must}, or null`;
  };

/** The option that every schedule has: the last step that has been taken. */
export const lastEpoch = count(-1);

/** What one value stands for in each group, or one value for each. */
export type PerGroup<T> = T | readonly T[];

/** The value of a group; throws where there are values for groups, and none for this. */
export function ofGroup<T>(schedule: string, option: string, values: PerGroup<T>, index: number): T {
  if (!Array.isArray(values)) return values as T;
  if (index < values.length) return values[index] as T;
  throw new ArgumentError(
    `${schedule}: ${option} has ${values.length} values, and there is a group ${index} now; make the schedule again after adding groups`,
  );
}

/** Throws where there is a value for each group, and not as many as groups. */
export function refuseOtherCounts(
  schedule: string,
  groups: readonly unknown[],
  options: Readonly<Record<string, unknown>>,
): void {
  for (const [option, values] of Object.entries(options))
    if (Array.isArray(values) && values.length !== groups.length)
      throw new ArgumentError(
        `${schedule}: ${option} has ${values.length} values, the optimizer ${groups.length} groups; give one for each, or one for all`,
      );
}

/** A schedule's options, checked, with the defaults of those that were not given. */
export function scheduleOptions<O extends object, D extends Partial<O>>(
  schedule: string,
  given: O | undefined,
  checks: Checks<O>,
  defaults: D,
): Required<O> {
  const names = Object.keys(checks) as (keyof O & string)[];
  if (given !== undefined) {
    refuseNoOptions(schedule, given, names);
    refuseUnknownOptions(schedule, given, names);
  }
  const options: Partial<O> = { ...defaults };
  for (const name of names) {
    const value = given?.[name];
    if (value !== undefined) options[name] = value;
    else if (options[name] === undefined)
      throw new ArgumentError(
        `${schedule}: ${name} is missing; it must be ${checks[name](undefined as never)}`,
      );
    const problem = optionProblem(name, options[name], checks[name]);
    if (problem !== null) throw new ArgumentError(`${schedule}: ${problem}`);
  }
  return options as Required<O>;
}
