import { manualSeed } from "thaw";
import { autoModel, fit as fitTo, readData } from "thaw/models";

// Tunes a model and says each update, for a test that kills it.

const [base, texts, out, options] = process.argv.slice(2);
const { train, test } = await readData(texts, { split: { test: 0.2, stratify: true, seed: 1 } });
manualSeed(3);
const model = await autoModel(base, { task: "classify", labels: train.labels });
await fitTo(model, {
  ...JSON.parse(options),
  train,
  eval: test,
  out,
  onStep: ({ step }) => {
    process.stdout.write(`${step}\n`);
    return new Promise((resolve) => setTimeout(resolve, 20));
  },
});
