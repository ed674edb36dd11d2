import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ArgumentError,
  DataError,
  freeze,
  getRandomState,
  manualSeed,
  module,
  NonFiniteError,
  type nn,
  noGrad,
  SelectorError,
} from "thaw";
import {
  autoModel,
  type Classifier,
  DistilBertForSequenceClassification,
  type FitOptions,
  fit as fitTo,
  RobertaForSequenceClassification,
  readData,
  readTokenizer,
  TextDataset,
} from "thaw/models";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { groupsOfRates, warmUpAndDecay } from "../../src/models/fit/rates.ts";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

// `fit` is called `fitTo` here: the linter takes the other for a test that is to run alone.
const top = mkdtempSync(join(tmpdir(), "thaw-fit-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

const base = tinyFolder(top);
const { train, test: held } = await readData(tinyTexts(top), {
  split: { test: 0.2, stratify: true, seed: 1 },
});

/** A model whose head is drawn the same each time. */
function drawn(labels: readonly string[] = train.labels): Promise<Classifier> {
  manualSeed(3);
  return autoModel(base, { task: "classify", labels });
}

async function valuesOf(model: nn.Module): Promise<Map<string, unknown>> {
  const values = new Map<string, unknown>();
  for (const [path, p] of model.namedParameters()) values.set(path, (await p.data()).slice());
  return values;
}

const some: FitOptions = { train, eval: held, batch: 16, lr: 3e-3, seed: 1 };
const few: FitOptions = { ...some, epochs: 2 };

describe.each(["wasm", "native"])("on %s", (backend) => {
  beforeEach(() => {
    settings.backend = backend;
  });

  test("what is trained learns, what is not stays bit for bit, and the same seed gives the same bits", async () => {
    const trains = ["classifier.**", "bert.pooler.**", "bert.encoder.layer.1.**"];
    const isTrained = (path: string) => trains.some((glob) => path.startsWith(glob.slice(0, -2)));
    const once = async () => {
      const model = await drawn();
      const before = await valuesOf(model);
      const run = await fitTo(model, { ...few, trains, epochs: 6, batch: 8, lr: 1e-2 });
      return { model, before, run, after: await valuesOf(model) };
    };
    const first = await once();
    const second = await once();
    expect(second.after).toEqual(first.after);
    expect(second.run.history).toEqual(first.run.history);
    for (const [path, values] of first.after)
      if (isTrained(path)) expect(values, path).not.toEqual(first.before.get(path));
      else expect(values, path).toEqual(first.before.get(path));
    const { history, metrics } = first.run;
    expect(history.map(({ step }) => step)).toEqual([6, 12, 18, 24, 30, 36]);
    expect(history.at(-1)!.trainLoss).toBeLessThan(0.5 * history[0]!.trainLoss);
    expect(metrics!.accuracy).toBeGreaterThan(0.75);
    const { parameters } = first.run.report();
    expect(parameters.filter(({ timesStepped }) => timesStepped > 0).map(({ path }) => path)).toEqual(
      parameters.map(({ path }) => path).filter(isTrained),
    );

    // What predict says is what the metrics counted.
    const texts = held.examples.map(({ text }) => text);
    const found = await first.model.predict(texts, { batch: 5 });
    const right = found.filter(({ label }, i) => label === held.labels[held.at(i)!.target as number]);
    expect(right.length / texts.length).toBeCloseTo(metrics!.accuracy, 12);
  });
});

describe("on wasm", () => {
  beforeEach(() => {
    settings.backend = "wasm";
  });

  test("another seed gives another order and dropout; random numbers and modes stand where they stood", async () => {
    const model = await drawn();
    model.modules()[3]!.train();
    const modes = model.modules().map(({ training }) => training);
    const random = getRandomState();
    await fitTo(model, { ...few, epochs: 1 });
    expect(getRandomState()).toEqual(random);
    expect(model.modules().map(({ training }) => training)).toEqual(modes);
    const other = await drawn();
    await fitTo(other, { ...few, epochs: 1, seed: 2 });
    expect(await valuesOf(other)).not.toEqual(await valuesOf(model));
  });

  const common = { vocab_size: 300, max_position_embeddings: 26, num_labels: 2 };
  const architectures = [
    new DistilBertForSequenceClassification({
      ...common,
      ...{ model_type: "distilbert", dim: 16, n_layers: 1, n_heads: 2, hidden_dim: 32 },
    }),
    new RobertaForSequenceClassification({
      ...common,
      ...{ model_type: "roberta", pad_token_id: 1, hidden_size: 16, num_hidden_layers: 1 },
      ...{ num_attention_heads: 2, intermediate_size: 32 },
    }),
  ];
  test.each(architectures.map((model) => [model.architecture, model] as const))(
    "%s is tuned on pairs, though it has no use for which text a token is of",
    async (_, model) => {
      const pairs = new TextDataset({
        ...train,
        labels: ["LABEL_0", "LABEL_1"],
        examples: train.examples.map(({ text, target }) => ({ text: [text as string, "a fox"], target })),
      });
      model.tokenizer = readTokenizer(base);
      const before = await valuesOf(model);
      const run = await fitTo(model, {
        ...some,
        train: pairs,
        eval: pairs,
        steps: 3,
        trains: "classifier.**",
      });
      expect(run.history.map(({ step }) => step)).toEqual([3]);
      for (const [path, values] of await valuesOf(model))
        if (path.startsWith("classifier.")) expect(values, path).not.toEqual(before.get(path));
        else expect(values, path).toEqual(before.get(path));
      await expect(model.predict(["a fox"], { maxLength: 4 })).resolves.toHaveLength(1);
    },
  );

  test("the weights of the best epoch are put back", async () => {
    // With a rate that destroys what there is, the first epoch is not the worst.
    const options: FitOptions = { ...few, epochs: 4, lr: 0.5, clipNorm: null, warmup: 0, best: "loss" };
    const model = await drawn();
    const run = await fitTo(model, options);
    const losses = run.history.map(({ metrics }) => metrics!.loss);
    const least = losses.indexOf(Math.min(...losses));
    expect(run.epoch).toBe(least + 1);
    expect(run.metrics).toBe(run.history[least]!.metrics);
    const again = await fitTo(model, { ...some, steps: 1, lr: 0 });
    expect(again.metrics!.loss).toBe(losses[least]);
    expect(Math.max(...losses)).toBeGreaterThan(losses[least]!);
  });

  test("patience ends it after epochs that were no better", async () => {
    const run = await fitTo(await drawn(), { ...few, epochs: 9, lr: 0, best: "macroF1", patience: 2 });
    expect([run.epoch, run.history.length]).toEqual([1, 3]);
  });

  test("rates: the first selector that names a parameter holds, and defaults for head and body", async () => {
    const model = await drawn();
    const run = await fitTo(model, {
      ...some,
      steps: 1,
      lr: { "classifier.bias": 0, "classifier.**": 1e-3, "**": 2e-5 },
    });
    expect(run.rates.map(({ of, lr, paths }) => [of, lr, paths.length])).toEqual([
      ["classifier.bias", 0, 1],
      ["classifier.**", 1e-3, 1],
      ["**", 2e-5, model.parameters().length - 2],
    ]);
    const { lr: _, ...others } = some;
    const usual = await fitTo(model, {
      ...others,
      steps: 1,
      trains: ["classifier.**", "bert.pooler.**"],
    });
    expect(usual.rates).toEqual([
      { of: "head", lr: 1e-3, paths: ["classifier.weight", "classifier.bias"] },
      { of: "body", lr: 2e-5, paths: ["bert.pooler.dense.weight", "bert.pooler.dense.bias"] },
    ]);
    expect(String(usual)).toContain("head");
  });

  test("the first update of a warm-up moves nothing", async () => {
    const model = await drawn();
    const before = await valuesOf(model);
    await fitTo(model, { ...some, steps: 1, warmup: 1 });
    expect(await valuesOf(model)).toEqual(before);
  });

  test("labels are the same where names are, whatever their order in a file", async () => {
    const turned = new TextDataset({
      ...held,
      labels: [...held.labels].reverse(),
      examples: held.examples.map(({ text, target }) => ({ text, target: 1 - (target as number) })),
    });
    const straight = await fitTo(await drawn(), { ...few, epochs: 1 });
    const other = await fitTo(await drawn(), { ...few, epochs: 1, eval: turned });
    expect(other.metrics).toEqual(straight.metrics);
  });

  test("weights of labels: balanced ones of equal numbers are none, and others change what is learned", async () => {
    const lossOf = async (options: Partial<FitOptions>) =>
      (await fitTo(await drawn(), { ...few, epochs: 1, ...options })).history[0]!.trainLoss;
    const plain = await lossOf({});
    expect(await lossOf({ classWeights: "balanced" })).toBeCloseTo(plain, 5);
    expect(await lossOf({ classWeights: [1, 9] })).not.toBeCloseTo(plain, 3);
    expect(await lossOf({ labelSmoothing: 0.3 })).not.toBeCloseTo(plain, 3);
  });

  test("an abort ends it before the next update, and modes are as before", async () => {
    const model = await drawn();
    const before = await valuesOf(model);
    const stop = new Error("enough");
    await expect(fitTo(model, { ...few, signal: AbortSignal.abort(stop) })).rejects.toBe(stop);
    expect(await valuesOf(model)).toEqual(before);
    expect(model.training).toBe(false);
  });

  test("scores are probabilities, and what freezing holds in a mode stays in it", async () => {
    const model = await drawn();
    const scope = freeze(model, module("bert"));
    model.train();
    const found = await model.predict(["quick fox", ["lazy dog", "text editor"]]);
    scope[Symbol.dispose]();
    expect(model.modules().every(({ training }) => training)).toBe(true);
    expect(found.length).toBe(2);
    for (const { label, score } of found) {
      expect(train.labels).toContain(label);
      expect(score).toBeGreaterThanOrEqual(0.5);
      expect(score).toBeLessThan(1);
    }
    expect(await model.predict([])).toEqual([]);
  });
});

test("rates rise in a line to the first full one, and fall in a line to 0 at the last update", () => {
  const factor = warmUpAndDecay(10, 0.2);
  const factors = Array.from({ length: 11 }, (_, step) => factor(step));
  expect(factors).toEqual([0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0]);
  expect([0, 1, 2].map(warmUpAndDecay(2, 0))).toEqual([1, 0.5, 0]);
});

test("matrices decay; biases and what norms scale by do not", async () => {
  const model = await drawn();
  const paths = ["classifier.weight", "classifier.bias", "bert.embeddings.LayerNorm.weight"];
  const trained = new Map(paths.map((path) => [path, model.getParameter(path)]));
  const groups = groupsOfRates([{ of: "all", lr: 1e-3, paths }], trained, 0.1);
  expect(
    groups.map(({ params, rate, weightDecay }) => [params.map(([path]) => path), rate, weightDecay]),
  ).toEqual([
    [["classifier.weight"], 0, 0.1],
    [["classifier.bias", "bert.embeddings.LayerNorm.weight"], 0, 0],
  ]);
});

describe("what cannot be", () => {
  beforeEach(() => {
    settings.backend = "wasm";
  });
  const refused: [string, Partial<FitOptions>, new (message: string) => Error, RegExp][] = [
    ["no texts", { train: train.some([]) }, DataError, /train has no texts; give at least one/],
    [
      "one label",
      { train: train.some([0, 0]) },
      DataError,
      /all 2 texts of train have the label "\w+"; give texts of at least two/,
    ],
    [
      "another kind",
      { train: new TextDataset({ ...train, kind: "number" }) },
      ArgumentError,
      /train is of kind "number".*takes "class"/,
    ],
    [
      "a label of eval that is unknown",
      { eval: new TextDataset({ ...held, labels: ["plants", "software"] }) },
      DataError,
      /of eval has the label "plants".*"animals", "software"/,
    ],
    ["trains that names nothing", { trains: ["clasifier.**"] }, SelectorError, /clasifier/],
    [
      "trains that names nothing any more",
      { trains: ["bert.**", "!bert.**"] },
      ArgumentError,
      /leaves nothing to train/,
    ],
    ["a rate for nothing", { lr: { "head.**": 1e-3, "**": 1e-5 } }, SelectorError, /head/],
    ["no rate for some", { lr: { "classifier.**": 1e-3 } }, ArgumentError, /add "\*\*" as the last of lr/],
    ["a rate that is none", { lr: -1 }, ArgumentError, /"all" is -1/],
    ["epochs and steps", { epochs: 1, steps: 1 }, ArgumentError, /give one of them/],
    ["half an epoch", { epochs: 0.5 }, ArgumentError, /epochs is 0.5/],
    ["a long text", { maxLength: 25 }, ArgumentError, /up to 24/],
    ["best without texts", { best: "loss", eval: undefined as never }, ArgumentError, /give eval/],
    ["patience without best", { patience: 1 }, ArgumentError, /give best/],
    ["a warm-up beyond the end", { warmup: 2 }, ArgumentError, /warmup is 2/],
    ["weights for another number of labels", { classWeights: [1] }, ArgumentError, /for each of 2 labels/],
  ];
  test.each(refused)("%s", async (_, options, kind, message) => {
    const model = await drawn();
    const before = await valuesOf(model);
    const done = fitTo(model, { ...few, ...options });
    await expect(done).rejects.toThrow(kind);
    await expect(done).rejects.toThrow(message);
    expect(await valuesOf(model)).toEqual(before);
  });

  test("a label that balanced weights have no text of", async () => {
    const model = await drawn(["animals", "plants", "software"]);
    await expect(fitTo(model, { ...few, classWeights: "balanced" })).rejects.toThrow(
      /"plants".*give classWeights as numbers/,
    );
  });

  test("models that give no label for a text", async () => {
    const tagger = await autoModel(base, { task: "tag", labels: train.labels });
    await expect(fitTo(tagger, few)).rejects.toThrow(/train is of kind "class", and the model takes "tags"/);
    const encoder = (await autoModel(base)) as never;
    await expect(fitTo(encoder, few)).rejects.toThrow(/has no head; .*task: "classify"/);
    await expect((await drawn(["one"])).predict(["a"])).rejects.toThrow(/nothing to choose from/);
  });

  test("weights that are not finite", async () => {
    const model = await drawn();
    noGrad(() => model.getParameter("classifier.bias").fill_(Number.NaN));
    await expect(model.predict(["a"])).rejects.toThrow(NonFiniteError);
    const before = await valuesOf(model);
    await expect(fitTo(model, few)).rejects.toThrow(NonFiniteError);
    expect(await valuesOf(model)).toEqual(before);
  });
});
