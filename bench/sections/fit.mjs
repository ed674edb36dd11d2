// One training with one seed on the built library, for run.ts; trainer.py does the same. Writes the tuned folder, with
// files for ONNX Runtime, and prints what it predicts of each text of the test.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    train: { type: "string" },
    test: { type: "string" },
    out: { type: "string" },
    trains: { type: "string" },
    rate: { type: "string" },
    epochs: { type: "string" },
    seed: { type: "string" },
  },
});
const dist = new URL("../../dist/", import.meta.url);
const { manualSeed } = await import(new URL("index.js", dist).href);
const { autoModel, fit, readData } = await import(new URL("models/index.js", dist).href);

manualSeed(Number(values.seed));
const columns = { text: "text", label: "label" };
const train = await readData(values.train, columns);
const model = await autoModel(values.model, { task: "classify", labels: train.labels });
const last = Number(model.config.num_hidden_layers) - 1;
const start = performance.now();
await fit(model, {
  train,
  epochs: Number(values.epochs),
  batch: 16,
  maxLength: 64,
  trains:
    values.trains === "all" ? "**" : ["classifier.**", "bert.pooler.**", `bert.encoder.layer.${last}.**`],
  lr: { "classifier.**": 1e-3, "**": Number(values.rate) },
  seed: Number(values.seed),
});
const fitMs = performance.now() - start;
const texts = readFileSync(values.test, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line).text);
const predicted = (await model.predict(texts)).map(({ label }) => label);
await model.savePretrained(values.out, { onnx: ["fp32", "q8"] });
console.log(JSON.stringify({ fitMs, predicted }));
