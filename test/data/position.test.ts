import { tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { StateDictError } from "../../src/base/errors.ts";
import {
  DataLoader,
  type DataLoaderOptions,
  type MixOptions,
  mix,
  TensorDataset,
} from "../../src/data/index.ts";

const rows = (n: number, from = 0) =>
  new TensorDataset(tensor(Array.from({ length: n }, (_, i) => from + i)));
const json = <T>(value: T): T => JSON.parse(JSON.stringify(value));

describe("a loader goes on where it stood", () => {
  const options: DataLoaderOptions = { batchSize: 2, shuffle: true, seed: 5 };
  const make = (n = 7, more: DataLoaderOptions = {}) => new DataLoader(rows(n), { ...options, ...more });
  type Loader = ReturnType<typeof make>;
  /** What it gives in so many passes, and its state after each batch and each pass. */
  const run = (loader: Loader, passes: number) => {
    const given: (number[] | "end")[] = [];
    const states = [json(loader.stateDict())];
    while (loader.epoch < passes) {
      for (const [x] of loader) {
        given.push([...x.dataSync()]);
        states.push(json(loader.stateDict()));
      }
      given.push("end");
      states.push(json(loader.stateDict()));
    }
    return { given, states };
  };

  test("after every batch, and between passes", () => {
    const { given, states } = run(make(), 3);
    expect(given).toHaveLength(15);
    for (const [i, state] of states.entries()) {
      const loader = make();
      loader.loadStateDict(state);
      expect(loader.stateDict()).toEqual(state);
      expect(run(loader, 3).given).toEqual(given.slice(i));
    }
  });

  test("a loop that was left, by break or by an error, has ended its pass", () => {
    const loader = make();
    for (const _ of loader) break;
    expect(loader.stateDict()).toMatchObject({ epoch: 1, batch: 0 });
    expect(() => {
      for (const _ of loader) throw new Error("out");
    }).toThrow("out");
    expect(loader.stateDict()).toMatchObject({ epoch: 2, batch: 0 });
  });

  test("setting the pass that it stands in anew changes nothing; another one begins", () => {
    const loader = make();
    const { given } = run(make(), 3);
    const state = { ...loader.stateDict(), epoch: 1, batch: 3 };
    loader.loadStateDict(state);
    loader.epoch = 1;
    expect([...loader].map(([x]) => [...x.dataSync()])).toEqual(given.slice(8, 9));
    loader.loadStateDict(state);
    loader.epoch = 2;
    expect(loader.stateDict()).toMatchObject({ epoch: 2, batch: 0 });
    expect([...loader].map(([x]) => [...x.dataSync()])).toEqual(given.slice(10, 14));
  });

  test("a pass that was under way ends, and its place is the one that was loaded", () => {
    const loader = make();
    const { given, states } = run(make(), 2);
    const seen: unknown[] = [];
    let rolledBack = false;
    while (loader.epoch < 2) {
      for (const [x] of loader) {
        seen.push([...x.dataSync()]);
        if (seen.length === 3 && !rolledBack) {
          rolledBack = true;
          loader.loadStateDict(states[1]!);
        }
      }
      seen.push("end");
    }
    expect(seen).toEqual([...given.slice(0, 3), "end", ...given.slice(1)]);
  });

  test("where other batches would follow, that is said, and nothing changes", () => {
    const { states } = run(make(), 1);
    const loader = make(8, { batchSize: 3, seed: 6 });
    const before = loader.stateDict();
    expect(() => loader.loadStateDict(states[2]!)).toThrow(StateDictError);
    expect(() => loader.loadStateDict(states[2]!)).toThrow(
      "after 2 batches of a pass, other batches would follow: rows was 7 and is 8, batchSize was 2 and is 3, seed was 5 and is 6",
    );
    expect(() => make().loadStateDict({ ...before, epoch: -1 })).toThrow(StateDictError);
    expect(loader.stateDict()).toEqual(before);
    // Between passes it is only a count.
    loader.loadStateDict(states.at(-1)!);
    expect(loader.epoch).toBe(1);
  });
});

describe("a mix goes on where it stood, with its sources", () => {
  const ratios = { a: 3, b: 1, c: 1.5 };
  const all: [string, MixOptions<"a" | "b" | "c">][] = [
    ["in turn", {}],
    ["by ratio", { ratios }],
    ["shuffled", { ratios, seed: 3 }],
    ["all", { ratios, seed: 3, stop: "all" }],
    ["once", { ratios, seed: 4, stop: "once" }],
    ["never", { ratios, seed: 4, stop: "never" }],
  ];
  test.each(all)("%s", (_, options) => {
    const make = () =>
      mix(
        {
          a: new DataLoader(rows(9), { batchSize: 2, shuffle: true, seed: 1 }),
          // Without a state of its own.
          b: [100, 101, 102, 103],
          c: new DataLoader(rows(3, 50), { shuffle: true }),
        },
        options,
      );
    const take = (from: ReturnType<typeof make>, most: number) => {
      const given: unknown[] = [];
      const states = [json(from.stateDict())];
      while (from.epoch < 3 && given.length < most) {
        for (const [task, batch] of from) {
          given.push([task, typeof batch === "number" ? batch : [...batch[0].dataSync()]]);
          states.push(json(from.stateDict()));
          if (given.length === most) return { given, states };
        }
        given.push("end");
        states.push(json(from.stateDict()));
      }
      return { given, states };
    };
    const { given, states } = take(make(), 60);
    expect(given.length).toBeGreaterThan(10);
    for (const [i, state] of states.entries()) {
      const again = make();
      again.loadStateDict(state);
      expect(again.stateDict()).toEqual(state);
      expect(take(again, 60 - i).given).toEqual(given.slice(i));
    }
  });

  test("another mix is refused, and nothing changes", () => {
    const loader = () => new DataLoader(rows(4), { shuffle: true });
    const one = mix({ a: loader(), b: loader() }, { seed: 1 });
    const from = one[Symbol.iterator]();
    from.next();
    from.next();
    const state = json(one.stateDict());
    const others = [
      mix({ a: loader(), c: loader() }, { seed: 1 }),
      mix({ a: loader(), b: loader() }, { seed: 2 }),
      mix({ a: loader(), b: new DataLoader(rows(5), { shuffle: true }) }, { seed: 1 }),
    ];
    for (const other of others) {
      const before = json(other.stateDict());
      expect(() => other.loadStateDict(state)).toThrow(StateDictError);
      expect(other.stateDict()).toEqual(before);
    }
  });
});
