import { ArgumentError, IndexError } from "../base/errors.ts";
import { Module } from "./module.ts";

/**
 * The place that an index means among `count` of them, negative ones counted from the end (from `end`, where that is not
 * `count`); throws `IndexError` for none.
 */
export function placeIn(op: string, index: number, count: number, end = count): number {
  const place = index < 0 ? index + end : index;
  if (!Number.isInteger(index) || place < 0 || place >= count)
    throw new IndexError(
      count === 0
        ? `${op}: index ${index}, and it is empty`
        : `${op}: index ${index}; it is from ${-end} to ${count - 1}`,
    );
  return place;
}

/** Throws for what is put among modules and is none. */
export function requireModule(op: string, item: unknown): void {
  if (!(item instanceof Module))
    throw new ArgumentError(
      `${op}: ${describe(item)} is no module; wrap a function in a class that extends nn.Module`,
    );
}

const describe = (item: unknown): string => {
  if (typeof item === "function") return `the function or class ${item.name || "without a name"}`;
  return typeof item === "object" && item !== null ? `a ${item.constructor?.name ?? "object"}` : String(item);
};
