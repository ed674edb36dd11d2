import * as fc from "fast-check";
import { DataLoader, type Mix, mix, TensorDataset } from "thaw/data";
import { AdamW } from "thaw/optim";
import { type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, expectTypeOf, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";
import { crossEntropy } from "../../src/nn/index.ts";
import { inputs, makeNetwork, targets } from "../train/network.ts";

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
/** The first so many turns of a pass, as "a0 b0 …". */
const turns = (mixed: Iterable<readonly [string, unknown]>, count = Infinity): string => {
  const seen: string[] = [];
  if (count > 0) for (const [task, batch] of mixed) if (seen.push(`${task}${batch}`) === count) break;
  return seen.join(" ");
};

test("tasks come in turn", () => {
  const sources = { a: upTo(3), b: upTo(4), c: upTo(3) };
  expect(turns(mix(sources))).toBe("a0 b0 c0 a1 b1 c1 a2 b2 c2");
  expect(turns(mix({ a: upTo(3) }))).toBe("a0 a1 a2");
});

test("ratios say how often each comes", () => {
  const sources = { a: upTo(99), b: upTo(99), c: upTo(99) };
  expect(turns(mix(sources, { ratios: { a: 2, b: 1, c: 1 } }), 8)).toBe("a0 b0 a1 c0 a2 b1 a3 c1");
  expect(turns(mix(sources, { ratios: { a: 0.6, b: 0.2, c: 0.2 } }), 10)).toBe(
    "a0 a1 b0 a2 c0 a3 a4 b1 a5 c1",
  );
});

test("of any number of turns each task has its share, rounded up or down", () => {
  const ratios = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 50 }), fc.double({ min: 0.01, max: 10, noNaN: true })),
    {
      minLength: 1,
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(ratios, (given) => {
      const tasks = given.map((ratio, i): [string, number] => [`t${i}`, ratio]);
      const all = given.reduce((sum, ratio) => sum + ratio, 0);
      const sources = Object.fromEntries(tasks.map(([task]) => [task, [0]]));
      const had = new Map(tasks.map(([task]) => [task, 0]));
      let turn = 0;
      for (const [task] of mix(sources, { ratios: Object.fromEntries(tasks), stop: "never" })) {
        had.set(task, had.get(task)! + 1);
        turn++;
        for (const [name, ratio] of tasks)
          expect(Math.abs(had.get(name)! - (turn * ratio) / all)).toBeLessThan(1 + 1e-6);
        if (turn === 300) break;
      }
    }),
    { numRuns: 200 },
  );
});

describe("with a seed", () => {
  const ratios = { a: 5, b: 2, c: 1 };
  const sources = { a: [0], b: [0], c: [0] };
  const order = (mixed: Mix<typeof sources>): string => turns(mixed, 800).replace(/[ 0]/g, "");

  test("the order is random, the same for the same seed, and another in each pass", () => {
    const make = (seed: number) => mix(sources, { ratios, seed, stop: "never" });
    const mixed = make(1);
    const [first, second] = [order(mixed), order(mixed)];
    expect(second).not.toBe(first);
    expect([order(make(1)), order(make(2)) === first]).toEqual([first, false]);
    mixed.epoch = 1;
    expect(order(mixed)).toBe(second);
    // Not the same stretch over and over.
    expect(new Set(first.match(/.{8}/g)).size).toBeGreaterThan(50);
  });

  test("each stretch has every task as often as it should", () => {
    for (const stretch of order(mix(sources, { ratios, seed: 3, stop: "never" })).match(/.{8}/g)!)
      expect([...stretch].sort().join("")).toBe("aaaaabbc");
  });
});

describe("stop", () => {
  const sources = { a: upTo(2), b: upTo(4) };
  test.each([
    ["first", "a0 b0 a1 b1"],
    ["all", "a0 b0 a1 b1 a0 b2 a1 b3 a0"],
    ["once", "a0 b0 a1 b1 b2 b3"],
  ] as const)("%s", (stop, expected) => {
    expect(turns(mix(sources, { stop }))).toBe(expected);
    const shuffled = turns(mix(sources, { stop, seed: 0 })).split(" ");
    if (stop === "once") expect(shuffled.toSorted()).toEqual(["a0", "a1", "b0", "b1", "b2", "b3"]);
    if (stop === "all") expect(shuffled).toEqual(expect.arrayContaining(["a1", "b3"]));
  });

  test("never", () => {
    expect(turns(mix(sources, { stop: "never" }), 11)).toBe("a0 b0 a1 b1 a0 b2 a1 b3 a0 b0 a1");
  });
});

test("a loader that begins again has another order, and one that is left is closed", () => {
  const loader = new DataLoader(new TensorDataset(tensor(upTo(8))), { batchSize: 4, shuffle: true });
  const rows: number[][] = [];
  let closed = 0;
  function* counting(): Generator<number> {
    try {
      for (;;) yield 0;
    } finally {
      closed++;
    }
  }
  for (const [task, batch] of mix({ loader, counting: counting() }, { stop: "never" })) {
    if (task === "loader") rows.push([...batch[0].dataSync()] as number[]);
    if (rows.length === 4) break;
  }
  const passes = [rows.slice(0, 2).flat(), rows.slice(2).flat()];
  for (const pass of passes) expect(pass.toSorted()).toEqual(upTo(8));
  expect(passes[0]).not.toEqual(passes[1]);
  expect(closed).toBe(1);
});

test("feeds a step that trains by task", async () => {
  const net = makeNetwork();
  const step = trainStep(new AdamW(net, { lr: 0.1 }), {
    loss: (task: "task1" | "task2", x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y),
    trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
  });
  const loaders = {
    task1: new DataLoader(new TensorDataset(inputs.task1, targets), { batchSize: 1 }),
    task2: new DataLoader(new TensorDataset(inputs.task2, targets), { batchSize: 1 }),
  };
  for (const [task, batch] of mix(loaders, { ratios: { task1: 2, task2: 1 }, stop: "all" })) {
    expectTypeOf(task).toEqualTypeOf<"task1" | "task2">();
    await step(task, ...batch);
  }
  const steps = Object.fromEntries(
    step.report().parameters.map(({ path, timesStepped }) => [path, timesStepped]),
  );
  expect(steps).toEqual({ "hiddenTask1.weight": 8, "hiddenTask2.weight": 3, "output.weight": 11 });
});

test("batches are typed by their task", () => {
  const mixed = mix({ words: ["a"], numbers: [1] });
  for (const [task, batch] of mixed)
    if (task === "words") expectTypeOf(batch).toEqualTypeOf<string>();
    else expectTypeOf(batch).toEqualTypeOf<number>();
  // @ts-expect-error: no such task
  expect(() => mix({ a: [1] }, { ratios: { a: 1, b: 1 } })).toThrow(/a ratio for "b", which has no source/);
});

test.each([
  [() => mix({}), /no sources/],
  [() => mix({ a: [1] }, { stop: "last" as "first" }), /stop is "last"; there are "first"/],
  [
    () => mix({ a: [1], b: [1] }, { ratios: { a: 1 } as { a: number; b: number } }),
    /the ratio of "b" is undefined/,
  ],
  [() => mix({ a: [1] }, { ratios: { a: 0 } }), /the ratio of "a" is 0; it must be a number above 0/],
  [() => [...mix({ a: [1], b: [] })], /the source of "b" gives no batch$/],
  [
    () => [...mix({ a: [1, 2], b: [1].values() }, { stop: "all" })],
    /no batch when it is begun again; give a loader/,
  ],
])("%s throws", (make, message) => {
  expect(make).toThrow(ArgumentError);
  expect(make).toThrow(message);
});
