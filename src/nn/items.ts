import { ArgumentError, IndexError } from "../base/errors.ts";
import { bumpEpoch, Cell } from "../engine/cell.ts";
import { Watched } from "./watched.ts";

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

/** Under this a container has what it holds: in no private field, so that `clone` finds it. */
export const items = Symbol("items");

/** What a container of modules or parameters holds. */
export class Items<C extends object> {
  readonly #held: C;
  readonly #changes = new Cell(0);

  constructor(held: C) {
    this.#held = held;
  }
  /** The items, for a recording that then depends on which they are. */
  read(): C {
    void this.#changes.value;
    return this.#held;
  }
  /** Changes which they are. */
  change<R>(how: (held: C) => R): R {
    const result = how(this.#held);
    this.#changes.value++;
    bumpEpoch();
    return result;
  }
}

/** Throws for a name that cannot be part of a path. */
export function requireName(op: string, name: string): void {
  if (name === "" || name.includes("."))
    throw new ArgumentError(
      `${op}: "${name}" cannot be a name: it would be part of paths, so it is not empty and has no dot`,
    );
}

/** The item of a name; throws `ArgumentError` where there is none. */
export function named<T>(op: string, what: string, items: ReadonlyMap<string, T>, name: string): T {
  const found = items.get(name);
  if (found === undefined)
    throw new ArgumentError(
      `${op}: no ${what} is called "${name}"; there are ${[...items.keys()].join(", ") || "none"}`,
    );
  return found;
}

/** Throws for what is put among modules and is none. */
export function requireModule(op: string, item: unknown): void {
  // Modules are all that is watched: to import their class would close a circle.
  if (!(item instanceof Watched))
    throw new ArgumentError(
      `${op}: ${describe(item)} is no module; wrap a function in a class that extends nn.Module`,
    );
}

const describe = (item: unknown): string => {
  if (typeof item === "function") return `the function or class ${item.name || "without a name"}`;
  return typeof item === "object" && item !== null ? `a ${item.constructor?.name ?? "object"}` : String(item);
};
