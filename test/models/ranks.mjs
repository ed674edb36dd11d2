import { distributed, manualSeed } from "thaw";
import { autoModel, fit as fitTo, readData } from "thaw/models";

// Tunes a model on as many ranks as there are, and says what has come of it, for a test that compares.

const [base, texts, task, options] = process.argv.slice(2);
const group = distributed.group();
const { train, test } = await readData(texts, { split: { test: 0.2, seed: 1 } });
const made = async () => {
  manualSeed(3);
  return autoModel(base, { task, labels: train.labels });
};
const model = await made();
const given = { ...JSON.parse(options), train, eval: test, group };
const run = await fitTo(model, given);
const values = await Promise.all(model.parameters().map(async (p) => Array.from(await p.data())));
const said = { values, history: run.history };
if (given.out !== undefined) {
  // What is there is whole: it is taken as it is.
  const again = await fitTo(await made(), { ...given, resume: true });
  said.again = again.history;
}
console.log(JSON.stringify(said));
