import { expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../src/base/errors.ts";
import { DataLoader } from "../../src/data/data-loader.ts";
import { TensorDataset } from "../../src/data/dataset.ts";
import { permutation } from "../../src/data/shuffle.ts";
import { randomSplit } from "../../src/data/split.ts";
import { hostNode } from "../../src/engine/trace.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

const rows = (count: number, width: number) =>
  new Tensor(
    hostNode(
      Float32Array.from({ length: count * width }, (_, i) => i),
      "f32",
      [count, width],
    ),
  );
const labels = (count: number) =>
  new Tensor(
    hostNode(
      Int32Array.from({ length: count }, (_, i) => i),
      "i32",
      [count],
    ),
  );
const dataset = (count: number) => new TensorDataset(rows(count, 2), labels(count));
const seen = (loader: DataLoader<[Tensor, Tensor]>) => [...loader].map(([, y]) => Array.from(y.dataSync()));

test("batches keep rows of all tensors together; the last one may be smaller", () => {
  const loader = new DataLoader(dataset(5), { batchSize: 2 });
  expect(loader.length).toBe(3);
  const batches = [...loader].map(([x, y]) => [
    x.shape,
    Array.from(x.dataSync()),
    y.dtype,
    Array.from(y.dataSync()),
  ]);
  expect(batches).toEqual([
    [[2, 2], [0, 1, 2, 3], "i32", [0, 1]],
    [[2, 2], [4, 5, 6, 7], "i32", [2, 3]],
    [[1, 2], [8, 9], "i32", [4]],
  ]);
});

test("dropLast leaves out a batch that is not full", () => {
  const loader = new DataLoader(dataset(5), { batchSize: 2, dropLast: true });
  expect(loader.length).toBe(2);
  expect(seen(loader)).toEqual([
    [0, 1],
    [2, 3],
  ]);
});

test("a shuffled pass has every row once, another order each time, and the same passes for the same seed", () => {
  const passes = (seed: number) => {
    const loader = new DataLoader(dataset(50), { batchSize: 7, shuffle: true, seed });
    return [seen(loader).flat(), seen(loader).flat()];
  };
  const [first, second] = passes(3);
  expect([...first!].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(first).not.toEqual(second);
  expect(passes(3)).toEqual([first, second]);
  expect(passes(4)[0]).not.toEqual(first);
});

test("setting the epoch comes back to its order", () => {
  const loader = new DataLoader(dataset(20), { batchSize: 20, shuffle: true });
  seen(loader);
  const second = seen(loader);
  loader.epoch = 1;
  expect(seen(loader)).toEqual(second);
});

test("orders of streams beyond 2^32 are others than those before", () => {
  const order = (stream: number) => permutation(50, 1, stream).join();
  const streams = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 45];
  expect(new Set(streams.map(order)).size).toBe(streams.length);
});

test("a permutation is even: every value comes to every place about as often", () => {
  const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
  for (let stream = 0; stream < 4000; stream++)
    for (const [place, value] of permutation(4, 1, stream).entries()) counts[place]![value]!++;
  // 1,000 expected with a standard deviation of 27.
  for (const count of counts.flat()) expect(Math.abs(count - 1000)).toBeLessThan(120);
});

test("randomSplit deals every row to one part, by count or by fraction", () => {
  const all = dataset(10);
  const parts = randomSplit(all, [0.75, 0.25], { seed: 1 });
  expect(parts.map((p) => p.length)).toEqual([8, 2]);
  const dealt = parts.flatMap((p) => Array.from(p.all()[1].dataSync()));
  expect(dealt.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(randomSplit(all, [8, 2], { seed: 1 }).map((p) => Array.from(p.indices))).toEqual(
    parts.map((p) => Array.from(p.indices)),
  );
  expect(seen(new DataLoader(parts[1], { batchSize: 2 }))).toEqual([Array.from(parts[1].indices)]);
});

test("values are those at construction", () => {
  const x = rows(2, 1);
  const held = new TensorDataset(x);
  x.fill_(7);
  expect(Array.from(held.batch([1, 0])[0].dataSync())).toEqual([1, 0]);
});

test("faults are named with their values", () => {
  expect(() => new TensorDataset(rows(3, 2), labels(4))).toThrow(ShapeError);
  expect(() => new TensorDataset(rows(3, 2), labels(4))).toThrow("got [3, 2] and [4]");
  expect(() => new DataLoader(dataset(3), { batchSize: 0 })).toThrow(ArgumentError);
  expect(() => randomSplit(dataset(3), [0.5, 0.6])).toThrow("add up to 1.1; give counts that add up to 3");
  expect(() => randomSplit(dataset(3), [2, 2])).toThrow(ArgumentError);
});

test("a collateFn makes batches of samples: of an array, of a dataset's rows, and of some of either", () => {
  const texts = ["a", "bb", "ccc", "dd", "e"];
  const loader = new DataLoader(texts, { batchSize: 2, collateFn: (some) => some.join("+") });
  expect([...loader]).toEqual(["a+bb", "ccc+dd", "e"]);
  expect([
    ...new DataLoader(texts, { batchSize: 2, dropLast: true, collateFn: (some) => some.length }),
  ]).toEqual([2, 2]);
  const ofRows = new DataLoader(dataset(3), {
    batchSize: 2,
    collateFn: (some) => some.map(([x, y]) => [x.shape, x.toArraySync(), y.itemSync()]),
  });
  expect([...ofRows]).toEqual([
    [
      [[2], [0, 1], 0],
      [[2], [2, 3], 1],
    ],
    [[[2], [4, 5], 2]],
  ]);
  const [left, right] = randomSplit(texts, [2, 3], { seed: 1 });
  const joined = [left, right].flatMap((part) => [
    ...new DataLoader(part, { batchSize: 5, collateFn: (some) => [...some] }),
  ]);
  expect(joined.flat().sort()).toEqual([...texts].sort());
  expect(joined.map((some) => some.length)).toEqual([2, 3]);
});

test("a pass of a loader with a collateFn is gone on with where it stood", () => {
  const make = () =>
    new DataLoader(["a", "b", "c", "d", "e"], { shuffle: true, seed: 4, collateFn: ([one]) => one! });
  const whole = [...make()];
  const first = make();
  const pass = first[Symbol.iterator]();
  const taken = [pass.next().value, pass.next().value];
  const second = make();
  second.loadStateDict(first.stateDict());
  expect([...taken, ...second]).toEqual(whole);
});

test("what cannot be collated is refused when the loader is made", () => {
  expect(() => new DataLoader(["a"] as never)).toThrow(/collateFn/);
  expect(() => new DataLoader(["a"], { collateFn: "join" as never })).toThrow(ArgumentError);
  const rowsOnly = { length: 1, batch: () => [labels(1)] };
  expect(() => new DataLoader(rowsOnly as never, { collateFn: (x: unknown[]) => x })).toThrow(/at\(index\)/);
  const [part] = randomSplit(["a", "b"], [2]);
  expect(() => [...new DataLoader(part)]).toThrow(/collateFn/);
  expect(() => dataset(2).at(2)).toThrow(/row 2 of 2/);
  expect(dataset(2).at(-1)[1].itemSync()).toBe(1);
  const failing = new DataLoader(["a", "b"], {
    collateFn: () => {
      throw new Error("no such text");
    },
  });
  expect(() => [...failing]).toThrow("no such text");
});

test("a pass is of the rows that there were when it began", () => {
  const samples = [1, 2, 3, 4];
  const loader = new DataLoader(samples, { collateFn: ([sample]) => sample });
  const given: unknown[] = [];
  for (const sample of loader) {
    given.push(sample);
    if (given.length === 2) samples.push(9);
  }
  expect(given).toEqual([1, 2, 3, 4]);
  expect([...loader]).toEqual([1, 2, 3, 4, 9]);
  expect(() => {
    for (const sample of loader) if (sample === 2) samples.length = 3;
  }).toThrow(/had 5 rows when the pass began, and has 3 now/);
  expect([...loader]).toEqual([1, 2, 3]);
});

test("a dataset that is none, or of no length, is refused", () => {
  const collateFn = (samples: unknown[]) => samples;
  expect(() => new DataLoader("abc" as never, { collateFn })).toThrow(ArgumentError);
  expect(() => [...new DataLoader({ length: Number.NaN, at: () => 0 }, { collateFn })]).toThrow(
    /length is NaN/,
  );
});
