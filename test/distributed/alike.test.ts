import { beforeAll, expect, test } from "vitest";
import { built } from "../built.ts";
import { ran } from "./running.ts";

interface Came {
  readonly ok?: unknown;
  readonly error?: string;
  readonly message: string;
  readonly alike?: boolean;
}
type Found = Record<string, Record<string, Came>>;

let all: Found[] = [];

beforeAll(async () => {
  built("index.js");
  const { failure, said } = await ran("./alike.mjs", []);
  expect(failure).toBeNull();
  all = said.map(([found]) => found as unknown as Found);
}, 120_000);

/** That a check has come to a `GroupError` on all ranks, which says so. */
function refused(check: string, name: string | null, message: RegExp, alike = true): void {
  for (const found of all) {
    const came = (name === null ? found[check] : found[check]![name]) as unknown as Came;
    expect(came).toMatchObject({ error: "GroupError", alike });
    expect(came.message).toMatch(message);
  }
}

const every = (check: string): unknown[] => all.map((found) => found[check]);

test("a layer that comes back trains, and not what stood in its place", () => {
  expect(every("there and back")).toEqual(Array(2).fill({ moved: [true, false] }));
});

test("what comes to the module must have the same values, or takes those of rank 0", () => {
  refused(
    "new in the module",
    "same",
    /output\.weight, new in the module, of values \w{16} on rank 0, not on rank 1.*Nothing was sent\. .*start: "broadcast"/,
    false,
  );
  for (const found of all) {
    expect(found["new in the module"]!.broadcast).toMatchObject({ ok: "ran", alike: true });
    expect(found["new in the module"]!.alone).toMatchObject({
      error: "GroupError",
      message: expect.stringMatching(
        /outside of the module: output\.weight: f32\[4, 3\] on rank 1, not on rank 0.*must come on all ranks/,
      ),
    });
  }
});

test("groups of as many other parameters are refused", () => {
  refused("groups", null, /hiddenTask1\.weight in group 0 on rank 0, not on rank 1/);
});

test("optimizer state that one rank alone begins with is refused, or is rank 0's on all", () => {
  refused(
    "state",
    "same",
    /The optimizer's state is not what it is on rank 0: .*output\.weight\[:2\] expAvg on rank 1.*start: "broadcast", which takes that/,
    false,
  );
  refused("state", "policies", /hiddenTask1\.weight with the state policy reset on rank 1, not on rank 0/);
  for (const found of all) expect(found.state!.broadcast).toEqual({ ok: 6, alike: true });
});

test("averages are alike in what they do, and begin alike", () => {
  refused("averages", "options", /what is frozen: hold, .* on rank 0 and one of what is frozen: track/);
  refused("averages", "decay", /decay = 0\.8 in the average on rank 0, not on rank 1/);
  for (const found of all)
    expect(found.averages!.broadcast).toEqual({ ok: "ran", alike: true, average: true });
});

test("a hook leaves out the same on all ranks, and draws the same", () => {
  refused(
    "hooks",
    "one",
    /The hook on gradients .*output\.bias, left out of the update on rank 1, not on rank 0/,
  );
  refused(
    "hooks",
    "drawn",
    /random numbers of the seed 50 on rank 0, not on rank 1.*a Generator of one seed/,
  );
  for (const found of all) expect(found.hooks!.same).toEqual({ ok: "ran", alike: true });
  for (const found of all) expect(found.hooks!.all).toEqual({ ok: "ran", alike: true, state: false });
});

test("layers that sum over ranks may be new on one rank, and in another mode before", () => {
  expect(every("layers")).toEqual(Array(2).fill({ came: Array(6).fill({ ok: "ran" }), alike: true }));
});

test("rows that any rank looks up are shortened on all, and not where they sum only now and then", () => {
  for (const found of all) {
    const tables = found.tables as unknown as { lengths: number[]; accumulating: Came };
    expect(tables).toMatchObject({ ok: "ran", alike: true });
    for (const [row, length] of tables.lengths.entries())
      if (row === 2 || row === 3) expect(length).toBeGreaterThan(0.5);
      else expect(length).toBeCloseTo(0.5, 5);
    expect(tables.accumulating.error).toBe("ArgumentError");
    expect(tables.accumulating.message).toMatch(/embedding with maxNorm .* does not go with accumulate/);
  }
});

test("another step than the other rank's is an error on both, also where it is called for the first time", () => {
  for (const { steps } of all) {
    expect(steps!.alike).toBe(true);
    for (const [name, message] of [
      ["old", /rank 0 in the first call of a step, rank 1 in a step/],
      ["other", /the step that is called, .*, is number \d+ on rank 0 and number \d+ on rank 1/],
    ] as const) {
      expect(steps![name]).toMatchObject({ error: "GroupError" });
      expect(steps![name]!.message).toMatch(message);
    }
  }
});

test("a mean over the ranks that used it is one by rows", () => {
  for (const rows of every("rows") as { off: number }[]) expect(rows.off).toBeLessThan(1e-7);
});

test("statistics of each rank's own do not keep it from making another step", () => {
  expect(every("statistics")).toEqual(Array(2).fill({ own: true, ok: "ran", alike: true }));
});

test("what one rank refuses before it meets the others is told to them, and all go on", () => {
  const [rank0, rank1] = every("refused") as Record<string, Came[]>[];
  const expected: [string, string, RegExp][] = [
    ["calls", "ArgumentError", /together: no calls/],
    ["freezes", "RangeError", /a selector of its own/],
    ["loss", "GroupError", /of the loss/],
    ["sum", "ArgumentError", /sum\(\): takes a Float32Array/],
  ];
  for (const [name, error, message] of expected) {
    expect([rank0![name]![0], rank1![name]![0]]).toMatchObject([{ error: "RankError" }, { error }]);
    for (const found of [rank0!, rank1!]) expect(found[name]![0]!.message).toMatch(message);
  }
  for (const found of [rank0!, rank1!]) {
    expect(found).toMatchObject({ alike: true });
    expect([found.calls![1], found.sum![1]]).toEqual([{ ok: "ran" }, { ok: [10] }]);
  }
});

test("values are given alike, and of plain data", () => {
  for (const [rank, found] of all.entries()) {
    const { dtypes, from, tensor, module, fine } = found.values!;
    expect(dtypes).toMatchObject({
      error: "GroupError",
      message: expect.stringContaining("rank 1 gives f64"),
    });
    expect(from).toMatchObject({
      error: "GroupError",
      message: expect.stringContaining("rank 1 takes it from 1"),
    });
    expect(tensor).toMatchObject({
      error: "ArgumentError",
      message: expect.stringContaining("there is a tensor in it"),
    });
    expect(module).toMatchObject(
      // Only the rank that it is from gives anything.
      rank === 0 ? { error: "ArgumentError" } : { error: "RankError" },
    );
    expect((fine!.ok as unknown[]).length).toBe(2);
  }
});
