import { tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, StateDictError } from "../../src/base/errors.ts";
import { DataLoader, type DataLoaderOptions, mix, TensorDataset } from "../../src/data/index.ts";

const rows = (n: number, from = 0) =>
  new TensorDataset(tensor(Array.from({ length: n }, (_, i) => from + i)));
const ranksOf = (size: number) => Array.from({ length: size }, (_, rank) => ({ rank, size }));
type Loader = DataLoader<readonly ReturnType<typeof tensor>[]>;
const loaders = (n: number, size: number, options: DataLoaderOptions): Loader[] =>
  ranksOf(size).map((group) => new DataLoader(rows(n), { shuffle: true, seed: 3, ...options, group }));
const pass = (loader: Loader) => Array.from(loader, ([x]) => [...x!.dataSync()]);
/** Batches of all ranks, each with its rows in the order of the pass. */
const joined = (parts: readonly number[][][]) =>
  parts[0]!.map((_, batch) => {
    const own = parts.map((part) => part[batch]!);
    return Array.from({ length: own[0]!.length }, (_, i) =>
      own.flatMap((share) => share.slice(i, i + 1)),
    ).flat();
  });
const sorted = (all: readonly number[]) => all.toSorted((a, b) => a - b);

describe.each([1, 2, 3, 4])("%i ranks", (size) => {
  test("have every row once in a pass, in as many batches, none of them empty", () => {
    for (const splitBatches of [false, true])
      for (let n = size; n < 30; n++)
        for (const batchSize of splitBatches ? [4, 5, 6] : [1, 2, 3]) {
          const all = loaders(n, size, { batchSize, splitBatches });
          for (let epoch = 0; epoch < 2; epoch++) {
            const parts = all.map(pass);
            expect(parts.map((part) => part.length)).toEqual(all.map(({ length }) => length));
            expect(new Set(parts.map((part) => part.length)).size).toBe(1);
            expect(Math.min(...parts.flat().map((batch) => batch.length))).toBeGreaterThan(0);
            expect(sorted(parts.flat(2))).toEqual(Array.from({ length: n }, (_, i) => i));
            const counts = parts.map((part) => part.at(-1)!.length);
            expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
          }
        }
  });

  test("have batches of the same rows as one, where batches are split", () => {
    for (const n of [24, 23, 21]) {
      const options = { batchSize: 4, splitBatches: true };
      const alone = loaders(n, 1, options)[0]!;
      const all = loaders(n, size, options);
      for (let epoch = 0; epoch < 2; epoch++) {
        const [whole, parts] = [pass(alone), joined(all.map(pass))];
        expect(parts.flat()).toEqual(whole.flat());
        // A rest of fewer rows than ranks is in the batch before.
        if (n % 4 === 0 || n % 4 >= size) expect(parts).toEqual(whole);
        else expect(parts.slice(0, -1)).toEqual(whole.slice(0, -2));
      }
    }
  });

  test("have full batches only, with dropLast", () => {
    const parts = loaders(4 * size + 1, size, { batchSize: 2, dropLast: true }).map(pass);
    expect(parts.flat().map((batch) => batch.length)).toEqual(Array(2 * size).fill(2));
    expect(new Set(parts.flat(2)).size).toBe(4 * size);
  });

  test.each([1, 2, 3])("go on after any batch as %i", (others) => {
    for (const n of [24, 21, 22]) {
      const options = { batchSize: 4, splitBatches: true };
      const before = loaders(n, size, options);
      const iterators = before.map((loader) => loader[Symbol.iterator]());
      const had: number[][] = [];
      for (;;) {
        const state = JSON.parse(JSON.stringify(before[0]!.stateDict()));
        const after = loaders(n, others, options);
        const left = n - had.flat().length;
        if (left > 0 && had.length > 0 && left < others)
          expect(() => after[0]!.loadStateDict(state)).toThrow(
            `${left} rows of the pass are left, which cannot be shared out among ${others} ranks`,
          );
        else {
          for (const loader of after) loader.loadStateDict(state);
          expect(sorted([...had.flat(), ...joined(after.map(pass)).flat()])).toEqual(
            Array.from({ length: n }, (_, i) => i),
          );
        }
        const next = iterators.map((iterator) => iterator.next());
        if (next[0]!.done) break;
        had.push(next.flatMap(({ value }) => [...value[0]!.dataSync()]));
      }
    }
  });
});

