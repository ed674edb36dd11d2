import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError, DataError, manualSeed, type nn } from "thaw";
import {
  autoModel,
  type FitOptions,
  type FitResult,
  fit as fitTo,
  type MeasuredBy,
  type ModelFor,
  type PretrainedModel,
  readData,
  type Task,
  TextDataset,
} from "thaw/models";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { maskedRow } from "../../src/models/fit/objectives/mask-tokens.ts";
import { tinyFolder } from "./tiny-folder.ts";

// Each kind of targets: it learns, what is frozen stays, and what predict says is what the metrics counted.

const top = mkdtempSync(join(tmpdir(), "thaw-kinds-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
beforeEach(() => {
  settings.backend = "wasm";
});

const base = tinyFolder(top);
const animals = ["dog", "fox", "quick", "lazy", "brown"];
const software = ["text", "editor", "plugins", "library", "sound"];

/** Texts of words of both kinds, more or less of each. */
const words = Array.from({ length: 40 }, (_, i) =>
  Array.from(
    { length: 3 + (i % 5) },
    (_, j) => ((i * 7 + j * 3) % 11 < i % 8 ? animals : software)[(i + 2 * j) % 5]!,
  ),
);
const isAnimal = (word: string): boolean => animals.includes(word);

async function dataset(name: string, record: (text: string[], i: number) => object, options = {}) {
  const at = join(top, `${name}.jsonl`);
  writeFileSync(at, words.map((text, i) => JSON.stringify(record(text, i))).join("\n"));
  return readData(at, options);
}

const classes = await dataset("classes", (text) => ({
  text: text.join(" "),
  labels: [...(text.some(isAnimal) ? ["animals"] : []), ...(text.every(isAnimal) ? [] : ["software"])],
}));
const numbers = await dataset("numbers", (text) => ({
  sentence1: text.join(" "),
  sentence2: "a fox",
  score: text.filter(isAnimal).length / text.length,
}));
const tags = await dataset("tags", (text) => ({
  tokens: text,
  tags: text.map((word, i) => (!isAnimal(word) ? "O" : i > 0 && isAnimal(text[i - 1]!) ? "I-A" : "B-A")),
}));
const plain = await dataset("plain", (text) => ({ text: `${text.join(" ")} ${text.join(" ")}` }), {
  label: null,
});

const some = { epochs: 12, batch: 8, lr: 1e-2, seed: 1, trains: ["!bert.embeddings.**", "**"] };

async function valuesOf(model: nn.Module): Promise<Map<string, unknown>> {
  const values = new Map<string, unknown>();
  for (const [path, p] of model.namedParameters()) values.set(path, (await p.data()).slice());
  return values;
}

type MetricsFor<T extends Task> = ModelFor<T> extends MeasuredBy<infer M> ? M : never;

/** Tunes a model twice, with all but its embeddings trained; what it had for them stays. */
async function tuned<T extends Exclude<Task, "encode">>(
  task: T,
  data: TextDataset,
  options: Partial<FitOptions> = {},
) {
  const once = async () => {
    manualSeed(3);
    const labels = data.labels.length > 0 && task !== "maskedLM" ? { labels: data.labels } : {};
    const model = await autoModel(base, { task, ...labels });
    const before = await valuesOf(model);
    const trains = ["**", "!bert.embeddings.**"];
    const run = (await fitTo(model as never, {
      ...some,
      trains,
      train: data,
      eval: data,
      ...options,
    })) as FitResult<MetricsFor<T>>;
    return { model, before, run, after: await valuesOf(model) };
  };
  const [first, second] = [await once(), await once()];
  expect(second.after).toEqual(first.after);
  expect(second.run.history).toEqual(first.run.history);
  for (const [path, values] of first.after)
    if (path.startsWith("bert.embeddings.")) expect(values, path).toEqual(first.before.get(path));
    else if (path !== "bert.pooler.dense.bias" || task !== "maskedLM")
      expect(values, path).not.toEqual(first.before.get(path));
  const { history } = first.run;
  expect(history.at(-1)!.trainLoss).toBeLessThan(0.7 * history[0]!.trainLoss);
  return first;
}

test("several labels a text", async () => {
  const { model, run } = await tuned("multiLabel", classes, { best: "microF1", threshold: 0.4 });
  const { metrics } = run;
  expect(metrics!.microF1).toBeGreaterThan(0.85);
  const texts = classes.examples.map(({ text }) => text);
  const found = await model.predict(texts, { threshold: 0.4, batch: 7 });
  const right = found.filter(({ labels }, i) => {
    const names = (classes.at(i)!.target as number[]).map((k) => classes.labels[k]);
    return String(labels.map(({ label }) => label).sort()) === String(names.sort());
  });
  expect(right.length / texts.length).toBeCloseTo(metrics!.accuracy, 12);
  const again = await saved(model, "multiLabel");
  expect(await again.predict(texts.slice(0, 3))).toEqual(await model.predict(texts.slice(0, 3)));
});

test("a number for a pair of texts", async () => {
  const { model, run } = await tuned("regress", numbers, { best: "spearman", epochs: 30, lr: 5e-3 });
  expect(run.metrics!.spearman).toBeGreaterThan(0.8);
  const found = await model.predict(numbers.examples.map(({ text }) => text));
  const mse = found.reduce((sum, { value }, i) => sum + (value - (numbers.at(i)!.target as number)) ** 2, 0);
  expect(mse / numbers.length).toBeCloseTo(run.metrics!.mse, 10);
  // Read without a task of its own, the folder is what its config says.
  const again = await saved(model, "classify");
  expect((await again.predict([["dog", "a fox"]]))[0]).toEqual((await model.predict([["dog", "a fox"]]))[0]);
});

test("a label for each word", async () => {
  const { model, run } = await tuned("tag", tags, { best: "entityF1", classWeights: "balanced" });
  expect(run.metrics!.accuracy).toBeGreaterThan(0.9);
  expect(run.metrics!.labels.map(({ label }) => label)).toEqual(["A"]);
  const found = await model.predict(tags.examples.map(({ text }) => text));
  const counted = found.flatMap((list, i) =>
    list.map(({ label }, j) => label === tags.labels[(tags.at(i)!.target as number[])[j]!]),
  );
  expect(counted.filter(Boolean).length / counted.length).toBeCloseTo(run.metrics!.accuracy, 12);
  const [plainText] = await model.predict(["quick  text"]);
  expect(plainText!.map(({ word }) => word)).toEqual(["quick", "text"]);
  // Words that are cut off have no label; those of half a text have.
  const long = { words: Array.from({ length: 40 }, () => "fox") };
  expect((await model.predict([long]))[0]!.length).toBeLessThan(24);
});

test("tokens that are masked", async () => {
  const { model, run } = await tuned("maskedLM", plain, { epochs: 20, lr: 3e-2 });
  expect(run.metrics!.perplexity).toBeCloseTo(Math.exp(run.metrics!.loss), 10);
  expect(run.metrics!.loss).toBeLessThan(run.history[0]!.metrics!.loss);
  const [none, one] = await model.predict(["a fox", "quick [MASK] fox and a [MASK]"], { top: 3 });
  expect(none).toEqual([]);
  expect(one!.map((tokens) => tokens.length)).toEqual([3, 3]);
  for (const tokens of one!) expect(tokens[0]!.score).toBeGreaterThan(tokens[2]!.score);
});

test("of tokens, 15 % are to be guessed: 80 % of these masked, 10 % another, none of what is put around", async () => {
  const { tokenizer } = await autoModel(base);
  const mask = tokenizer!.mask!;
  const row = tokenizer!.encodeOne(animals.join(" "));
  const counts = { all: 0, chosen: 0, masked: 0, same: 0 };
  for (let example = 0; example < 3000; example++) {
    const { ids, labels } = maskedRow(row, { tokenizer: tokenizer!, mask, seed: 1, stream: 2, example });
    for (const [at, label] of labels.entries()) {
      if (tokenizer!.specialIds.has(row.ids[at]!)) expect(label).toBe(-100);
      else counts.all++;
      if (label === -100) expect(ids[at]).toBe(row.ids[at]);
      else {
        counts.chosen++;
        if (ids[at] === mask) counts.masked++;
        if (ids[at] === label) counts.same++;
      }
    }
  }
  expect(counts.chosen / counts.all).toBeCloseTo(0.15, 1);
  expect(counts.masked / counts.chosen).toBeCloseTo(0.8, 1);
  expect(counts.same / counts.chosen).toBeCloseTo(0.1, 1);
  expect(counts.chosen).toBeGreaterThan(1000);
});

async function saved<T extends Exclude<Task, "encode">>(
  model: { savePretrained(at: string): Promise<void> },
  task: T,
) {
  const at = join(top, `saved-${task}`);
  await model.savePretrained(at);
  return autoModel(at, { task });
}

test("predict refuses options that would do nothing for the model", async () => {
  const given = { threshold: 0.5, allScores: true, top: 3, aggregationStrategy: "simple" } as const;
  const meant: Partial<Record<Task, readonly (keyof typeof given)[]>> = {
    classify: ["allScores"],
    multiLabel: ["threshold", "allScores"],
    regress: [],
    tag: ["aggregationStrategy"],
    maskedLM: ["top"],
  };
  for (const [task, names] of Object.entries(meant)) {
    const labels = ["regress", "maskedLM"].includes(task) ? {} : { labels: ["O", "B-A", "I-A"] };
    const model = (await autoModel(base, { task: task as Task, ...labels })) as PretrainedModel;
    for (const name of Object.keys(given) as (keyof typeof given)[]) {
      const found = model.predict([], { [name]: given[name] });
      if (names.includes(name)) await expect(found, `${task} ${name}`).resolves.toEqual([]);
      else
        await expect(found, `${task} ${name}`).rejects.toThrow(
          new RegExp(`predict: ${name} is .*leave it out`),
        );
    }
    await expect(model.predict([], { allScores: false })).resolves.toEqual([]);
  }
});

describe("what cannot be", () => {
  const refused: [string, Task, TextDataset, Partial<FitOptions>, RegExp][] = [
    ["numbers for labels", "multiLabel", numbers, {}, /of kind "number".*takes "classes", a list of labels/],
    ["labels for numbers", "regress", classes, {}, /takes "number".*regression: true/],
    ["another criterion", "regress", numbers, { best: "macroF1" }, /it must be loss, mse, pearson, spearman/],
    [
      "weights of no labels",
      "regress",
      numbers,
      { classWeights: "balanced" },
      /classWeights is "balanced", and is for a model/,
    ],
    [
      "smoothing of several",
      "multiLabel",
      classes,
      { labelSmoothing: 0.1 },
      /labelSmoothing is 0.1, and is for a model/,
    ],
    ["a loss of embeddings", "multiLabel", classes, { embeddings: {} }, /for a model that makes embeddings/],
    ["a threshold of a number", "regress", numbers, { threshold: 0.5 }, /gives a text several labels, which/],
    ["a threshold beyond", "multiLabel", classes, { threshold: 2 }, /threshold is 2/],
  ];
  test.each(refused)("%s", async (_, task, data, options, message) => {
    const model = (await autoModel(base, { task })) as never;
    await expect(fitTo(model, { train: data, eval: data, ...options })).rejects.toThrow(ArgumentError);
    await expect(fitTo(model, { train: data, eval: data, ...options })).rejects.toThrow(message);
  });

  test("a tag that the model has not, and texts of nothing", async () => {
    const model = await autoModel(base, { task: "tag", labels: ["O", "B-A"] });
    await expect(fitTo(model, { train: tags })).rejects.toThrow(/text \d+ of train has the label "I-A"/);
    const all = await autoModel(base, { task: "tag", labels: tags.labels });
    const [first] = tags.examples;
    for (const text of ["a fox", { words: ["a"] }]) {
      const few = new TextDataset({ ...tags, examples: [{ ...first!, text }] });
      await expect(fitTo(all, { train: few })).rejects.toThrow(
        /text 0 of train has (no|1) words and 3 labels/,
      );
    }
    const masked = await autoModel(base, { task: "maskedLM" });
    await expect(fitTo(masked, { train: plain.some([]) })).rejects.toThrow(DataError);
  });

  test("a model without a tokenizer", async () => {
    const model = await autoModel(base, { task: "classify", tokenizer: null });
    await expect(model.predict(["a"])).rejects.toThrow(/has no tokenizer.*readTokenizer\(folder\)/);
    const { predict } = await autoModel(base);
    expect(predict).toBeTypeOf("function");
    await expect((await autoModel(base)).predict(["a"])).rejects.toThrow(/has no head/);
  });
});
