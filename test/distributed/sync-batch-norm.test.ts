import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { built } from "../built.ts";
import { ran } from "./running.ts";

const limit = { timeout: 120_000 };

beforeAll(() => void built("index.js"));

interface Steps {
  readonly losses: number[];
  readonly grads: Record<string, number[]>;
  readonly values: Record<string, number[]>;
}

const script = fileURLToPath(new URL("./sync-batch-norm.mjs", import.meta.url));

/** One process that sees all rows. */
const alone = (...args: string[]): Steps =>
  JSON.parse(execFileSync(process.execPath, [script, ...args], { encoding: "utf8" })) as Steps;

function expectClose(actual: Record<string, number[]>, expected: Record<string, number[]>): void {
  for (const [name, values] of Object.entries(expected))
    for (const [i, value] of values.entries())
      expect(Math.abs(actual[name]![i]! - value), `${name}[${i}]`).toBeLessThan(1e-9);
}

test.each([
  [2, {}],
  [3, {}],
  [2, { uneven: true }],
  [3, { uneven: true }],
])(
  "%i ranks with SyncBatchNorm train as one process on the whole batch %j",
  limit,
  async (ranks, options) => {
    const args = ["steps", `${ranks}`, JSON.stringify(options)];
    const { failure, said, errors } = await ran("./sync-batch-norm.mjs", args, { ranks });
    expect([failure, errors]).toEqual([null, []]);
    const all = said.map(([steps]) => steps as unknown as Steps);
    const whole = alone(...args);
    // Parameters and running statistics have the same bits on all ranks.
    for (const { values, grads } of all)
      expect({ values, grads }).toEqual({ values: all[0]!.values, grads: all[0]!.grads });
    expectClose(all[0]!.grads, whole.grads);
    expectClose(all[0]!.values, whole.values);
  },
);

test("the gradient through sums over ranks is the slope of all ranks' losses", limit, async () => {
  const { failure, said, errors } = await ran("./sync-batch-norm.mjs", ["slope", "2"]);
  expect([failure, errors]).toEqual([null, []]);
  const [{ gradient, slope }] = said[0] as unknown as [{ gradient: number; slope: number }];
  expect(Math.abs(slope)).toBeGreaterThan(1e-4);
  expect(Math.abs(gradient / slope - 1)).toBeLessThan(1e-6);
});

test("statistics are sent in training alone, and ranks must run the same layers", limit, async () => {
  const { failure, said, errors } = await ran("./sync-batch-norm.mjs", ["modes", "2"]);
  expect([failure, errors]).toEqual([null, []]);
  const [mine] = said[0]!;
  expect(mine!.held).toBe(true);
  const gradients = 8 * (4 * 3 + 3) + 4;
  // Of each layer: sums and a count, squares; and of gradients, as many.
  const statistics = 2 * 8 * (3 + 1 + 3 + 2 + 1 + 2);
  expect(mine!.sent).toEqual({ training: gradients + statistics, eval: gradients });
  const [different, accumulating, tooFew, enough] = mine!.refusals as [string, string][];
  expect(different).toEqual([
    "GroupError",
    "Ranks run different layers that sum over ranks: norm on rank 0, not on rank 1; images on rank 0, not on rank 1. " +
      "In training all ranks must run the same ones (SyncBatchNorm, and tables with maxNorm that are trained), in the same order. Nothing was updated.",
  ]);
  expect(accumulating![1]).toMatch(/SyncBatchNorm: ranks meet in the last call .* accumulate/);
  expect(tooFew![1]).toMatch(/a channel needs more than one value, and over all ranks it has one at most/);
  expect(enough).toBeNull();
  expect(mine!.tracked).toBe(1);
});
