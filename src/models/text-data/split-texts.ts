import { ArgumentError, DataError } from "../../base/errors.ts";
import { flag, refuseOptions, wholeNumber } from "../../base/options.ts";
import { permutation } from "../../data/shuffle.ts";
import type { TextDataset } from "./text-dataset.ts";

/** How texts are dealt out. */
export interface SplitOptions {
  /** What part of the texts is for tests: more than 0 and less than 1. */
  readonly test: number;
  /** Whether each label has that part of its texts there; false. */
  readonly stratify?: boolean;
  /** The same one deals the same way; 0. */
  readonly seed?: number;
}

/** Throws `ArgumentError` for options that there are not, or that cannot be. */
export function refuseSplitOptions(options: SplitOptions): void {
  refuseOptions("split", options, { test: null, stratify: flag, seed: wholeNumber });
  const { test } = options;
  if (!(test > 0 && test < 1))
    throw new ArgumentError(`split: test is ${test}; it is a part, more than 0 and less than 1`);
}

/**
 * Deals texts out for training and for tests. Texts that are there more than once are all on one side, so that nothing that
 * is tested has been trained on.
 */
export function splitTexts(
  dataset: TextDataset,
  options: SplitOptions,
): { train: TextDataset; test: TextDataset } {
  refuseSplitOptions(options);
  const { test, stratify = false, seed = 0 } = options;
  if (stratify && dataset.kind !== "class")
    throw new ArgumentError(
      'split: stratify needs one class a text; leave it out, or name a column of classes as "label"',
    );
  const strata = new Map<unknown, number[][]>();
  for (const group of groupsOf(dataset)) {
    const stratum = stratify ? dataset.examples[group[0]!]!.target : null;
    strata.set(stratum, [...(strata.get(stratum) ?? []), group]);
  }
  const chosen: number[] = [];
  for (const [stratum, groups] of strata) {
    if (stratify && groups.length < 2)
      throw new DataError(
        `split: the label ${JSON.stringify(dataset.labels[stratum as number])} has one text, which cannot be on both sides; leave it out, or stratify: false`,
      );
    const rows = groups.reduce((sum, group) => sum + group.length, 0);
    const order = permutation(groups.length, seed, typeof stratum === "number" ? stratum + 1 : 0);
    let taken = 0;
    // At least one group on each side.
    for (const at of order.subarray(0, groups.length - 1)) {
      const size = groups[at]!.length;
      if (taken > 0 && taken + size / 2 > rows * test) break;
      chosen.push(...groups[at]!);
      taken += size;
    }
  }
  const isTest = new Set(chosen);
  if (isTest.size === 0)
    throw new DataError("split: all texts are the same one; there is nothing to test with");
  const numbers = dataset.examples.map((_, i) => i);
  return {
    train: dataset.some(numbers.filter((i) => !isTest.has(i))),
    test: dataset.some(numbers.filter((i) => isTest.has(i))),
  };
}

/** Whether each class has two texts, of those that are there once or more, so that both sides can have one. */
export function canStratify(dataset: TextDataset): boolean {
  const counts = new Map<unknown, number>();
  for (const [first] of groupsOf(dataset)) {
    const { target } = dataset.examples[first!]!;
    counts.set(target, (counts.get(target) ?? 0) + 1);
  }
  return dataset.kind === "class" && [...counts.values()].every((count) => count > 1);
}

/** The numbers of examples with the same text, in the order of the first of each. */
function groupsOf({ examples }: TextDataset): number[][] {
  const groups = new Map<string, number[]>();
  for (const [i, { text }] of examples.entries()) {
    const key = JSON.stringify(text);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i]);
    else group.push(i);
  }
  return [...groups.values()];
}
