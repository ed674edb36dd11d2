// As sections.ts, with a LoRA adapter in place of the last layer: what is saved is the adapter and the head, and opens
// beside the base.
//
//   npx tsx examples/sections-lora.ts [EPOCHS]
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { autoModel, fit, lora, readData } from "thaw/models";
import { baseModel } from "./text/base-model.ts";

const [epochs = "3"] = process.argv.slice(2);
const { train, test } = await readData(new URL("data/packages.jsonl", import.meta.url), {
  text: "description",
  label: "section",
  split: { test: 0.2, stratify: true, seed: 1 },
});
const model = await autoModel(await baseModel(), { task: "classify", labels: train.labels });
lora(model, { targetModules: ["query", "value"], rank: 8, modulesToSave: ["classifier"] });
const run = await fit(model, {
  train,
  eval: test,
  epochs: Number(epochs),
  batch: 16,
  lr: 1e-3,
  seed: 1,
});
const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
console.log(`the largest section: ${percent(Math.max(...test.counts()) / test.length)} right`);
console.log(`tuned: ${percent(run.metrics!.accuracy)} right, macro-F1 ${percent(run.metrics!.macroF1)}`);
const folder = mkdtempSync(join(tmpdir(), "thaw-adapter-"));
await model.savePretrained(folder);
const size = readdirSync(folder).find((name) => name === "adapter_model.safetensors")!;
console.log(`the adapter and the head: ${Math.round(statSync(join(folder, size)).size / 1000)} kB`);
const again = await autoModel(folder, { task: "classify", labels: train.labels });
const text = ["a text editor"];
const [own, opened] = [await model.predict(text), await again.predict(text)];
console.log(`opened again: ${own[0]!.score === opened[0]!.score ? "the same" : "another"} answer`);
rmSync(folder, { recursive: true });
