import { distributed, manualSeed } from "thaw";
import { autoModel, fit as fitTo, readData } from "thaw/models";

// Tunes a model on as many ranks as there are, and says what has come of it, for a test that compares.

const [base, texts, task, options] = process.argv.slice(2);
const group = distributed.group();
const { train, test } = await readData(texts, { split: { test: 0.2, seed: 1 } });
const { out, ...others } = JSON.parse(options);
const given = { ...others, train, eval: test, group };

async function tuned(more) {
  manualSeed(3);
  const model = await autoModel(base, { task, labels: train.labels });
  const run = await fitTo(model, { ...given, ...more });
  const values = await Promise.all(model.namedParameters().map(async ([, p]) => Array.from(await p.data())));
  return { values, history: run.history };
}

const whole = await tuned({ out: `${out}-whole` });
// What is there is whole: it is taken as it is.
const again = await tuned({ out: `${out}-whole`, resume: true });
// Rank 1 alone is asked to end: both do.
const controller = new AbortController();
let ended = "";
const onStep = ({ step }) => {
  if (step === 3 && group.rank === 1) controller.abort(new Error("enough"));
};
await tuned({ out: `${out}-ended`, onStep, signal: controller.signal }).catch((error) => {
  ended = `${error.name}: ${error.message}`;
});
const resumed = await tuned({ out: `${out}-ended`, resume: true });
// Another order of the texts, and other texts, on rank 1 alone: nothing begins.
let unlike = "";
await tuned({
  saveEvery: undefined,
  seed: given.seed + group.rank,
  eval: group.rank === 0 ? test : train,
}).catch((error) => {
  unlike = `${error.name}: ${error.message}`;
});
console.log(JSON.stringify({ whole, again, ended, resumed, unlike }));
