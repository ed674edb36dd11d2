import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import {
  AdapterError,
  ArgumentError,
  FreezeError,
  freeze,
  manualSeed,
  type Tensor,
  tensor,
  writeSafetensors,
} from "thaw";
import {
  autoModel,
  BertForMaskedLM,
  BertForSequenceClassification,
  DistilBertForMaskedLM,
  lora,
  MPNetForMaskedLM,
  RobertaForMaskedLM,
  readData,
  readTokenizer,
  fit as tune,
} from "thaw/models";
import { afterAll, describe, expect, test } from "vitest";
import { openTensors } from "../../src/checkpoint/open.ts";
import { readTensors } from "../../src/checkpoint/read.ts";
import { fixture, inputsOf, weightsOf } from "./fixtures/fixture.ts";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

// More and fewer tokens, against transformers (make-resize.py), and new rows that are trained alone.

interface Case {
  readonly vocabSize: number;
  readonly newRows: number[][];
  readonly newOutputRows: number[][];
  readonly newBiases: number[];
  readonly isTied: boolean;
  readonly shapes: Record<string, number[]>;
  readonly ids: number[][];
  readonly smallerLogits: number[];
}

const here = fileURLToPath(new URL("fixtures/vocabulary/", import.meta.url));
const cases: Record<string, Case> = JSON.parse(gunzipSync(readFileSync(`${here}resize.json.gz`)).toString());
const top = mkdtempSync(join(tmpdir(), "thaw-vocabulary-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

const classes: Record<string, typeof BertForMaskedLM> = {
  bert: BertForMaskedLM,
  roberta: RobertaForMaskedLM as never,
  distilbert: DistilBertForMaskedLM as never,
  mpnet: MPNetForMaskedLM as never,
};
const opened = async (kind: string) => {
  const at = mkdtempSync(join(top, "model-"));
  const { config } = fixture(kind);
  writeFileSync(join(at, "config.json"), JSON.stringify(config));
  writeSafetensors(join(at, "model.safetensors"), weightsOf(fixture(kind)));
  return (await autoModel(at, { task: "maskedLM" })) as unknown as BertForMaskedLM;
};
const outputOf: Record<string, string> = { bert: "cls.predictions.decoder", distilbert: "vocab_projector" };
const bits = (path: string) =>
  new Map(
    [...readTensors(openTensors(join(path, "model.safetensors")))].map(([name, t]) => [
      name,
      { shape: t.shape, data: t.dataSync() as Float32Array },
    ]),
  );

describe.each(Object.keys(cases))("%s", (kind) => {
  const found = cases[kind]!;
  const type = kind.split("-")[0]!;
  const base = type;
  const output = outputOf[type] ?? "lm_head.decoder";

  test("more tokens, in a multiple", async () => {
    const model = await opened(kind);
    expect(model).toBeInstanceOf(classes[type]!);
    const at = (path: string) => model.getParameter(path as never) as ReturnType<typeof tensor>;
    const table = `${base}.embeddings.word_embeddings.weight`;
    const before = at(table);
    const old = (await before.data()).slice();
    const bias = (await at(`${output}.bias`).data()).slice();
    manualSeed(3);
    model.resizeTokenEmbeddings(before.shape[0]! + 5, { padToMultipleOf: 8 });
    expect(model.config.vocab_size).toBe(found.vocabSize);
    expect(model.config).toEqual((model as unknown as Record<string, typeof model>)[base]!.config);
    const now = await at(table).data();
    expect(now.subarray(0, old.length)).toEqual(old);
    // Rows of both are the mean, but for a part of the spread that is 3e-5 of what the old rows have.
    const close = (values: Float32Array, expected: number[]) =>
      expect(Math.max(...expected.map((x, i) => Math.abs(x - values[i]!)))).toBeLessThan(1e-3);
    close(now.subarray(old.length) as Float32Array, found.newRows.flat());
    close(
      (await at(`${output}.weight`).data()).subarray(old.length) as Float32Array,
      found.newOutputRows.flat(),
    );
    const biases = await at(`${output}.bias`).data();
    expect(biases.subarray(0, bias.length)).toEqual(bias);
    close(biases.subarray(bias.length) as Float32Array, found.newBiases);
    expect(at(table) === at(`${output}.weight`)).toBe(found.isTied);
    // What is written has the names and shapes that transformers has, and opens again.
    const folder = join(top, `more-${kind}`);
    await model.savePretrained(folder);
    for (const [name, { shape }] of bits(folder)) expect(shape, name).toEqual(found.shapes[name]);
    const inputs = {
      ...inputsOf(fixture(kind)),
      inputIds: tensor([[2, before.shape[0]! + 4]], { dtype: "i32" }),
      attentionMask: null,
      tokenTypeIds: null,
    };
    const logits = await model.forward(inputs).data();
    expect(logits.length).toBe(2 * found.vocabSize);
    const again = await autoModel(folder, { task: "maskedLM" });
    expect(await again.forward(inputs).data()).toEqual(logits);
  });

  test("fewer tokens", async () => {
    const model = await opened(kind);
    model.resizeTokenEmbeddings((model.config.vocab_size as number) - 7);
    const inputs = { ...inputsOf(fixture(kind)), inputIds: tensor(found.ids, { dtype: "i32" }) };
    const logits = await model.forward(inputs).data();
    for (const [i, x] of found.smallerLogits.entries()) expect(logits[i]).toBeCloseTo(x, 4);
  });
});

const sizes = {
  model_type: "bert",
  vocab_size: 200,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
  initializer_range: 0.5,
};
const spread = (values: ArrayLike<number>) => {
  const list = Array.from(values);
  const mean = list.reduce((sum, x) => sum + x, 0) / list.length;
  return Math.sqrt(list.reduce((sum, x) => sum + (x - mean) ** 2, 0) / list.length);
};

test("how far new rows are from the mean, and rows as of a new model", async () => {
  manualSeed(5);
  const model = new BertForMaskedLM(sizes);
  const { word_embeddings: table } = model.bert.embeddings;
  const column = async (from: number) => (await table.weight.select(1, 3).data()).subarray(from);
  const old = spread(await column(0));
  model.resizeTokenEmbeddings(3200);
  expect(spread(await column(200)) / old).toBeGreaterThan(0.9 * Math.sqrt(1e-9));
  expect(spread(await column(200)) / old).toBeLessThan(1.1 * Math.sqrt(1e-9));
  expect(table.numEmbeddings).toBe(3200);
  expect(model.cls.predictions.decoder.outFeatures).toBe(3200);
  model.resizeTokenEmbeddings(6400, { meanResizing: false });
  expect(spread(await column(3200))).toBeGreaterThan(0.47);
  expect(spread(await column(3200))).toBeLessThan(0.53);
  const biases = await model.cls.predictions.bias.data();
  expect(model.cls.predictions.bias).toBe(model.cls.predictions.decoder.bias);
  expect(biases.subarray(3200).every((x) => x === 0)).toBe(true);
});

test("what cannot be is an error, and nothing has changed", () => {
  const model = new BertForSequenceClassification({ ...sizes, pad_token_id: 3 });
  const { weight } = model.bert.embeddings.word_embeddings;
  for (const tokens of [0, 1.5, Number.NaN, "7" as unknown as number])
    expect(() => model.resizeTokenEmbeddings(tokens)).toThrow(ArgumentError);
  expect(() => model.resizeTokenEmbeddings(9, { padToMultipleOf: 0 })).toThrow(/padToMultipleOf is 0/);
  expect(() => model.resizeTokenEmbeddings(3)).toThrow(/padding is the token 3; keep at least 4/);
  freeze(model, "bert.embeddings.word_embeddings.weight[:100]");
  expect(() => model.resizeTokenEmbeddings(210)).toThrow(FreezeError);
  const adapted = new BertForSequenceClassification(sizes);
  lora(adapted, { targetModules: ["query"] });
  expect(() => adapted.resizeTokenEmbeddings(210)).toThrow(AdapterError);
  expect(model.bert.embeddings.word_embeddings.weight).toBe(weight);
  expect(model.config.vocab_size).toBe(200);
});

const tableOf = async (model: { getParameter(path: string): Tensor }) =>
  (await model.getParameter("bert.embeddings.word_embeddings.weight").data()).slice() as Float32Array;

test("tokens are added, and their rows are trained alone", async () => {
  const folder = join(top, "tuned");
  mkdirSync(folder);
  const base = tinyFolder(top);
  const train = await readData(tinyTexts(top), { label: "label" });
  const tokenizer = await readTokenizer(base);
  tokenizer.addTokens(["dog", "plugins", "lazy", ...Array.from({ length: 50 }, (_, i) => `unheard${i}`)]);
  manualSeed(0);
  const model = await autoModel(base, { task: "classify", labels: train.labels, tokenizer });
  await expect(tune(model, { train, steps: 1 })).rejects.toThrow(
    /has 311 tokens, and the model's table 300 rows; .*model.resizeTokenEmbeddings\(311\)/,
  );
  // Two of the words were whole tokens before.
  const [added, ...others] = ["dog", "plugins", "lazy"]
    .map((token) => tokenizer.idOf(token)!)
    .sort((a, b) => b - a);
  expect(added).toBe(260);
  expect(Math.max(...others)).toBeLessThan(260);
  model.resizeTokenEmbeddings(tokenizer.vocabularySize);
  const before = await tableOf(model);
  const rows = `bert.embeddings.word_embeddings.weight[260:]`;
  const run = await tune(model, {
    train,
    epochs: 2,
    lr: 1e-2,
    weightDecay: 0,
    trains: [rows],
    seed: 1,
    out: folder,
  });
  expect(String(run.report())).toContain("word_embeddings.weight");
  const again = await autoModel(folder, { task: "classify" });
  const after = await tableOf(again);
  expect(after.subarray(0, 260 * 16)).toEqual(before.subarray(0, 260 * 16));
  const row = (values: Float32Array, i: number) => values.slice(i * 16, (i + 1) * 16);
  expect(row(after, added!)).not.toEqual(row(before, added!));
  expect(row(after, tokenizer.idOf("unheard7")!)).toEqual(row(before, tokenizer.idOf("unheard7")!));
  const texts = ["a quick dog", "plugins for a text editor"];
  expect(await again.predict(texts)).toEqual(await model.predict(texts));
  expect(again.tokenizer!.encodeOne("a dog with plugins")).toEqual(tokenizer.encodeOne("a dog with plugins"));
}, 60_000);

test("embeddings get rows for more tokens too", async () => {
  const model = await autoModel(tinyFolder(top), { task: "embed" });
  const before = await (await model.encode(["a text editor"])).data();
  model.tokenizer!.addTokens(Array.from({ length: 60 }, (_, i) => `other${i}`));
  model.resizeTokenEmbeddings(model.tokenizer!.vocabularySize);
  expect(model.config.vocab_size).toBe(320);
  expect(await (await model.encode(["a text editor"])).data()).toEqual(before);
  expect((await model.encode(["other59 other7"])).shape).toEqual([1, 16]);
});
