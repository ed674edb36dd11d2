// Descriptions of Debian packages → the section that they are in, of ten: MiniLM's last layer, its pooler and a new head
// are trained.
//
//   npx tsx examples/sections.ts [EPOCHS]
import { autoModel, fit, readData } from "thaw/models";
import { baseModel } from "./text/base-model.ts";

const [epochs = "3"] = process.argv.slice(2);
const { train, test } = await readData(new URL("data/packages.jsonl", import.meta.url), {
  text: "description",
  label: "section",
  split: { test: 0.2, stratify: true, seed: 1 },
});
const model = await autoModel(await baseModel(), { task: "classify", labels: train.labels });
const last = Number(model.config.num_hidden_layers) - 1;
const run = await fit(model, {
  train,
  eval: test,
  epochs: Number(epochs),
  batch: 16,
  trains: ["classifier.**", "bert.pooler.**", `bert.encoder.layer.${last}.**`],
  lr: { "classifier.**": 1e-3, "**": 1e-4 },
  best: "macroF1",
  seed: 1,
});
const { accuracy, macroF1 } = run.metrics!;
const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
console.log(
  `${train.length} texts to train on, ${test.length} to test with, ${train.labels.length} sections`,
);
console.log(`the largest section: ${percent(Math.max(...test.counts()) / test.length)} right`);
console.log(`tuned: ${percent(accuracy)} right, macro-F1 ${percent(macroF1)}`);
const below = run.report().parameters.filter(({ path }) => /embeddings|layer\.0\./.test(path));
const isUnchanged = below.every(({ whileFrozen }) => whileFrozen === "unchanged");
console.log(`what lies below: ${isUnchanged ? "not a bit changed" : "changed"}`);
for (const text of ["a text editor", "a chess game"])
  console.log(`${text}: ${(await model.predict([text]))[0]!.label}`);
