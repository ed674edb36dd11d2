import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError, ConfigError, NonFiniteError, noGrad, type Tensor, tensor } from "thaw";
import { autoModel, BertModel, EmbeddingModel } from "thaw/models";
import { afterAll, expect, test } from "vitest";
import {
  type EmbeddingFixture,
  embeddingFixture,
  embeddingKinds,
  tensorOf,
  writeFiles,
} from "./fixtures/embeddings/fixture.ts";
import { f32, fixture } from "./fixtures/fixture.ts";

// Folders of sentence-transformers, in and out, against what it computes with them.

const top = mkdtempSync(join(tmpdir(), "thaw-embeddings-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
let made = 0;
const folderOf = (files: Readonly<Record<string, object>>): string =>
  writeFiles(join(top, `${made++}`), files);
const open = (files: Readonly<Record<string, object>>) => autoModel(folderOf(files), { task: "embed" });

const worst = async (a: Tensor, b: Tensor): Promise<number> => (await a.sub(b).abs().max().item()) as number;
const json = (folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));

test.each(embeddingKinds)("%s gives what sentence-transformers gives, and its gradients", async (kind) => {
  const found = embeddingFixture(kind);
  const model = await open(found.files);
  expect(model.training).toBe(false);
  const { texts } = found;
  const embeddings = await model.encode(texts, { batch: 3 });
  expect(embeddings.shape).toEqual(found.embeddings.shape);
  expect(await worst(embeddings, tensorOf(found.embeddings))).toBeLessThan(2e-6);
  for (const [promptName, expected] of Object.entries(found.named))
    expect(await worst(await model.encode(texts, { promptName }), tensorOf(expected))).toBeLessThan(2e-6);
  const prompted = await model.encode(texts, { prompt: "say ", normalize: true });
  expect(await worst(prompted, tensorOf(found.prompted))).toBeLessThan(2e-6);

  model.forward(model.tokenizer!.encode(texts)).mul(tensorOf(found.weights)).sum().backward();
  const parameters = new Map(model.namedParameters());
  const gradients = Object.entries(found.gradients).map(
    ([path, values]) => [pathOf(path), f32(values)] as const,
  );
  const largest = Math.max(...gradients.flatMap(([, g]) => [...g].map(Math.abs)));
  let [most, squares, count] = [0, 0, 0];
  for (const [path, values] of gradients) {
    const own = await parameters.get(path)!.grad!.data();
    for (const [i, x] of values.entries()) {
      const error = Math.abs(own[i]! - x) / largest;
      most = Math.max(most, error);
      squares += error * error;
      count++;
    }
  }
  // 1e-7: the fixture's gradients are f64's rounded to f32. The worst of some thousands is a matter of luck.
  expect(Math.sqrt(squares / count)).toBeLessThan(2 * found.gradientError.rms + 1e-7);
  expect(most).toBeLessThan(4 * found.gradientError.worst + 1e-7);
});

/** What a parameter of sentence-transformers is called here: "0.model.x" is "model.x", and "2.x" the first dense layer's. */
const pathOf = (path: string): string =>
  path.startsWith("0.") ? path.slice(2) : path.replace(/^\d+/, (module) => `dense.${Number(module) - 2}`);

test.each(embeddingKinds)(
  "%s is saved as old versions read it too, and opens with the same bits",
  async (kind) => {
    const { files, texts } = embeddingFixture(kind);
    const model = await open(files);
    const folder = join(top, `${kind}-saved`);
    await model.savePretrained(folder);
    const names = json(folder, "modules.json").map(({ type, path }: Record<string, string>) => [type, path]);
    expect(names.slice(0, 2)).toEqual([
      ["sentence_transformers.models.Transformer", ""],
      ["sentence_transformers.models.Pooling", "1_Pooling"],
    ]);
    for (const [, path] of names) expect(existsSync(join(folder, path, "config.json")), path).toBe(true);
    expect(json(folder, "config_sentence_transformers.json").__version__).toEqual({
      sentence_transformers: "2.0.0",
    });
    expect(json(folder, "sentence_bert_config.json")).toEqual({
      max_seq_length: model.tokenizer!.settings.maxLength,
      do_lower_case: false,
    });
    expect(json(folder, "tokenizer_config.json").tokenizer_class).toBe("PreTrainedTokenizerFast");
    const again = await autoModel(folder, { task: "embed" });
    expect(await (await again.encode(texts)).data()).toEqual(await (await model.encode(texts)).data());
    // Modes in an order that old versions do not have are written as new ones have them.
    const pooling = json(folder, "1_Pooling/config.json");
    if (kind === "left") expect(pooling.pooling_mode).toEqual(["lasttoken", "cls", "weightedmean"]);
    else expect(pooling).toHaveProperty("pooling_mode_mean_tokens", kind !== "cls-dense");
  },
);

/** A folder as version 1 had it: the encoder in a folder of its own, and keys for each mode. */
function oldLayout({ files }: EmbeddingFixture): Record<string, object> {
  const inner = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
  return {
    ...Object.fromEntries(inner.map((name) => [`0_Transformer/${name}`, files[name]!])),
    "0_Transformer/sentence_bert_config.json": { max_seq_length: 20, do_lower_case: false },
    "1_Pooling/config.json": {
      word_embedding_dimension: 8,
      pooling_mode_cls_token: false,
      pooling_mode_mean_tokens: true,
      pooling_mode_max_tokens: false,
      pooling_mode_mean_sqrt_len_tokens: false,
    },
    "modules.json": [
      { idx: 0, name: "0", path: "0_Transformer", type: "sentence_transformers.models.Transformer" },
      { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
      { idx: 2, name: "2", path: "2_Normalize", type: "sentence_transformers.models.Normalize" },
    ],
  };
}

test("the layout of old versions, and a folder of an encoder alone", async () => {
  const found = embeddingFixture("mean");
  const old = await open(oldLayout(found));
  expect(await worst(await old.encode(found.texts), tensorOf(found.embeddings))).toBeLessThan(2e-6);
  const { "modules.json": _, ...bare } = found.files;
  const model = await open(bare);
  expect(model.pooling).toEqual(["mean"]);
  expect(model.normalizes).toBe(false);
  const own = await model.encode(found.texts, { normalize: true });
  expect(await worst(own, tensorOf(found.embeddings))).toBeLessThan(2e-6);
  // A pooler that an encoder's folder lacks is drawn: embeddings do not depend on it.
  const weights = Object.entries(bare["model.safetensors"]!).filter(([name]) => !name.startsWith("pooler."));
  const without = await open({ ...bare, "model.safetensors": Object.fromEntries(weights) });
  expect(await (await without.encode(found.texts)).data()).toEqual(
    await (await model.encode(found.texts)).data(),
  );
});

test("modes are as before, nothing is kept for gradients, and no texts are no rows", async () => {
  const { files, texts } = embeddingFixture("mean");
  const model = (await open(files)).train();
  const first = await model.encode(texts);
  expect(model.training).toBe(true);
  expect(first.requiresGrad).toBe(false);
  expect(await (await model.encode(texts)).data()).toEqual(await first.data());
  expect((await model.encode([])).shape).toEqual([0, 8]);
  noGrad(() => model.model.namedParameters()[0]![1].fill_(Number.NaN));
  await expect(model.encode(texts)).rejects.toThrow(NonFiniteError);
});

test.each([
  ["modules.json", {}, /is no list of modules/],
  ["modules.json", [{ path: "" }], /a module has no path or no type/],
  [
    "modules.json",
    [{ path: "../x", type: "sentence_transformers.models.Transformer" }],
    /"\.\.\/x" leads out of the folder/,
  ],
  [
    "modules.json",
    [{ path: "", type: "sentence_transformers.models.Transformer" }],
    /the modules are Transformer; they must begin/,
  ],
  [
    "modules.json",
    [
      { path: "", type: "a.Transformer" },
      { path: "1_Pooling", type: "a.Pooling" },
      { path: "2_LSTM", type: "a.LSTM" },
    ],
    /the modules are Transformer, Pooling, LSTM; behind Pooling/,
  ],
  [
    "1_Pooling/config.json",
    { pooling_mode: "median" },
    /pooling_mode is "median"; it must be one or several of cls/,
  ],
  ["1_Pooling/config.json", { include_prompt: false }, /include_prompt is false/],
  ["2_Dense/config.json", { in_features: 8, out_features: 5, use_residual: true }, /use_residual is true/],
  [
    "2_Dense/config.json",
    { in_features: 8, out_features: 5, activation_function: "os.system" },
    /activation_function is "os\.system"; it must be one of torch/,
  ],
])("%s of %o is an error that says so", async (name, content, message) => {
  const opening = open({ ...embeddingFixture("cls-dense").files, [name]: content });
  await expect(opening).rejects.toThrow(ConfigError);
  await expect(opening).rejects.toThrow(message);
});

test("what cannot be encoded, and layers that do not fit", async () => {
  const { files } = embeddingFixture("left");
  const model = await open(files);
  await expect(model.encode("a" as never)).rejects.toThrow(/the texts are string; give a list/);
  await expect(model.encode(["a", 1 as never])).rejects.toThrow(/text 1 is number/);
  await expect(model.encode(["a"], { batch: 0 })).rejects.toThrow(ArgumentError);
  await expect(model.encode(["a"], { promptName: "qurey" })).rejects.toThrow(
    /no prompt "qurey"; it has document, query/,
  );
  await expect(model.encode(["a"], { promptName: "constructor" })).rejects.toThrow(ArgumentError);
  const { "tokenizer.json": _, ...without } = files;
  await expect((await open(without)).encode(["a"])).rejects.toThrow(/no tokenizer/);
  const bert = new BertModel(fixture("bert-encode").config);
  const dense = [
    { inFeatures: 8, outFeatures: 5, bias: true, activation: "torch.nn.modules.activation.Tanh" },
  ];
  expect(() => new EmbeddingModel(bert, { dense })).toThrow(
    /dense layer 0 takes 8 numbers, and there are 16/,
  );
  await expect(autoModel(folderOf(files), { task: "embed", labels: ["a"] })).rejects.toThrow(
    /a model for "embed" has none/,
  );
});

test("a forward pass without a mask counts every token", async () => {
  const { files } = embeddingFixture("mean");
  const model = await open(files);
  const inputIds = tensor([[2, 25, 178, 3]], { dtype: "i32" });
  const attentionMask = tensor([[true, true, true, true]]);
  expect(await model.forward({ inputIds }).data()).toEqual(
    await model.forward({ inputIds, attentionMask }).data(),
  );
});
