import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError, manualSeed } from "thaw";
import { autoModel, type FitOptions, fit as fitTo, readData } from "thaw/models";
import { afterAll, expect, test } from "vitest";
import { ran } from "../distributed/running.ts";
import { tinyFolder } from "./tiny-folder.ts";

// Ranks that tell a text from those that the others have do what one process does with all of them.

const top = mkdtempSync(join(tmpdir(), "thaw-gather-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

const base = tinyFolder(top);
const config = JSON.parse(readFileSync(join(base, "config.json"), "utf8"));
// Each rank would draw its own.
const still = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
writeFileSync(join(base, "config.json"), JSON.stringify({ ...config, ...still }));

const texts = join(top, "pairs.jsonl");
const words = "dog fox quick lazy brown text editor plugins library sound".split(" ");
const lines = Array.from({ length: 25 }, (_, i) => ({
  anchor: `${words[i % 10]} ${i}`,
  positive: `the ${words[i % 10]} ${words[(i * 3) % 10]} of ${i}`,
}));
writeFileSync(texts, lines.map((line) => JSON.stringify(line)).join("\n"));
const train = await readData(texts);

// Biases of keys have no gradient but what rounding leaves, which Adam makes as large as any.
const trains = ["**", "!**.key.bias"];
const some = {
  ...{ batch: 8, epochs: 2, lr: 5e-3, seed: 1, progress: false },
  trains,
} satisfies Partial<FitOptions>;

async function alone(options: Partial<FitOptions>): Promise<number[][]> {
  manualSeed(3);
  const model = await autoModel(base, { task: "embed" });
  await fitTo(model, { ...some, ...options, train });
  return Promise.all(
    model.namedParameters().map(async ([, p]) => Array.from((await p.data()) as Float32Array)),
  );
}

interface Said {
  readonly values: number[][];
  readonly history: readonly { trainLoss: number }[] | null;
  readonly error: string | null;
}

const furthest = (a: readonly number[][], b: readonly number[][]): number =>
  Math.max(...a.flatMap((list, i) => list.map((value, j) => Math.abs(value - b[i]![j]!))));

test("two ranks that gather come to what one does; ranks that do not, to something else", async () => {
  // The last batch of 25 rows has one, which is no row for each rank: those of a whole epoch are in batches of 8.
  const steps = { steps: 3, epochs: undefined };
  const given = [
    { ...some, ...steps, embeddings: { gather: true } },
    { ...some, ...steps, embeddings: { gather: true, chunk: 3 } },
    { ...some, ...steps },
    { ...some, embeddings: { gather: true } },
    { ...some, embeddings: { gather: true }, accumulate: 2 },
    { ...some, embeddings: { gather: true }, batch: 1 },
  ];
  const { failure, said, errors } = await ran("../models/gather-ranks.mjs", [
    base,
    texts,
    JSON.stringify(given),
  ]);
  expect({ failure, errors }).toEqual({ failure: null, errors: [] });
  const [first, second] = said.map(([line]) => line as unknown as Said[]) as [Said[], Said[]];
  expect(second).toEqual(first);
  const one = await alone({ ...steps, embeddings: { gather: true } });
  const [whole, chunked, apart, epochs, accumulated, small] = first as [Said, Said, Said, Said, Said, Said];
  expect(furthest(whole.values, one)).toBeLessThan(2e-5);
  expect(furthest(chunked.values, one)).toBeLessThan(2e-5);
  expect(furthest(apart.values, one)).toBeGreaterThan(1e-3);
  expect(epochs.history).toHaveLength(2);
  expect(accumulated.error).toMatch(/^ArgumentError: fit: gather is true, with 2 ranks, and accumulate is 2/);
  expect(small.error).toMatch(/and batch is 1/);
});

test("of one process it changes nothing, and of other losses it cannot be", async () => {
  expect(await alone({ epochs: 1, embeddings: { gather: true } })).toEqual(await alone({ epochs: 1 }));
  for (const embeddings of [{ gather: 1 as never }, { gather: true, loss: "triplet" as const }])
    await expect(alone({ embeddings })).rejects.toThrow(ArgumentError);
});
