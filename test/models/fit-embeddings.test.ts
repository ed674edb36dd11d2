import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError, DataError, manualSeed, nn } from "thaw";
import {
  autoModel,
  type Embedder,
  type FitOptions,
  fit as fitTo,
  readData,
  type TextDataset,
  TextDataset as Texts,
} from "thaw/models";
import { afterAll, describe, expect, test } from "vitest";
import { tinyFolder } from "./tiny-folder.ts";

// Embeddings tuned by what columns there are: they improve, what is frozen stays, and the same seed gives the same bits.

const top = mkdtempSync(join(tmpdir(), "thaw-fit-embeddings-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
const base = tinyFolder(top);

let made = 0;
function dataset(records: readonly object[], options = {}): Promise<TextDataset> {
  const at = join(top, `${made++}.jsonl`);
  writeFileSync(at, records.map((record) => JSON.stringify(record)).join("\n"));
  return readData(at, options);
}

const topics = [
  "dog fox",
  "quick lazy",
  "text editor",
  "library sound",
  "plugins brown",
  "machines graphics",
];
/** Texts of some topic, which has no word in common with what names it. */
const about = (topic: number, i: number): string => `${topics[topic]!} ${i} and the ${topics[topic]!}`;
const names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];
const records = Array.from({ length: 48 }, (_, i) => {
  const topic = (i * 5) % 6;
  return {
    anchor: `${names[topic]!} ${i}`,
    positive: about(topic, i),
    negative: about((topic + 1 + (i % 5)) % 6, i + 100),
  };
});
const triplets = await dataset(records);
const pairs = await dataset(records.map(({ anchor, positive }) => ({ anchor, positive })));
const scored = await dataset(
  records.flatMap(({ anchor, positive, negative }, i) => [
    { sentence1: anchor, sentence2: positive, score: 0.9 + 0.01 * (i % 8) },
    { sentence1: anchor, sentence2: negative, score: 0.1 },
  ]),
);

function drawn(): Promise<Embedder> {
  manualSeed(3);
  return autoModel(base, { task: "embed" });
}

async function valuesOf(model: nn.Module): Promise<Map<string, unknown>> {
  const values = new Map<string, unknown>();
  for (const [path, p] of model.namedParameters()) values.set(path, (await p.data()).slice());
  return values;
}

const some = { epochs: 6, batch: 12, lr: 5e-3, seed: 1, trains: ["model.encoder.layer.1.**"] };

describe.each<[string, TextDataset, Partial<FitOptions>, "recall@5" | "spearman" | "accuracy"]>([
  ["pairs", pairs, {}, "recall@5"],
  ["triplets", triplets, {}, "accuracy"],
  ["pairs in chunks", pairs, { embeddings: { chunk: 5 } }, "recall@5"],
  ["scored pairs", scored, {}, "spearman"],
  ["scored pairs by their cosines", scored, { embeddings: { loss: "cosineSimilarity" } }, "spearman"],
  ["triplets by distances", triplets, { embeddings: { loss: "triplet", margin: 1 } }, "accuracy"],
])("%s", (_, data, options, criterion) => {
  test("are learned; frozen parameters keep their bits", async () => {
    const once = async () => {
      const model = await drawn();
      const before = await valuesOf(model);
      const run = await fitTo(model, { ...some, ...options, train: data, eval: data, best: criterion });
      return { before, run, after: await valuesOf(model), model };
    };
    const first = await once();
    for (const [path, values] of first.after)
      if (path.startsWith("model.encoder.layer.1.")) expect(values, path).not.toEqual(first.before.get(path));
      else expect(values, path).toEqual(first.before.get(path));
    const { before, metrics, history } = first.run;
    expect(metrics![criterion]).toBeGreaterThan(before![criterion]! + 0.1);
    expect(history.at(-1)!.trainLoss).toBeLessThan(0.9 * history[0]!.trainLoss);
    expect(String(first.run)).toMatch(/before/);
    const second = await once();
    expect(second.after).toEqual(first.after);
    expect(second.run.history).toEqual(history);
  });
});

test("all is trained unless said otherwise, but a pooler that nothing depends on", async () => {
  const model = await drawn();
  const before = await valuesOf(model);
  const run = await fitTo(model, { train: pairs, epochs: 1, batch: 24, lr: 1e-3, embeddings: { scale: 10 } });
  expect([run.before, run.metrics]).toEqual([null, null]);
  for (const [path, values] of await valuesOf(model)) {
    if (path.startsWith("model.pooler.")) expect(values, path).toEqual(before.get(path));
    else if (!path.includes("token_type")) expect(values, path).not.toEqual(before.get(path));
  }
  const [vector] = (await model.encode(["a fox"], { normalize: true })).shape;
  expect(vector).toBe(1);
  await expect(model.predict(["a"])).rejects.toThrow(/encode\(texts\) gives them/);
});

test("a chunk has the loss of the whole batch", async () => {
  const losses = async (embeddings: FitOptions["embeddings"]) => {
    const model = await drawn();
    for (const part of model.modules()) if (part instanceof nn.Dropout) part.p = 0;
    const run = await fitTo(model, { ...some, epochs: 2, train: triplets, embeddings: embeddings ?? {} });
    return run.history.map(({ trainLoss }) => trainLoss);
  };
  const [whole, chunked] = [await losses({}), await losses({ chunk: 5 })];
  for (const [i, loss] of whole.entries()) expect(chunked[i]).toBeCloseTo(loss, 4);
});

test("a training goes on from its folder to the same bits, and leaves a folder of sentence-transformers", async () => {
  const run = async (out: string, options: Partial<FitOptions>) => {
    const model = await drawn();
    const fitted = await fitTo(model, {
      ...some,
      epochs: 2,
      train: triplets,
      eval: triplets,
      out,
      ...options,
    });
    return { model, fitted };
  };
  const whole = await run(join(top, "whole"), {});
  const out = join(top, "halves");
  const controller = new AbortController();
  const onStep = ({ step }: { step: number }) => step === 3 && controller.abort(new Error("enough"));
  await expect(run(out, { signal: controller.signal, onStep })).rejects.toThrow("enough");
  await expect(run(out, { resume: true, embeddings: { scale: 3 } })).rejects.toThrow(/the option embeddings/);
  const halves = await run(out, { resume: true });
  expect(await valuesOf(halves.model)).toEqual(await valuesOf(whole.model));
  expect(halves.fitted.before).toEqual(whole.fitted.before);
  expect(halves.fitted.history).toEqual(whole.fitted.history);
  const opened = await autoModel(out, { task: "embed" });
  const texts = ["dog fox", "a"];
  expect(await (await opened.encode(texts)).data()).toEqual(await (await whole.model.encode(texts)).data());
});

test("texts that are there often are never in a batch twice", async () => {
  const twice = await dataset(
    Array.from({ length: 24 }, (_, i) => ({ anchor: `dog ${i % 6}`, positive: `fox ${i % 8}` })),
  );
  const model = await drawn();
  const steps: number[] = [];
  await fitTo(model, {
    ...some,
    train: twice,
    epochs: 2,
    onStep: ({ step, steps: all }) => void steps.push(step, all),
  });
  // At most 6 rows fit beside one another, so that an epoch has more than 24 / 12 batches, and all are counted.
  expect(steps.at(-2)).toBe(steps.at(-1));
  expect(steps.at(-1)).toBeGreaterThanOrEqual(8);
});

test("data and options that cannot be", async () => {
  const model = await drawn();
  const labelled = await dataset([
    { text: "a", label: "x" },
    { text: "b", label: "y" },
  ]);
  const single = await dataset([{ text: "a" }, { text: "b" }]);
  const whole = await dataset([{ sentence1: "a", sentence2: "b", score: 1 }]);
  const ragged = new Texts({
    ...pairs,
    examples: [pairs.at(0)!, { text: ["a", "b", "c"], target: null }],
  });
  const refused: [Partial<FitOptions>, RegExp][] = [
    [{ train: labelled }, /train is of kind "class".*label: null/],
    [{ train: whole }, /whole numbers as scores by regression: true/],
    [{ train: single }, /text 0 of train is one by itself.*name two columns/],
    [{ eval: scored }, /train has 2 columns of texts, without scores, and eval has 2 columns of texts, with/],
    [
      { embeddings: { loss: "cosent" } },
      /2 columns of texts, without scores, and the loss "cosent" takes two/,
    ],
    [{ embeddings: { loss: "triplet" } }, /takes three columns/],
    [{ train: scored, embeddings: { loss: "multipleNegativesRanking" } }, /without scores; name other/],
    [{ embeddings: { loss: "softmax" as never } }, /is "softmax"; it must be multipleNegativesRanking/],
    [{ embeddings: { margin: 1 } }, /margin is 1, which the loss "multipleNegativesRanking" does not have/],
    [{ embeddings: { scale: 0 } }, /scale is 0; it must be above 0/],
    [{ embeddings: { chunk: 0 } }, /chunk is 0/],
    [{ bucket: true }, /bucket is true/],
    [{ eval: pairs, best: "spearman" }, /best is "spearman"; it must be loss, recall@1/],
    [{ labelSmoothing: 0.1 }, /labelSmoothing is 0.1, and is for a model that chooses/],
  ];
  for (const [options, message] of refused) {
    const fitting = fitTo(model, { train: pairs, ...options });
    await expect(fitting, String(message)).rejects.toThrow(ArgumentError);
    await expect(fitting).rejects.toThrow(message);
  }
  await expect(fitTo(model, { train: ragged })).rejects.toThrow(DataError);
  await expect(fitTo(model, { train: pairs.some([]) })).rejects.toThrow(/train has no texts/);
  const classifier = await autoModel(base, { task: "classify", labels: ["x", "y"] });
  await expect(fitTo(classifier, { train: labelled, embeddings: {} })).rejects.toThrow(
    /for a model that makes embeddings/,
  );
});
