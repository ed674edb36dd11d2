// Steps of tuning a classifier of texts on the built library, for run.ts: a workload is what is trained and how many texts are
// in a batch, as "top 16"; an iteration is one update, of the next batch. `../peers/serve.mjs` has the protocol; times are of the processor.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { serve } from "../peers/serve.mjs";

const { values } = parseArgs({ options: { model: { type: "string" }, inputs: { type: "string" } } });
const dist = new URL("../../dist/", import.meta.url);
const { crossEntropy, optim, tensor, trainStep } = await import(new URL("index.js", dist).href);
const { autoModel, lora } = await import(new URL("models/index.js", dist).href);
const { currentBackend } = await import(new URL("backends/index.js", dist).href);
const { rows, labels } = JSON.parse(readFileSync(values.inputs, "utf8"));

const head = ["classifier.**", "bert.pooler.**"];
const trained = {
  head,
  top: [...head, "bert.encoder.layer.4.**", "bert.encoder.layer.5.**"],
  lora: ["**"],
  all: ["**"],
};

/** Rows are padded to a multiple of so many tokens, as `fit` does. */
const multiple = 8;

function batchesOf(size) {
  return Array.from({ length: Math.floor(rows.length / size) }, (_, i) => {
    const some = rows.slice(i * size, (i + 1) * size);
    const longest = Math.ceil(Math.max(...some.map((row) => row.length)) / multiple) * multiple;
    const padded = (of) =>
      tensor(
        some.map((row) => Array.from({ length: longest }, (_, at) => of(row, at))),
        { dtype: "i32" },
      );
    return [
      padded((row, at) => row[at] ?? 0),
      padded((row, at) => (at < row.length ? 1 : 0)),
      padded(() => 0),
      tensor(labels.slice(i * size, (i + 1) * size), { dtype: "i32" }),
    ];
  });
}

async function build(workload) {
  const [kind, size] = workload.split(" ");
  const names = Array.from({ length: 10 }, (_, k) => `section-${k}`);
  let model = await autoModel(values.model, { task: "classify", labels: names, tokenizer: null });
  if (kind === "lora")
    model = lora(model, { targetModules: ["query", "value"], rank: 8, modulesToSave: ["classifier"] });
  model.train();
  const step = trainStep(new optim.AdamW(model, { lr: 2e-5 }), {
    module: model,
    trains: trained[kind],
    loss: (inputIds, attentionMask, tokenTypeIds, y) =>
      crossEntropy(model.forward({ inputIds, attentionMask, tokenTypeIds }), y),
  });
  const batches = batchesOf(Number(size));
  let at = 0;
  return () => step(...batches[at++ % batches.length]);
}

await serve({
  ready: {
    system: "thaw",
    version: "",
    backend: currentBackend().name,
    threads: 1,
    node: process.version,
  },
  build,
  captured: () => true,
  clock: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e3;
  },
});