test("a rank's rows are those of DistributedSampler, and a position of other batches is refused", () => {
  const [first, second] = loaders(10, 2, { batchSize: 2, shuffle: false }) as [Loader, Loader];
  expect(pass(first)).toEqual([[0, 2], [4, 6], [8]]);
  expect(pass(second)).toEqual([[1, 3], [5, 7], [9]]);
  first[Symbol.iterator]().next();
  expect(first.stateDict()).toMatchObject({ epoch: 1, batch: 1, batchSize: 4, ranks: 2 });
  const other = new DataLoader(rows(10), { batchSize: 2, group: { rank: 0, size: 3 } });
  expect(() => other.loadStateDict(first.stateDict())).toThrow(StateDictError);
  expect(() => other.loadStateDict(first.stateDict())).toThrow(
    "batchSize was 4 and is 6 (batchSize is that of all ranks together)",
  );
});

test("a group of one does as none, and has its state", () => {
  const made = [{}, { group: { rank: 0, size: 1 } }, { splitBatches: true }].map(
    (more) => new DataLoader(rows(7), { batchSize: 2, shuffle: true, ...more }),
  );
  const [plain, ...others] = made.map((loader) => [pass(loader), loader.stateDict(), loader.group]);
  for (const other of others) expect(other).toEqual(plain);
});

describe("a mix", () => {
  test("shares its loaders out, in one order of tasks, and leaves those that it was given", () => {
    const make = (group?: { rank: number; size: number }) => {
      const a = new DataLoader(rows(12), { batchSize: 2, shuffle: true });
      const b = new DataLoader(rows(9, 100), { batchSize: 3, shuffle: true, ...(group && { group }) });
      return mix({ a, b }, { seed: 1, stop: "once", ...(group && { group }) });
    };
    const parts = ranksOf(2).map((group) =>
      Array.from(make(group), ([task, [x]]) => [task, [...x!.dataSync()]] as const),
    );
    expect(parts[0]!.map(([task]) => task)).toEqual(parts[1]!.map(([task]) => task));
    expect(sorted(parts.flat().flatMap(([, own]) => own))).toEqual([
      ...Array.from({ length: 12 }, (_, i) => i),
      ...Array.from({ length: 9 }, (_, i) => 100 + i),
    ]);
    const given = new DataLoader(rows(4));
    const { sources } = mix({ given }, { group: { rank: 1, size: 2 } });
    expect([given.group, sources.given.length, given.length]).toEqual([null, 2, 4]);
    // It goes on where it stood.
    const [one, other] = [make({ rank: 1, size: 2 }), make({ rank: 1, size: 2 })];
    const iterator = one[Symbol.iterator]();
    for (let i = 0; i < 3; i++) iterator.next();
    other.loadStateDict(JSON.parse(JSON.stringify(one.stateDict())));
    expect(Array.from(other, ([task, [x]]) => [task, [...x!.dataSync()]])).toEqual(parts[1]!.slice(3));
  });

  test("says which source cannot be shared out", () => {
    expect(() => mix({ a: [1, 2] }, { group: { rank: 0, size: 2 } })).toThrow(
      'the source of "a" is no DataLoader, and cannot be shared out among ranks',
    );
  });
});

test("what cannot be shared out is said", () => {
  const made = (options: object) => () => new DataLoader(rows(2), options);
  expect(made({ group: { rank: 2, size: 2 } })).toThrow(ArgumentError);
  expect(made({ group: 2 })).toThrow(
    "DataLoader: group is no group of ranks; give what distributed.group() gives",
  );
  expect(made({ group: { rank: 0, size: 3 }, batchSize: 2, splitBatches: true })).toThrow(
    "batchSize is 2, which cannot be split among 3 ranks",
  );
  const few = new DataLoader(rows(2), { group: { rank: 0, size: 3 } });
  expect(() => [...few]).toThrow("2 rows cannot be shared out among 3 ranks");
  expect(few.epoch).toBe(0);
});
