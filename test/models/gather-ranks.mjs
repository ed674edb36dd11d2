import { distributed, manualSeed } from "thaw";
import { autoModel, fit as fitTo, readData } from "thaw/models";

// Tunes embeddings on as many ranks as there are, and says what has come of it, for a test that compares.

const [base, texts, options] = process.argv.slice(2);
const group = distributed.group();
const train = await readData(texts);
const said = [];
for (const given of JSON.parse(options)) {
  manualSeed(3);
  const model = await autoModel(base, { task: "embed" });
  const run = await fitTo(model, { ...given, train, group }).catch((error) => error);
  const values = await Promise.all(model.namedParameters().map(async ([, p]) => Array.from(await p.data())));
  said.push({
    values,
    history: run.history ?? null,
    error: run.history ? null : `${run.name}: ${run.message}`,
  });
}
console.log(JSON.stringify(said));
