import { ArgumentError } from "../../base/errors.ts";
import { type OptionCheck, optionProblem, refuseNoOptions, refuseUnknownOptions } from "../options.ts";

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

/** A function. */
export const aFunction: OptionCheck = (value: unknown) =>
  typeof value === "function" ? null : "a function of the number of steps taken";

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
