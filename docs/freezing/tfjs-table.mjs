// The column of TensorFlow.js in the table of docs/freezing.md.
import { createRequire } from "node:module";

const tf = createRequire(new URL("../../bench/package.json", import.meta.url))("@tensorflow/tfjs");

const value = (variable) => variable.dataSync()[0];
const yes = (holds) => (holds ? "yes" : "no");

/** Two variables and an Adam that has taken a step with both. */
function stepped() {
  const variables = [tf.variable(tf.scalar(0)), tf.variable(tf.scalar(0))];
  const optimizer = tf.train.adam(0.01);
  const step = (loss, list = variables) => optimizer.minimize(() => loss(...variables), false, list);
  step(tf.add);
  return { optimizer, step, a: variables[0], b: variables[1] };
}

/** Whether `b` stays through a step after this. */
function stays(change) {
  const made = stepped();
  const before = value(made.b);
  change(made);
  return value(made.b) === before;
}

const frozen = ({ step, b }) => {
  b.trainable = false;
  step(tf.add);
};

function late() {
  const { step, a, b } = stepped();
  b.trainable = false;
  for (let i = 0; i < 2000; i++) step(tf.add);
  b.trainable = true;
  const [atA, atB] = [value(a), value(b)];
  step(tf.add);
  return (value(b) - atB) / (value(a) - atA);
}

/** The moments of `a` after a step that trains `b` alone, by a list of what it trains. */
function keepsMoments() {
  const { optimizer, step, b } = stepped();
  const moment = () => value(optimizer.accumulatedFirstMoment[0].variable);
  const before = moment();
  step((_, b) => tf.mul(b, 2), [b]);
  return moment() === before;
}

async function modelThaws() {
  const body = tf.layers.dense({ units: 4, inputShape: [3], trainable: false });
  const model = tf.sequential({ layers: [body, tf.layers.dense({ units: 1 })] });
  model.compile({ optimizer: "adam", loss: "meanSquaredError" });
  body.trainable = true;
  const before = body.getWeights()[0].dataSync().slice();
  await model.fit(tf.ones([8, 3]), tf.ones([8, 1]), { verbose: 0 });
  return body
    .getWeights()[0]
    .dataSync()
    .some((w, i) => w !== before[i]);
}

function statisticsStay() {
  const norm = tf.layers.batchNormalization({ inputShape: [4] });
  norm.apply(tf.input({ shape: [4] }));
  norm.trainable = false;
  norm.apply(tf.randomNormal([8, 4], 1, 1, "float32", 1), { training: true });
  return norm.movingMean
    .read()
    .dataSync()
    .every((mean) => mean === 0);
}

const rows = {
  "skips a null gradient": stays(({ optimizer, a, b }) =>
    optimizer.applyGradients([
      { name: a.name, tensor: tf.scalar(1) },
      { name: b.name, tensor: null },
    ]),
  ),
  "a frozen flag is enough": stays(frozen),
  "can freeze some rows of a weight": stays(({ step }) => step((a, b) => tf.add(a, tf.mul(b, 0)))),
  "counts steps per parameter": Math.abs(late() - 1) < 0.01,
  "keeps moments over a freeze": keepsMoments(),
  "can freeze and thaw between any two steps": await modelThaws(),
  "holds the statistics of a frozen BatchNorm": statisticsStay(),
};
for (const [property, holds] of Object.entries(rows)) console.log(`${property}: ${yes(holds)}`);
