import { beforeAll, describe, expect, test, vi } from "vitest";
import { availableCores } from "../../src/backends/cores.ts";
import { built } from "../built.ts";
import { ran } from "./running.ts";

const limit = { timeout: 120_000 };

beforeAll(() => void built("index.js"));

test.each([
  [2, 64],
  [3, 2 ** 20],
])("%i ranks sum, gather and broadcast, %i bytes at a time", limit, async (ranks, bucketBytes) => {
  const { failure, said } = await ran("./scenes.mjs", ["values"], { ranks, bucketBytes });
  expect(failure).toBeNull();
  const each = (i: number): number =>
    Array.from({ length: ranks }, (_, rank) => Math.fround(0.1 * (rank + 1) * i)).reduce((a, b) =>
      Math.fround(a + b),
    );
  const all = Array.from({ length: ranks }, (_, rank) => rank);
  const expected = {
    sum: [each(1), each(4999)],
    doubles: all.reduce((sum, rank) => sum + 0.1 * (rank + 1), 0),
    whole: [(ranks * 2 ** 30) | 0, all.reduce((a, b) => a + b)],
    bytes: [(ranks * 200) % 256, ranks],
    all: all.map((rank) => [rank, rank, 5000 * rank]),
    last: 3000,
    refused: "ArgumentError",
    rank: `broadcast(): from is ${ranks}; ranks are 0 to ${ranks - 1}`,
  };
  expect(said).toEqual(all.map(() => [expected]));
});

test.each([
  [2, "native"],
  [3, "native"],
  [3, "wasm"],
])("%i ranks on %s sum large gradients as plain loops do", limit, async (ranks, backend) => {
  vi.stubEnv("THAW_BACKEND", backend);
  const { failure, said } = await ran("./scenes.mjs", ["large"], { ranks, bucketBytes: 2 ** 15 });
  vi.unstubAllEnvs();
  expect(failure).toBeNull();
  const sums = 3 * 4 * (150 * 301 + 7 + 1);
  expect(said.flat()).toEqual(Array.from({ length: ranks }, () => ({ same: [true, true], sums })));
});

test("ranks that compute by different backends are refused", limit, async () => {
  const { failure, said } = await ran("./backends.mjs", []);
  expect(failure).toBeNull();
  const message =
    "Ranks differ before their first step together: the backend is wasm on rank 0 and reference on rank 1. Nothing was sent.";
  expect(said.flat()).toEqual([0, 1].map(() => ({ error: "GroupError", message, same: true })));
});

test.each([2, 3])("bits do not depend on the size of buckets, on %i ranks", limit, async (ranks) => {
  const { failure, said } = await ran("./scenes.mjs", ["buckets"], { ranks });
  expect(failure).toBeNull();
  const [{ digests }] = said[0] as unknown as [{ digests: [string, boolean][] }];
  expect(digests.map(([, alike]) => alike)).toEqual([true, true, true]);
  expect(new Set(digests.map(([digest]) => digest)).size).toBe(1);
});

test("what is trained is sent, with a word for checks, and nothing else", limit, async () => {
  const { failure, said } = await ran("./scenes.mjs", ["wire"]);
  expect(failure).toBeNull();
  const head = 4 * (6 * 2 + 2 + 1);
  const [rank0, rank1] = said.map(([{ counts }]) => counts as [number, number][]) as [
    [number, number][],
    [number, number][],
  ];
  expect(rank0.map(([sums]) => sums)).toEqual([head, head, 28, head, 28, 28, head]);
  // A set that is known costs its hash; only one that is new is written out.
  const hash = rank0[1]![1];
  expect(hash).toBe(40);
  expect(rank0.map(([, messages]) => messages === hash)).toEqual([
    false,
    true,
    false,
    true,
    false,
    true,
    true,
  ]);
  expect(rank1).toEqual(rank0);
});

test("what one rank's loss reaches all update, and what none reaches no rank", limit, async () => {
  const { failure, said } = await ran("./scenes.mjs", ["reach"]);
  expect(failure).toBeNull();
  const steps = [
    [1, 1, 1],
    [1, 2, 2],
    [2, 3, 3],
  ];
  // Of six calls three are of each layer; from the fourth on the two ranks have one each.
  const [size1, size2] = [1 + 3, 2 + 3];
  const expected = [{ steps, counted: [size1, size2, 6], alike: true, used: true, moved: true }];
  expect(said).toEqual([expected, expected]);
});

