// A whole training on the built library, for run.ts: from a folder and a file of texts to the folder of the tuned model.
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    data: { type: "string" },
    out: { type: "string" },
    batch: { type: "string" },
    epochs: { type: "string" },
    "max-length": { type: "string" },
  },
});
const dist = new URL("../../dist/", import.meta.url);
const { manualSeed } = await import(new URL("index.js", dist).href);
const { autoModel, fit, readData } = await import(new URL("models/index.js", dist).href);

manualSeed(1);
const train = await readData(values.data, { text: "text", label: "label" });
const model = await autoModel(values.model, { task: "classify", labels: train.labels });
const opened = performance.now();
const run = await fit(model, {
  train,
  epochs: Number(values.epochs),
  batch: Number(values.batch),
  maxLength: Number(values["max-length"]),
  lr: 2e-5,
  out: values.out,
});
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
console.log(
  JSON.stringify({
    loss: run.history.at(-1).trainLoss,
    openMs: opened,
    fitMs: performance.now() - opened,
    peakMiB: maxRSS / 1024,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
  }),
);
