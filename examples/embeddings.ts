// Embeddings that find the description of a package by its name, before and after they are tuned on such pairs.
//
//   npx tsx examples/embeddings.ts [EPOCHS]
import { autoModel, fit, readData } from "thaw/models";
import { baseModel } from "./text/base-model.ts";

const [epochs = "1"] = process.argv.slice(2);
const { train, test } = await readData(new URL("data/packages.jsonl", import.meta.url), {
  text: ["name", "description"],
  label: null,
  split: { test: 0.2, seed: 1 },
});
const model = await autoModel(await baseModel(), { task: "embed" });
const run = await fit(model, { train, eval: test, epochs: Number(epochs), batch: 64, lr: 1e-4, seed: 1 });
const recall = (metrics: typeof run.metrics) => `${(100 * metrics!["recall@10"]!).toFixed(1)} %`;
console.log(`among ${test.length} descriptions, the right one is one of the first ten`);
console.log(`  before: ${recall(run.before)}`);
console.log(`  tuned: ${recall(run.metrics)}`);