test("a short batch on one rank weighs by its samples, where they are counted", limit, async () => {
  const { failure, said } = await ran("./scenes.mjs", ["samples"]);
  expect(failure).toBeNull();
  for (const [{ off, explained }] of said as [{ off: number; explained: unknown }][]) {
    expect(off).toBeLessThan(1e-6);
    expect(explained).toEqual([
      ["hiddenTask1.weight", 36],
      ["hiddenTask2.weight", 0],
      ["output.weight", 48],
      ["output.bias", 16],
    ]);
  }
});

test(
  "what one rank alone has frozen moves by the others' gradients, where it may withhold its own",
  limit,
  async () => {
    const { failure, said } = await ran("./scenes.mjs", ["withholds"]);
    expect(failure).toBeNull();
    for (const [found] of said as [{ off: number; nothing: object }][]) {
      expect(found).toMatchObject({ same: true, averages: 1, moved: true, still: true });
      expect(found.off).toBeLessThan(1e-6);
      expect(found).toMatchObject({
        rows: [
          ["hiddenTask1.weight", 3, 0],
          ["hiddenTask2.weight", 0, 0],
          ["output.weight", 3, 0],
          ["output.bias", 3, 0],
        ],
      });
      expect(found.nothing).toMatchObject({ error: "GradientError", same: true });
    }
  },
);

