import { expect } from "vitest";
import type { TypedArray } from "../../src/base/dtype.ts";
import type { Call } from "./loop-call.ts";

/**
 * How close results are to those of plain loops: the same, as many digits after the point, or within four units in
 * the last place of the dtype.
 */
export type Closeness = "same" | "units" | number;

/** A call of a loop kernel whose results plain loops over elements give too. */
export interface LoopCase {
  /** What it is about; several cases have the same title. */
  readonly title: string;
  readonly call: Call;
  readonly buffers: readonly TypedArray[];
  readonly closeness: Closeness;
}

/** Collects cases under titles, as `describe` and `test.each` do tests, for tests of several targets. */
export class CaseList {
  readonly cases: LoopCase[] = [];
  #titles: readonly string[] = [];

  /** What `make` adds has this in its title. */
  about(title: string, make: () => void): void {
    const before = this.#titles;
    this.#titles = [...before, title];
    make();
    this.#titles = before;
  }

  /** The same for each of some values. */
  each<T>(values: readonly T[], title: string, make: (value: T) => void): void {
    this.about(title, () => {
      for (const value of values) make(value);
    });
  }

  /** Adds a case. */
  check(call: Call, buffers: readonly TypedArray[], closeness: Closeness = "same"): void {
    this.cases.push({ title: this.#titles.join(": "), call, buffers, closeness });
  }
}

function near(got: number, expected: number, wide: boolean): boolean {
  const [unit, least] = wide ? [2 ** -52, 2 ** -1073] : [2 ** -23, 2 ** -148];
  return Number.isFinite(got) && Math.abs(got - expected) <= 4 * unit * Math.abs(expected) + least;
}

/** Fails where results are not as close as a case says. */
export function expectClose(
  { title, closeness }: LoopCase,
  got: readonly TypedArray[],
  expected: readonly TypedArray[],
): void {
  for (const [b, values] of got.entries()) {
    if (closeness === "same") expect(values, title).toEqual(expected[b]);
    else
      for (const [i, g] of values.entries()) {
        const e = expected[b]![i]!;
        const where = `${title}, element ${i}`;
        if (closeness !== "units") expect(g, where).toBeCloseTo(e, closeness);
        else if (!Object.is(g, e) && !near(g, e, values instanceof Float64Array)) expect(g, where).toBe(e);
      }
  }
}
