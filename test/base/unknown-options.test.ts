import * as thaw from "thaw";
import * as models from "thaw/models";
import * as testing from "thaw/testing";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { layerDocs } from "../../scripts/layer-docs.ts";
import { readSources } from "../../scripts/sources.ts";
import { publicOptions, type TakesOptions } from "./public-options.ts";

const { nn, optim, data } = thaw;
const net = new nn.Linear(2, 2);
const adam = new optim.Adam(net, { lr: 0.1 });
const x = thaw.ones([2, 2]);
const place = thaw.opfs("never reached");
const sizes = {
  vocab_size: 40,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
};
const classifier = new models.BertForSequenceClassification({ ...sizes, id2label: { 0: "a", 1: "b" } });

const sides = { truncationSide: "right", paddingSide: "right" } as const;

/** An option that nothing has. */
const misspelt = { zzz: 1 };
const isRefused = { name: "ArgumentError", message: expect.stringMatching(/no (option )?"?zzz/) };

/** What stands before the options, of what has no example in a docstring; by place too, where there are two ways. */
const before: Record<string, readonly unknown[]> = {
  arange: [0, 4, 1],
  atUrl: ["https://example.org"],
  audit: [adam],
  capture: [() => x],
  indexedDb: ["key"],
  loadFrom: [place, {}],
  module: ["**"],
  normal: [[2], 0, 1],
  "normal 2": [x, 1],
  profile: [() => x],
  readFrom: [place],
  rows: ["weight", [0]],
  saveTo: [place, {}],
  serializeSafetensors: [{}],
  startTrainer: ["trainer.js"],
  trainStep: [adam],
  writeSafetensors: ["never.safetensors", {}],
  "data.mix": [{ a: [1] }],
  "data.padSequence": [[x]],
  "data.padToMultiple": [x, 2],
  "data.parseCsv": ["1"],
  "data.randomSplit": [new data.TensorDataset(x), [1, 1]],
  "data.unpadSequence": [x, [2, 2]],
  "distributed.startRanks": ["rank.js"],
  "models.autoModel": ["never"],
  "models.cosentLoss": [[x, x], x],
  "models.exportOnnx": ["never.onnx", () => [x]],
  "models.fit": [classifier],
  "models.gradualUnfreezing": [classifier],
  "models.linearProbeThenFinetune": [classifier],
  "models.loadAdapter": [net, "never"],
  "models.loadPretrained": [classifier, "never"],
  "models.lora": [net],
  "models.multipleNegativesRankingLoss": [[x, x]],
  "models.readData": ["never.jsonl"],
  "models.saveAdapter": [net, "never"],
  "models.tripletLoss": [[x, x, x]],
  "new models.BertModel": [sizes],
  "new models.EmbeddingModel": [new models.BertModel(sizes)],
  "new models.MPNetModel": [sizes],
  "new models.RobertaModel": [sizes],
  "testing.assertClose": [x, x],
  "testing.gradcheck": [() => x, []],
  "testing.gradgradcheck": [() => x, []],
  "new CheckpointFolder": ["never"],
  "new Buffer": [x],
  "new ModuleSelector": ["**"],
  "new Parameter": [x],
  "new Progress": [1],
  "new data.DataLoader": [new data.TensorDataset(x)],
  "new nn.BatchNorm": [2],
  "new optim.EMA": [net],
  "new nn.TransformerDecoder": [new nn.TransformerDecoderLayer(4, 2), 1],
  "new nn.TransformerEncoder": [new nn.TransformerEncoderLayer(4, 2), 1],
  "nn.Embedding.fromPretrained": [x],
  "nn.EmbeddingBag.fromPretrained": [x],
  "nn.Transformer.generateSquareSubsequentMask": [2],
  "nn.weightNorm": [net],
  "optim.clipGradNorm_": [net.parameters(), 1],
};

/** What the examples of docstrings make layers of. */
const examples = new Map(
  layerDocs(readSources()).map(({ name, example }) => [
    `new nn.${name}`,
    () => argumentsIn(example ?? "", name),
  ]),
);

function argumentsIn(example: string, name: string): unknown[] {
  const source = ts.createSourceFile("example.ts", example, ts.ScriptTarget.Latest, true);
  const made = (node: ts.Node): ts.NewExpression | undefined =>
    ts.isNewExpression(node) && node.expression.getText() === `nn.${name}`
      ? node
      : ts.forEachChild(node, made);
  const texts = made(source)?.arguments?.map((argument) => argument.getText()) ?? [];
  const list = new Function(...Object.keys(thaw), `return [${texts.join(", ")}]`);
  return list(...Object.values(thaw)) as unknown[];
}

function argumentsOf(name: string, at: number): unknown[] {
  const known =
    before[`${name} ${at}`] ?? before[name] ?? examples.get(name)?.() ?? (at === 0 ? [] : undefined);
  if (known !== undefined) return [...known, ...Array(at).fill(undefined)].slice(0, at);
  if (name.startsWith("new optim.lrScheduler.")) return [adam];
  if (name.startsWith("new optim.")) return [[net.weight]];
  if (name.startsWith("nn.init.")) return [x];
  throw new Error(`${name}: say in this test what comes before its options`);
}

type Callee = { new (...args: unknown[]): unknown; (...args: unknown[]): unknown };

/** Names an entry's exports as those of a namespace. */
const within =
  (entry: string) =>
  ({ name, at }: TakesOptions): TakesOptions => ({
    name: name.startsWith("new ") ? `new ${entry}.${name.slice(4)}` : `${entry}.${name}`,
    at,
  });

const found = [
  ...publicOptions("src/index.ts"),
  ...publicOptions("src/testing/index.ts").map(within("testing")),
  ...publicOptions("src/models/index.ts").map(within("models")),
].filter(
  // Errors take what JavaScript's do; an optimizer of one's own has the options that its definition names; what a model
  // takes by itself, and the first of these, are models and their inputs.
  ({ name, at }) =>
    !/^new \w*Error$|Error\.|^new optim\.Optimizer$|^models\.embedInChunks$/.test(name) &&
    !(at === 0 && /models\./.test(name)),
);
const members = found.map(({ name, at }) => {
  const path = name.replace(/^new /, "").split(".");
  const last = path.pop()!;
  const owner = path.reduce<object>((held, part) => held[part as never], {
    ...thaw,
    models,
    testing,
  }) as Record<string, Callee>;
  return { name, at, owner, last };
});

test("all that take options are found", () => {
  const names = found.map(({ name }) => name);
  expect(names).toContain("new nn.LayerNorm");
  expect(names).toContain("nn.init.uniform_");
  expect(names).toContain("profile");
  expect(names.length).toBeGreaterThan(200);
});

// What has a signature is called by a function that checks it: see test/tensor. Of some classes only the type is public.
const own = members.filter(({ owner, last }) => owner[last] !== undefined && owner[last].name !== "checked");
test.each(own)("$name refuses an option that it has not", async ({ name, at, owner, last }) => {
  const args = [...argumentsOf(name, at), misspelt];
  const call = async () => (name.startsWith("new ") ? new owner[last]!(...args) : owner[last]!(...args));
  await expect(call()).rejects.toMatchObject(isRefused);
});

describe("methods refuse an option that they have not", () => {
  const ema = new optim.EMA(net);
  const embedder = new models.EmbeddingModel(new models.BertModel(sizes));
  const empty = {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
  };
  const model = { type: "WordPiece", vocab: { "[UNK]": 0, a: 1 }, unk_token: "[UNK]" };
  const json = { ...empty, model };
  const tokenizer = new models.TextTokenizer(json, {}, { ...sides, name: "small", maxLength: 8 });
  const calls: Record<string, (options: never) => unknown> = {
    namedModules: (o) => net.namedModules(o),
    namedParameters: (o) => net.namedParameters(o),
    namedBuffers: (o) => net.namedBuffers(o),
    loadStateDict: (o) => net.loadStateDict(net.stateDict(), o),
    zeroGrad: (o) => net.zeroGrad(o),
    registerForwardHook: (o) => net.registerForwardHook(() => undefined, o),
    registerForwardPreHook: (o) => net.registerForwardPreHook(() => undefined, o),
    "an optimizer's zeroGrad": (o) => adam.zeroGrad(o),
    "an optimizer's namedParameters": (o) => adam.namedParameters(o),
    "an optimizer's stateDict": (o) => adam.stateDict(o),
    "an optimizer's loadStateDict": (o) => adam.loadStateDict(adam.stateDict(), o),
    "an optimizer's setStatePolicy": (o) => adam.setStatePolicy(net, o),
    predict: (o) => classifier.predict([], o),
    savePretrained: (o) => classifier.savePretrained("never", o),
    resizeTokenEmbeddings: (o) => classifier.resizeTokenEmbeddings(9, o),
    "an embedding model's encode": (o) => embedder.encode([], o),
    "an embedding model's savePretrained": (o) => embedder.savePretrained("never", o),
    "a tokenizer's encode": (o) => tokenizer.encode(["a"], o),
    "a tokenizer's encodeOne": (o) => tokenizer.encodeOne("a", o),
    "a tokenizer's decode": (o) => tokenizer.decode([1], o),
    "a tokenizer's addTokens": (o) => tokenizer.addTokens(["a"], o),
    "a split": (o) => models.readData("never.jsonl", { split: { test: 0.5, ...(o as object) } }),
    "an average's stateDict": (o) => ema.stateDict(o),
    "an average's loadStateDict": (o) => ema.loadStateDict(ema.stateDict(), o),
  };
  test.each(Object.entries(calls))("%s", async (_, call) => {
    await expect((async () => call(misspelt as never))()).rejects.toMatchObject(isRefused);
  });
});

test("the error says which option is nearest", () => {
  expect(() => new nn.LayerNorm(2, { elementwiseAfine: false } as never)).toThrow(
    "LayerNorm: there is no option elementwiseAfine; there are eps, elementwiseAffine, bias, of which " +
      "elementwiseAffine is nearest (given: elementwiseAfine: false)",
  );
  expect(() => new nn.BatchNorm1d(2, { epps: 1 } as never)).toThrow(/^BatchNorm1d: there is no option epps/);
  expect(() => new nn.Softmax(1 as never)).toThrow("Softmax: its options are 1; give an object: { dim }");
});

test("options that are undefined, and objects of a class that has more fields, are taken", () => {
  class Config {
    eps = 1e-3;
    layers = 2;
  }
  expect(new nn.LayerNorm(2, new Config()).eps).toBe(1e-3);
  expect(new nn.LayerNorm(2, { eps: undefined } as never).eps).toBe(1e-5);
  expect(new nn.GLU(Object.assign(Object.create(null), { dim: 0 })).dim).toBe(0);
});
