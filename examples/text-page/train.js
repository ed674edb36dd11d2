// Runs in a worker: all that is thaw's. `npm run page:text` bundles it.
import { autoModel, fit, readData } from "thaw/models";

const say = (line) => postMessage({ line });
let model;

async function tune({ base, texts }) {
  const { train, test } = await readData("/examples/data/packages.jsonl", {
    text: "description",
    label: "section",
    split: { test: 0.2, stratify: true, seed: 1 },
  });
  const [some, others] = [
    train.some(Array(texts).keys()),
    test.some(Array(Math.min(test.length, texts)).keys()),
  ];
  model = await autoModel(base, {
    task: "classify",
    labels: train.labels,
    onProgress: ({ loaded, total }) => loaded === total && say(`${loaded} bytes of weights have come`),
  });
  const last = model.config.num_hidden_layers - 1;
  const run = await fit(model, {
    train: some,
    eval: others,
    epochs: 1,
    batch: 16,
    trains: ["classifier.**", "bert.pooler.**", `bert.encoder.layer.${last}.**`],
    lr: { "classifier.**": 1e-3, "**": 1e-4 },
    seed: 1,
    onStep: ({ step, steps, loss }) => {
      if (step % 10 === 0) say(`${step} of ${steps}: ${loss.toFixed(3)}`);
    },
  });
  say(`${(100 * run.metrics.accuracy).toFixed(1)} % of ${others.length} texts are right`);
  // Into the page's own file system, from where autoModel("opfs:sections") opens it.
  await model.savePretrained("opfs:sections");
  await predict("a chess game");
}

async function predict(text) {
  postMessage({ label: (await model.predict([text]))[0].label });
}

addEventListener("message", ({ data }) => {
  const done = data.text === undefined ? tune(data) : predict(data.text);
  done.catch((error) => say(`${error.name}: ${error.message}`));
});
