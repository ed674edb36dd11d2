// Writes a folder of tiny models, of adapters for them, and of what thaw computes with each: open.py opens them with PEFT.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manualSeed, tensor } from "thaw";
import {
  BertForMaskedLM,
  BertForSequenceClassification,
  deleteAdapter,
  type LoraOptions,
  lora,
  saveAdapter,
  savePretrained,
} from "thaw/models";

const into = process.argv[2] ?? "adapters-of-thaw";
const sizes = {
  vocab_size: 23,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 12,
  initializer_range: 0.4,
};
const kinds: Record<string, ["classify" | "maskedLM", LoraOptions]> = {
  lora: ["classify", { targetModules: ["query", "value"], rank: 4, modulesToSave: ["classifier"] }],
  "rsLoRA with patterns": [
    "classify",
    {
      targetModules: "all-linear",
      useRslora: true,
      rankPattern: { "attention.output.dense": 2 },
      alphaPattern: { "layer.1.*query": 3 },
    },
  ],
  DoRA: [
    "classify",
    { targetModules: ["dense", "word_embeddings"], useDora: true, modulesToSave: ["pooler"] },
  ],
  "an expression and all biases": ["classify", { targetModules: /.*layer\.0.*(key|dense)/, bias: "all" }],
  "some layers and their biases": [
    "classify",
    {
      targetModules: ["query", "dense"],
      layersToTransform: [1],
      excludeModules: ["output.dense"],
      bias: "loraOnly",
    },
  ],
  "a tied table": ["maskedLM", { targetModules: ["word_embeddings", "query"], rank: 3 }],
  "a tied table and its head, whole": [
    "maskedLM",
    { targetModules: ["query"], modulesToSave: ["word_embeddings", "predictions"] },
  ],
  "rows of a tied table": [
    "maskedLM",
    { targetModules: ["key"], trainableTokenIndices: { word_embeddings: [7, 3, 5] } },
  ],
  "biases alone": ["classify", { targetModules: [], bias: "all" }],
};

manualSeed(3);
const models = {
  classify: new BertForSequenceClassification({ ...sizes, model_type: "bert", num_labels: 3 }),
  maskedLM: new BertForMaskedLM({ ...sizes, model_type: "bert" }),
};
const inputIds = tensor(
  [
    [2, 7, 5, 9, 3],
    [4, 8, 3, 3, 6],
  ],
  { dtype: "i32" },
);
mkdirSync(into, { recursive: true });
for (const [task, model] of Object.entries(models)) savePretrained(model.eval(), join(into, task));
const cases: unknown[] = [];
for (const [name, [task, options]] of Object.entries(kinds)) {
  const model = models[task];
  lora(model, { ...options, initLoraWeights: false });
  // What is trained is not what it begins as.
  for (const p of model.parameters()) if (!p.frozen && p.frozenRegion === null) p.assign(p.add(0.1));
  saveAdapter(model, join(into, name), { baseModelName: task });
  cases.push({ name, task, logits: await model.forward({ inputIds }).toArray() });
  deleteAdapter(model, "default");
}
writeFileSync(join(into, "cases.json"), JSON.stringify({ inputIds: await inputIds.toArray(), cases }));
console.log(`${cases.length} adapters in ${into}`);
