import { ArgumentError } from "../base/errors.ts";

/** A check of an option's value: what it must be, or null where it is fine. */
export type OptionCheck = (value: never) => string | null;

/** A number of at least `min`. */
export const atLeast =
  (min: number) =>
  (value: number): string | null =>
    typeof value === "number" && value >= min ? null : `a number of at least ${min}`;

/** A number from `min` to `max`, both included. */
export const between =
  (min: number, max: number) =>
  (value: number): string | null =>
    typeof value === "number" && value >= min && value <= max ? null : `a number from ${min} to ${max}`;

/** Any number but NaN. */
export const anyNumber = (value: number): string | null =>
  typeof value === "number" && !Number.isNaN(value) ? null : "a number";

/** Two rates, each of at least 0 and below 1. */
export const twoRates = (value: readonly number[]): string | null =>
  Array.isArray(value) && value.length === 2 && value.every((b) => typeof b === "number" && b >= 0 && b < 1)
    ? null
    : "two numbers, each at least 0 and below 1";

/** True or false. */
export const flag = (value: boolean): string | null => (typeof value === "boolean" ? null : "true or false");

/** What is wrong with an option's value, or null. */
export function optionProblem(name: string, value: unknown, check: OptionCheck | undefined): string | null {
  const must = check?.(value as never) ?? null;
  if (must === null) return null;
  const shown = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return `${name} is ${shown}; it must be ${must}`;
}

/** Throws `ArgumentError` for an option that an optimizer does not have. */
export function refuseUnknownOptions(optimizer: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new ArgumentError(
      `${optimizer}: there is no option ${unknown.join(", ")}; there are ${known.join(", ")}`,
    );
}
