import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crossEntropy, data, noGrad, optim, type Tensor, tensor, trainStep } from "thaw";
import { alignLabels, autoModel, readData, readTokenizer, type TextDataset } from "thaw/models";
import { afterAll, expect, test } from "vitest";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

// From a folder and a file of texts to a tuned model in a folder: all that is in between, put together.

const top = mkdtempSync(join(tmpdir(), "thaw-tuned-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

test("a classifier of texts, of which only the top is trained", async () => {
  const base = tinyFolder(top);
  const { train, test } = await readData(tinyTexts(top), { split: { test: 0.2, stratify: true, seed: 1 } });
  const tokenizer = await readTokenizer(base);
  const model = (await autoModel(base, { task: "classify", labels: train.labels })).train();
  const before = new Map<string, unknown>();
  for (const [path, p] of model.namedParameters()) before.set(path, await p.data());

  const batchOf = (dataset: TextDataset, indices: Iterable<number>) => {
    const { examples } = dataset.some(indices);
    const { inputIds, attentionMask } = tokenizer.encode(
      examples.map(({ text }) => text),
      { padToMultiple: 8 },
    );
    return [
      inputIds,
      attentionMask,
      tensor(
        examples.map(({ target }) => target as number),
        { dtype: "i32" },
      ),
    ] as const;
  };
  const trained = ["classifier.**", "bert.pooler.**", "bert.encoder.layer.1.**"];
  const step = trainStep(new optim.AdamW(model, { lr: 3e-3 }), {
    loss: (inputIds: Tensor, attentionMask: Tensor, y: Tensor) =>
      crossEntropy(model.forward({ inputIds, attentionMask }), y),
    trains: () => trained,
  });
  const losses: number[] = [];
  for (let epoch = 0; epoch < 8; epoch++) {
    const order = data.permutation(train.length, 1, epoch);
    for (let at = 0; at < order.length; at += 8)
      losses.push(await step(...batchOf(train, order.slice(at, at + 8))));
  }
  expect(losses.at(-1)!).toBeLessThan(0.3 * losses[0]!);

  const logitsOf = async (m: typeof model) => {
    const [inputIds, attentionMask, y] = batchOf(test, test.examples.keys());
    m.eval();
    const logits = noGrad(() => m.forward({ inputIds, attentionMask }));
    return { logits: await logits.data(), right: await logits.argmax(1).eq(y).to("f32").mean().item() };
  };
  const { logits, right } = await logitsOf(model);
  expect(right).toBeGreaterThan(0.75);
  const isTrained = (path: string) => trained.some((glob) => path.startsWith(glob.slice(0, -2)));
  for (const [path, p] of model.namedParameters())
    if (!isTrained(path)) expect(await p.data(), path).toEqual(before.get(path));
  await model.savePretrained(join(top, "tuned"));
  const again = await autoModel(join(top, "tuned"), { task: "classify" });
  expect(again.labels).toEqual(["animals", "software"]);
  expect((await logitsOf(again)).logits).toEqual(logits);
});

test("a tagger of words learns by the first token of each", async () => {
  const base = tinyFolder(top);
  const at = join(top, "tags.jsonl");
  const sentences = ["quick fox text", "plugins lazy", "editor dog brown sound", "library fox"];
  const isAnimal = (word: string) => ["quick", "fox", "lazy", "dog", "brown"].includes(word);
  const lines = sentences.map((text) => {
    const tokens = text.split(" ");
    return JSON.stringify({ tokens, tags: tokens.map((word) => (isAnimal(word) ? "A" : "O")) });
  });
  writeFileSync(at, lines.join("\n"));
  const dataset = await readData(at);
  const tokenizer = await readTokenizer(base);
  const model = await autoModel(base, { task: "tag", labels: dataset.labels });
  const { inputIds, attentionMask, wordIds } = tokenizer.encode(dataset.examples.map(({ text }) => text));
  const labels = wordIds!.map((row, i) => alignLabels(row, dataset.at(i)!.target as number[]));
  const y = tensor(labels, { dtype: "i32" });
  const step = trainStep(new optim.AdamW(model, { lr: 1e-2 }), {
    loss: () =>
      crossEntropy(model.forward({ inputIds, attentionMask }).transpose(1, 2), y, { ignoreIndex: -100 }),
    trains: ["classifier.**", "bert.encoder.**"],
  });
  for (let i = 0; i < 60; i++) await step();
  const found = await model.forward({ inputIds, attentionMask }).argmax(2).data();
  const wrong = labels.flat().filter((label, i) => label !== -100 && label !== found[i]);
  expect(wrong).toEqual([]);
});