test(
  "verify finds what is frozen and not the same on all ranks, and a report gathers theirs",
  limit,
  async () => {
    const { failure, said } = await ran("./scenes.mjs", ["compares"]);
    expect(failure).toBeNull();
    for (const [rank, [found]] of said.entries()) {
      expect(found).toMatchObject({
        alike: [true, true, true, true],
        apart: ["hiddenTask2.weight"],
        parameter: { error: "GroupError", same: true },
        state: { error: "GroupError", same: true },
        written: { error: rank === 1 ? "FreezeError" : "RankError" },
        again: true,
      });
      const { parameter, state, written } = found as unknown as Record<string, { message: string }>;
      expect(parameter!.message).toMatch(
        /frozen .* not what it is on rank 0: hiddenTask2\.weight on rank 1\. /,
      );
      expect(state!.message).toMatch(/The optimizer's step of hiddenTask2\.weight on rank 1\. /);
      expect(written!.message).toMatch(/hiddenTask2\.weight is frozen in call \d+ of this step/);
      const { rows } = found as unknown as { rows: string[][] };
      expect(rows.map((row) => [row[1], row.at(-1)])).toEqual([
        ["0", "differ"],
        ["1", "differ"],
      ]);
    }
  },
);

describe("what fails on one rank fails on all, and nothing is written", () => {
  type Found = Record<
    string,
    { error: string; message: string; rank?: number; same: boolean; alike?: boolean }
  >;
  let [rank0, rank1]: Found[] = [];

  beforeAll(async () => {
    const { failure, said } = await ran("./scenes.mjs", ["refusals"]);
    expect(failure).toBeNull();
    [rank0, rank1] = said.map(([found]) => found as unknown as Found);
  }, 120_000);

  const both = (name: string) => [rank0![name]!, rank1![name]!] as const;

  test("a freeze on one of them", () => {
    for (const found of both("frozen")) {
      expect(found).toMatchObject({ error: "GroupError", same: true, alike: true });
      expect(found.message).toContain("output.bias on rank 1, not on rank 0");
      expect(found.message).toContain("output.weight[1:3] on rank 1, not on rank 0");
    }
  });

  test.each([
    ["throwing", "ShapeError"],
    ["label", "IndexError"],
    ["finite", "NonFiniteError"],
    ["selector", "SelectorError"],
  ])("a step that is %s", (name, error) => {
    const [other, own] = both(name);
    expect(own).toMatchObject({ error, same: true, alike: true });
    // A NaN in a mean is in the mean on all ranks.
    if (name === "finite") expect(other).toMatchObject({ error: "NonFiniteError", same: true, alike: true });
    else {
      expect(other).toMatchObject({ error: "RankError", rank: 1, same: true, alike: true });
      expect(other.message).toContain(
        `rank 1 has failed in step 1, so nothing was updated on any rank: ${error}`,
      );
    }
  });

  test.each([
    ["rounds", /different numbers of calls for one update: 1 on rank 0, 2 on rank 1/],
    ["values", /hiddenTask1\.weight has other values on rank 1 than on rank 0.*start: "broadcast"/],
    ["options", /clipNorm is 1 on rank 0 and 2 on rank 1/],
    ["shapes", /0\.weight is f32\[3, 3\] on rank 0 and f32\[4, 3\] on rank 1/],
    ["things", /rank 0 in barrier\(\), rank 1 in gather\(\)/],
  ])("%s that differ", (name, message) => {
    for (const found of both(name)) {
      expect(found).toMatchObject({ error: "GroupError", same: true });
      expect(found.message).toMatch(message);
    }
  });

  test("values that differ are rank 0's where that is asked for, and the group goes on", () => {
    for (const found of both("broadcast")) expect(found).toMatchObject({ error: null, alike: true });
    expect([rank0!.again, rank1!.again]).toEqual([2, 2]);
  });
});

test("calls that do not go together fail on all ranks, which go on", limit, async () => {
  const { failure, said } = await ran("./scenes.mjs", ["apart"]);
  expect(failure).toBeNull();
  const [rank0, rank1] = said.map(([found]) => found as Record<string, { message: string }>);
  const healthy = { same: true, alike: true };
  expect(rank0).toMatchObject({
    moves: { error: "RankError", rank: 1, ...healthy },
    throws: { error: "RankError", rank: 1, ...healthy },
    again: true,
  });
  expect(rank0!.moves!.message).toMatch(
    /rank 1 has failed in step 2, so nothing was updated on any rank: FreezeError: hiddenTask2\.weight is frozen/,
  );
  expect(rank0!.throws!.message).toMatch(
    /rank 1 has failed in a call, while rank 0 was in barrier\(\): RangeError: in the middle of a round/,
  );
  expect(rank1).toMatchObject({
    moves: { error: "FreezeError", ...healthy },
    throws: { error: "RangeError", ...healthy },
    again: true,
  });
  for (const found of [rank0!, rank1!])
    for (const [name, message] of [
      ["alone", /rank 0 in gather\(\), rank 1 in a step/],
      ["barrier", /rank 0 in a step, rank 1 in barrier\(\)/],
      ["other", /Ranks call different steps at once: number 3 on rank 0, 4 on rank 1/],
    ] as const) {
      expect(found[name]).toMatchObject({ error: "GroupError", same: true });
      expect(found[name]!.message).toMatch(message);
    }
  for (const what of ["startRanks", "runMpi"])
    expect(rank0!.nested).toContainEqual([
      "GroupError",
      expect.stringContaining(`${what}: this is a rank itself, and groups do not nest`),
    ]);
});

test("what ranks must have alike, and have not, is an error on all of them", limit, async () => {
  const { failure, said } = await ran("./scenes.mjs", ["unlike"]);
  expect(failure).toBeNull();
  for (const [found] of said as [Record<string, { message: string }>][]) {
    for (const [name, message] of [
      ["optimizer", /the optimizer is SGD on rank 0 and Adam on rank 1\. Nothing was sent/],
      ["dtype", /scale is f32\[2\] on rank 0 and f64\[2\] on rank 1/],
      ["path", /rank 1 has no 0\.bias, which rank 0 has/],
      [
        "momentum",
        /momentum = 0\.9 in group 0 on rank 0, not on rank 1; momentum = 0\.8 in group 0 on rank 1/,
      ],
      [
        "average",
        /decay = 0\.9 in the average on rank 0, not on rank 1; decay = 0\.91 in the average on rank 1/,
      ],
      ["rate", /lr = 0\.1 in group 0 on rank 0, not on rank 1; lr = 0\.05 in group 0 on rank 1/],
    ] as const) {
      expect(found[name]).toMatchObject({ error: "GroupError", same: true });
      expect(found[name]!.message).toMatch(message);
    }
    expect(found).toMatchObject({ fine: { error: null }, alike: true });
  }
});

test("an audit says of ranks what it says of one process with all their data", limit, async () => {
  const { failure, said } = await ran("./scenes.mjs", ["audited"]);
  expect(failure).toBeNull();
  type Row = Record<string, unknown> & { shares: Record<string, number>; moved: number };
  for (const [{ mine, alone, alike }] of said as [{ mine: Row[]; alone: Row[]; alike: boolean }][]) {
    expect(alike).toBe(true);
    for (const [i, { shares, moved, ...rest }] of mine.entries()) {
      const { shares: expected, moved: far, ...same } = alone[i]!;
      expect(rest).toEqual(same);
      expect(moved).toBeCloseTo(far, 6);
      for (const [cause, share] of Object.entries(shares)) expect(share).toBeCloseTo(expected[cause]!, 6);
    }
    expect(mine.map(({ updates }) => updates)).toEqual([3, 2, 3, 3]);
  }
});

test("memory that runs out on one rank fails the step on all, and they go on", limit, async () => {
  const { failure, said } = await ran("./scenes.mjs", ["memory"]);
  expect(failure).toBeNull();
  const both = { same: true, alike: true };
  expect(said[0]![0]).toMatchObject({ error: "RankError", rank: 1, ...both });
  expect(said[0]![0]!.message).toMatch(/rank 1 has failed in step 2, .*: OutOfMemoryError/);
  expect(said[1]![0]).toMatchObject({ error: "OutOfMemoryError", ...both });
});

test("more ranks than cores share them, which is said once", limit, async () => {
  const ranks = availableCores() + 1;
  const { said, notices } = await ran("./scenes.mjs", ["restarts"], { ranks, restarts: 2 });
  expect(said).toHaveLength(ranks);
  const about = notices.filter((text) => text.includes(`${ranks} ranks share`));
  expect(about).toEqual([expect.stringMatching(/they wait for each other more than they compute$/)]);
});

describe("a rank that", () => {
  test.each([
    [
      "throws",
      "RankError",
      /rank 1 has failed: TypeError: what rank 1 says; it last was in what follows step 3/,
    ],
    ["exits", "RankError", /rank 1 has failed: it has ended with exit code 3/],
    ["returns", "RankError", /rank 1's script has ended, and rank 0 waits for it in .*step 4/],
    ["stalls", "GroupTimeoutError", /rank 1 has not come within 1 s .* what follows step 3, \d/],
    ["aborts", "RankError", /rank 1 has had enough/],
    ["dies", "RankError", /rank 1 has failed: it has ended with exit code 1/],
  ])("%s is named by the others, which end", limit, async (how, error, message) => {
    const options = { timeout: 1, grace: 1 };
    const { failure, said, seconds } = await ran(
      "./scenes.mjs",
      ["fault", how],
      options,
      (running, lines) => {
        if (how !== "dies") return;
        const wait = setInterval(() => {
          if (lines[1]!.length === 0) return;
          clearInterval(wait);
          void running.terminate(1);
        }, 5);
      },
    );
    expect(failure!.message).toMatch(message);
    expect(failure!.rank).toBe(1);
    expect(said[0]![1]).toMatchObject({ error, rank: 1 });
    expect(said[0]![1]!.message).toMatch(message);
    expect(seconds).toBeLessThan(60);
  });
});

test("ranks begin again as often as is allowed, with their arguments", limit, async () => {
  const { failure, said, notices } = await ran("./scenes.mjs", ["restarts", "more"], { restarts: 2 });
  expect(failure).toBeNull();
  expect(notices.filter((n) => n.includes("begin again"))).toEqual([
    expect.stringMatching(
      /^rank 0 has failed: RangeError: attempt 0; .*\. All ranks begin again \(1 of 2\)\.$/,
    ),
    expect.stringMatching(/^rank 1 has failed: RangeError: attempt 1; .* \(2 of 2\)\.$/),
  ]);
  for (const lines of said) expect(lines.at(-1)).toMatchObject({ restarts: 2, args: ["restarts", "more"] });
});
