import { ArgumentError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import { isPlain } from "./plain.ts";

/** A check of an option's value: what it must be, or null where it is fine. */
export type OptionCheck = (value: never) => string | null;

/** A finite number of at least `min`. */
export const atLeast =
  (min: number) =>
  (value: number): string | null =>
    Number.isFinite(value) && value >= min ? null : `a number of at least ${min}`;

/** A whole number of at least `min`. */
export const wholeFrom =
  (min: number) =>
  (value: number): string | null =>
    Number.isSafeInteger(value) && value >= min ? null : `a whole number from ${min} on`;

/** A number from `min` to `max`, both included. */
export const between =
  (min: number, max: number) =>
  (value: number): string | null =>
    typeof value === "number" && value >= min && value <= max ? null : `a number from ${min} to ${max}`;

/** Any whole number. */
export const wholeNumber = (value: number): string | null =>
  Number.isSafeInteger(value) ? null : "a whole number";

/** Any finite number. */
export const anyNumber = (value: number): string | null => (Number.isFinite(value) ? null : "a number");

/** Two rates, each of at least 0 and below 1. */
export const twoRates = (value: readonly number[]): string | null =>
  Array.isArray(value) && value.length === 2 && value.every((b) => typeof b === "number" && b >= 0 && b < 1)
    ? null
    : "two numbers, each at least 0 and below 1";

/** True or false. */
export const flag = (value: boolean): string | null => (typeof value === "boolean" ? null : "true or false");

/** A value as errors show it: what is no plain data, such as a module, by its class. */
function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return `[${value.map(shown).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const made = value.constructor;
    if (typeof made === "function" && made !== Object) return `a ${made.name || "value"}`;
    return `{ ${Object.keys(value).join(", ")} }`;
  }
  // JSON has neither NaN nor infinity.
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return JSON.stringify(value) ?? String(value);
}

/** What is wrong with an option's value, or null. */
export function optionProblem(name: string, value: unknown, check: OptionCheck | undefined): string | null {
  const must = check?.(value as never) ?? null;
  return must === null ? null : `${name} is ${shown(value)}; it must be ${must}`;
}

/** Throws `ArgumentError` where options are no object with names: a number, say, as PyTorch takes one by its place. */
export function refuseNoOptions(what: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new ArgumentError(
      `${what}: its options are ${shown(given)}; give an object: { ${known.join(", ")} }`,
    );
}

/** Throws `ArgumentError` for an option that there is not. */
export function refuseUnknownOptions(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new ArgumentError(
      `${what}: there is no option ${unknown.join(", ")}; there are ${known.join(", ")}, of which ` +
        `${nearest(unknown[0]!, known, 1)[0]} is nearest ` +
        `(given: ${unknown.map((name) => `${name}: ${shown(given[name as never])}`).join(", ")})`,
    );
}

/**
 * Throws `ArgumentError` where options are no object, have one that there is not, or one that cannot be; null stands for
 * a check that is done elsewhere. An object of a class, as a configuration that has options as fields, may have other
 * fields too. An option that is forgotten here does not compile.
 */
export function refuseOptions<O extends object>(
  what: string,
  given: O,
  checks: { readonly [K in keyof Required<O>]: OptionCheck | null },
): void {
  const names = Object.keys(checks) as (keyof O & string)[];
  refuseNoOptions(what, given, names);
  if (isPlain(given)) refuseUnknownOptions(what, given, names);
  for (const name of names) {
    if (given[name] === undefined) continue;
    const problem = optionProblem(name, given[name], checks[name] ?? undefined);
    if (problem !== null) throw new ArgumentError(`${what}: ${problem}`);
  }
}
