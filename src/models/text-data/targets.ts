import { DataError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import type { TextRecord } from "./records.ts";
import type { Target, TargetKind } from "./text-dataset.ts";

/** Targets of records, and what they are. */
export interface Targets {
  readonly kind: TargetKind;
  readonly labels: readonly string[];
  readonly targets: readonly Target[];
}

const isName = (value: unknown): value is string | number | boolean =>
  (typeof value === "string" && value !== "") || typeof value === "number" || typeof value === "boolean";

const isFraction = (value: unknown): boolean =>
  (typeof value === "number" && !Number.isInteger(value)) ||
  (typeof value === "string" && /^[-+]?\d*\.\d+(e[-+]?\d+)?$/i.test(value));

const isNumber = (value: unknown): boolean =>
  (typeof value === "number" || (typeof value === "string" && value.trim() !== "")) &&
  Number.isFinite(Number(value));

/** Whether lists say of each label whether a text has it, as rows of zeros and ones do, instead of naming labels. */
const areFlags = (lists: readonly (readonly unknown[])[]): boolean =>
  lists.every((list) => list.length === lists[0]!.length && list.every((x) => x === 0 || x === 1)) &&
  lists.some((list) => new Set(list).size < list.length);

/**
 * Reads the targets in a column: lists are tags where texts are words, and several classes otherwise; numbers of which one
 * has a fraction are numbers; all else is the name of a class. Names get numbers in their order, those that are whole
 * numbers by size; `given` labels have the numbers that they have.
 */
export function targetsOf(
  path: string,
  records: readonly TextRecord[],
  column: string,
  isWords: boolean,
  given: readonly string[] | undefined,
  asNumber: boolean | undefined,
): Targets {
  const values = records.map(({ values }) => values[column]);
  const refuse = (i: number, must: string): never => {
    const text = printable(JSON.stringify(values[i]) ?? "not there").slice(0, 60);
    throw new DataError(`${path}, ${records[i]!.place}: ${column} is ${text}; ${must}`);
  };
  const areLists = values.some(Array.isArray);
  if (isWords || areLists) {
    for (const [i, value] of values.entries())
      if (!Array.isArray(value) || !value.every(isName))
        refuse(i, "it must be a list of labels, as others are");
    const lists = values as (string | number)[][];
    if (!isWords && areFlags(lists))
      refuse(0, "as all others it has only zeros and ones; it must be a list of the labels that a text has");
    const { labels, numberOf } = numbersOf(path, column, lists.flat().map(String), given);
    return {
      kind: isWords ? "tags" : "classes",
      labels,
      targets: lists.map((list, i) => {
        const numbers = list.map((name) => numberOf(String(name), records[i]!.place));
        return isWords ? numbers : [...new Set(numbers)];
      }),
    };
  }
  if (
    asNumber ??
    (given === undefined &&
      values.every((value) => typeof value === "number" || isNumber(value)) &&
      values.some(isFraction))
  ) {
    for (const [i, value] of values.entries()) if (!isNumber(value)) refuse(i, "it must be a finite number");
    return { kind: "number", labels: [], targets: values.map(Number) };
  }
  for (const [i, value] of values.entries()) if (!isName(value)) refuse(i, "it must name a class");
  const { labels, numberOf } = numbersOf(path, column, values.map(String), given);
  return { kind: "class", labels, targets: values.map((v, i) => numberOf(String(v), records[i]!.place)) };
}

function numbersOf(
  path: string,
  column: string,
  names: readonly string[],
  given: readonly string[] | undefined,
) {
  const found = [...new Set(names)];
  const areNumbers = found.every((name) => /^-?\d{1,15}$/.test(name));
  const labels =
    given ?? found.sort(areNumbers ? (a, b) => Number(a) - Number(b) : (a, b) => (a < b ? -1 : 1));
  const numbers = new Map(labels.map((label, i) => [label, i]));
  const numberOf = (name: string, place: string): number =>
    numbers.get(name) ??
    (() => {
      throw new DataError(
        `${path}, ${place}: ${column} is ${JSON.stringify(printable(name))}, which is none of the labels ${labels.map((label) => JSON.stringify(label)).join(", ")}`,
      );
    })();
  return { labels, numberOf };
}
