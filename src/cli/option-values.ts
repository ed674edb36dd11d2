import { InvalidArgumentError } from "commander";

/** Gathers the values of an option that may be repeated. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** A parser of whole numbers of at least `least`. */
export function countFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
    return value;
  };
}

/** A parser of numbers that satisfy something, which `must` says. */
export function numberThat(is: (value: number) => boolean, must: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || !is(value))
      throw new InvalidArgumentError(`It must be ${must}.`);
    return value;
  };
}
