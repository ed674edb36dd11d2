// Tunes a model that lies beside the page, with texts that do, and says what came of it.
import { autoModel, fit, readData } from "thaw/models";

async function tune() {
  const { train, test } = await readData("texts.jsonl", { split: { test: 0.2, seed: 1 } });
  const model = await autoModel("base/", { task: "classify", labels: train.labels });
  const run = await fit(model, { train, eval: test, epochs: 1, batch: 16, seed: 1 });
  return { steps: run.history.length, labels: model.labels, found: (await model.predict(["a dog"])).length };
}

tune().then(
  (result) => {
    document.title = JSON.stringify(result);
  },
  (error) => {
    document.title = JSON.stringify({ error: `${error.name}: ${error.message}` });
  },
);
