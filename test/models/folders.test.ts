import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ConfigError,
  crossEntropy,
  FileError,
  optim,
  SafetensorsError,
  StateDictError,
  type Tensor,
  tensor,
  trainStep,
  writeSafetensors,
} from "thaw";
import { commit, currentTrace } from "thaw/engine";
import {
  autoModel,
  BertForSequenceClassification,
  BertModel,
  DistilBertForSequenceClassification,
  type EncoderOutput,
  loadPretrained,
  MPNetForSequenceClassification,
  type PretrainedModel,
  RobertaForSequenceClassification,
} from "thaw/models";
import { afterAll, expect, test } from "vitest";
import { fixture, inputsOf, weightsOf } from "./fixtures/fixture.ts";

// Folders as they are found: of other heads, other dtypes, in several files, with old names, and broken ones.

const top = mkdtempSync(join(tmpdir(), "thaw-folders-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
let made = 0;

/** A folder with files, of JSON or of tensors. */
function folderOf(files: Record<string, unknown>): string {
  const at = join(top, `${made++}`);
  mkdirSync(at);
  for (const [name, content] of Object.entries(files))
    if (content instanceof Map) writeSafetensors(join(at, name), content as Map<string, Tensor>);
    else writeFileSync(join(at, name), typeof content === "string" ? content : JSON.stringify(content));
  return at;
}

const classify = fixture("bert-classify");
const weights = weightsOf(classify);
const config = classify.config;
const inputs = inputsOf(classify);

const logitsOf = async (at: string) => (await autoModel(at, { task: "classify" })).forward(inputs).data();
const expected = await logitsOf(folderOf({ "config.json": config, "model.safetensors": weights }));

const renamed = (rename: (name: string) => string, keep = (_: string) => true) =>
  new Map([...weights].filter(([name]) => keep(name)).map(([name, value]) => [rename(name), value]));

test("old names of norms, and buffers of counted positions", async () => {
  const old = renamed((name) =>
    name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
  );
  old.set("bert.embeddings.position_ids", tensor([[0, 1, 2]], { dtype: "i32" }));
  const at = folderOf({ "config.json": config, "model.safetensors": old });
  expect(await logitsOf(at)).toEqual(expected);
  expect(await loadPretrained(new BertForSequenceClassification(config), at)).toEqual({
    drawn: [],
    unused: [],
  });
});

test("several files under an index", async () => {
  const [even, odd] = [0, 1].map((rest) => new Map([...weights].filter((_, i) => i % 2 === rest)));
  const map = Object.fromEntries(
    [...weights.keys()].map((name) => [
      name,
      even!.has(name) ? "model-1.safetensors" : "model-2.safetensors",
    ]),
  );
  const at = folderOf({
    "config.json": config,
    "model-1.safetensors": even,
    "model-2.safetensors": odd,
    "model.safetensors.index.json": { metadata: {}, weight_map: map },
  });
  expect(await logitsOf(at)).toEqual(expected);
});

test.each(["bf16", "f16"] as const)("weights of %s are what they are, in f32", async (dtype) => {
  const narrow = new Map([...weights].map(([name, value]) => [name, value.to(dtype)]));
  const rounded = new Map([...narrow].map(([name, value]) => [name, value.to("f32")]));
  expect(await logitsOf(folderOf({ "config.json": config, "model.safetensors": narrow }))).toEqual(
    await logitsOf(folderOf({ "config.json": config, "model.safetensors": rounded })),
  );
});

test.each([
  [{ dtype: "float16" }, { dtype: "float32" }],
  [{ dtype: undefined, torch_dtype: "bfloat16" }, { torch_dtype: "float32" }],
  [{ dtype: undefined }, {}],
])("a config of %o says of the weights that are written what they are: %o", async (given, written) => {
  const at = folderOf({ "config.json": { ...config, ...given }, "model.safetensors": weights });
  const model = await autoModel(at, { task: "classify" });
  await model.savePretrained(join(at, "saved"));
  const saved = JSON.parse(readFileSync(join(at, "saved", "config.json"), "utf8"));
  const { dtype, torch_dtype } = saved;
  expect({ dtype, torch_dtype }).toEqual({ dtype: undefined, torch_dtype: undefined, ...written });
});

test("an encoder of a folder with a head, and a head on a folder of an encoder", async () => {
  const withHead = folderOf({ "config.json": config, "model.safetensors": weights });
  const encoder = await autoModel(withHead);
  expect(encoder).toBeInstanceOf(BertModel);
  const bare = renamed(
    (name) => name.replace(/^bert\./, ""),
    (name) => name.startsWith("bert."),
  );
  const at = folderOf({ "config.json": config, "model.safetensors": bare });
  const model = new BertForSequenceClassification(config).eval();
  expect(await loadPretrained(model, at)).toEqual({
    drawn: ["classifier.weight", "classifier.bias"],
    unused: [],
  });
  const own = await model.bert.forward(inputs).poolerOutput!.data();
  expect(own).toEqual(await encoder.forward(inputs).poolerOutput!.data());
  expect((await loadPretrained(new BertModel(config), withHead)).unused).toEqual(
    ["classifier.bias", "classifier.weight"].sort(),
  );
});

test("a pooler that a folder lacks, as one of a masked language model does, is drawn", async () => {
  const without = renamed(
    (name) => name,
    (name) => !name.includes("pooler") && !name.startsWith("classifier"),
  );
  const at = folderOf({ "config.json": config, "model.safetensors": without });
  const pooler = ["bert.pooler.dense.weight", "bert.pooler.dense.bias"];
  expect((await loadPretrained(new BertForSequenceClassification(config), at)).drawn).toEqual([
    ...pooler,
    "classifier.weight",
    "classifier.bias",
  ]);
});

test("a head for other classes is drawn, and its labels are saved", async () => {
  const at = folderOf({ "config.json": config, "model.safetensors": weights });
  const labels = ["a", "b", "c", "d"];
  const model = await autoModel(at, { task: "classify", labels });
  expect(model.forward(inputs).shape).toEqual([3, 4]);
  const saved = join(top, "saved");
  await model.savePretrained(saved);
  const again = await autoModel(saved, { task: "classify" });
  expect(again.labels).toEqual(labels);
  expect(await again.forward(inputs).data()).toEqual(await model.forward(inputs).data());
  expect(JSON.parse(readFileSync(join(saved, "config.json"), "utf8"))).toMatchObject({
    id2label: { 0: "a", 3: "d" },
    label2id: { a: 0, d: 3 },
    architectures: ["BertForSequenceClassification"],
  });
});

test("what is not trained of a model keeps its bits, and its folder's", async () => {
  const at = folderOf({ "config.json": config, "model.safetensors": weights });
  const model = (await autoModel(at, { task: "classify" })).train();
  const step = trainStep(new optim.AdamW(model, { lr: 0.1, weightDecay: 0.1 }), {
    loss: (ids: Tensor, mask: Tensor, y: Tensor) =>
      crossEntropy(model.forward({ inputIds: ids, attentionMask: mask }), y),
    trains: () => ["classifier.**", "bert.encoder.layer.1.**"],
  });
  const labels = tensor([0, 1, 2], { dtype: "i32" });
  for (let i = 0; i < 3; i++) await step(inputs.inputIds, inputs.attentionMask!, labels);
  for (const [path, parameter] of model.namedParameters()) {
    const isTrained = path.startsWith("classifier.") || path.startsWith("bert.encoder.layer.1.");
    const [own, before] = [await parameter.data(), await weights.get(path)!.data()];
    if (isTrained) expect(own, path).not.toEqual(before);
    else expect(own, path).toEqual(before);
  }
});

test("what a folder lacks, or has that cannot be, is named, and nothing is loaded", async () => {
  const without = renamed(
    (name) => name,
    (name) => !name.includes("layer.1.attention.self.query"),
  );
  const at = folderOf({ "config.json": config, "model.safetensors": without });
  await expect(autoModel(at, { task: "classify" })).rejects.toThrow(
    /bert\.encoder\.layer\.1\.attention\.self\.query\.weight is missing/,
  );
  const larger = folderOf({ "config.json": { ...config, vocab_size: 30 }, "model.safetensors": weights });
  await expect(autoModel(larger, { task: "classify" })).rejects.toThrow(
    /word_embeddings\.weight is \[23, 16\], the model has \[30, 16\]/,
  );
  const model = new BertForSequenceClassification(config);
  const before = await model.bert.encoder.layer.at(0).output.dense.weight.data();
  await expect(loadPretrained(model, at)).rejects.toThrow(StateDictError);
  expect(await model.bert.encoder.layer.at(0).output.dense.weight.data()).toEqual(before);

  const pickled = folderOf({ "config.json": config, "pytorch_model.bin": "x" });
  await expect(autoModel(pickled)).rejects.toThrow(SafetensorsError);
  await expect(autoModel(pickled)).rejects.toThrow(/pytorch_model\.bin is a pickle/);
  await expect(autoModel(folderOf({ "config.json": config }))).rejects.toThrow("no .safetensors file");
  await expect(autoModel(folderOf({ "notes.txt": "" }))).rejects.toThrow(
    /no config\.json in the folder .*notes\.txt/,
  );
  await expect(autoModel(join(top, "nowhere"))).rejects.toThrow(FileError);
});

test.each([
  [{ model_type: "gpt2" }, /model_type is "gpt2"; there is bert, roberta/],
  [{ model_type: "__proto__" }, /model_type is "__proto__"/],
  [{ model_type: undefined }, /model_type is not there/],
  [{ hidden_act: "gelu_quick" }, /hidden_act is "gelu_quick"; it must be one of gelu, /],
  [{ hidden_act: "constructor" }, /hidden_act is "constructor"/],
  [{ num_attention_heads: 3 }, /num_attention_heads is 3; it must divide hidden_size, 16/],
  [{ hidden_size: "16" }, /hidden_size is "16"; it must be a whole number/],
  [{ hidden_dropout_prob: 2 }, /hidden_dropout_prob is 2; it must be a number from 0 to 1/],
  [{ position_embedding_type: "relative_key" }, /position_embedding_type is "relative_key"/],
  [{ is_decoder: true }, /is_decoder is true; decoders are not there yet/],
  [{ pruned_heads: { 0: [1] } }, /pruned_heads/],
  [{ quantization_config: { bits: 4 } }, /quantization_config/],
  [{ model_type: "mpnet", relative_attention_num_buckets: 16 }, /relative_attention_num_buckets is 16/],
  [{ pad_token_id: 23 }, /pad_token_id is 23; the vocabulary has 23 tokens/],
  [{ id2label: { 1: "a" } }, /id2label .* name under "0"/],
])("a config with %o is an error that names it", async (change, message) => {
  const at = folderOf({ "config.json": { ...config, ...change }, "model.safetensors": weights });
  const opening = autoModel(at, { task: "classify" });
  await expect(opening).rejects.toThrow(ConfigError);
  await expect(opening).rejects.toThrow(message);
});

test("a config that is no JSON, and inputs that do not fit", async () => {
  await expect(autoModel(folderOf({ "config.json": "{" }))).rejects.toThrow(/config\.json is no JSON/);
  await expect(autoModel(folderOf({ "config.json": "[]" }))).rejects.toThrow(ConfigError);
  const model = new BertModel(config);
  const ids = (shape: number[]) => tensor(new Int32Array(shape.reduce((a, b) => a * b))).reshape(shape);
  expect(() => model.forward({ inputIds: ids([2, 13]) })).toThrow(
    /13 tokens, and the model has positions for 12/,
  );
  expect(() => model.forward({ inputIds: ids([4]) })).toThrow(
    /inputIds are \[4\]; they must be \[batch, length\]/,
  );
  expect(() => model.forward({ inputIds: ids([2, 3]), attentionMask: ids([2, 4]) })).toThrow(
    /attentionMask is \[2, 4\] and inputIds \[2, 3\]/,
  );
  expect(() => model.forward({ inputIds: ids([2, 3]).to("f32") })).toThrow(/inputIds are f32/);
});

test("types of paths: any for a model of a folder, those of its fields for one of a class", async () => {
  const open = await autoModel(folderOf({ "config.json": config, "model.safetensors": weights }));
  open satisfies PretrainedModel<EncoderOutput>;
  trainStep(new optim.SGD(open, { lr: 1 }), {
    loss: () => open.forward(inputs).lastHiddenState.sum(),
    trains: ["encoder.layer.*.output.**"],
  });
  const known = new BertModel(config);
  trainStep(new optim.SGD(known, { lr: 1 }), {
    loss: () => known.forward(inputs).lastHiddenState.sum(),
    // @ts-expect-error: there is no such path in BertModel.
    trains: ["encoder.layers.*.output.**"],
  });
});

test.each([
  ["BERT", BertForSequenceClassification],
  ["RoBERTa", RobertaForSequenceClassification],
  ["DistilBERT", DistilBertForSequenceClassification],
  ["MPNet", MPNetForSequenceClassification],
])("no weight of %s is drawn before it is asked for, so that a folder takes the place of all", (_, Model) => {
  commit();
  const model = new Model({
    ...{ vocab_size: 40, hidden_size: 8, num_attention_heads: 2, num_hidden_layers: 12 },
    ...{
      intermediate_size: 16,
      max_position_embeddings: 40,
      dim: 8,
      n_heads: 2,
      n_layers: 12,
      hidden_dim: 16,
    },
  });
  const { writes } = currentTrace();
  expect(model.namedParameters().filter(([, p]) => !writes.has(p.resident))).toEqual([]);
});
