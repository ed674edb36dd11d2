// A model trains what was trainable when it was compiled and still is: a layer frozen later is held, in spite of a
// warning, and one thawed later is left out, with the same warning.
import { createRequire } from "node:module";

const tf = createRequire(new URL("../../bench/package.json", import.meta.url))("@tensorflow/tfjs");

/** How many elements of the body move in 10 steps if its flag is changed after compile(). */
async function moved(before, after) {
  const body = tf.layers.dense({ units: 4, inputShape: [3], trainable: before });
  const model = tf.sequential({ layers: [body, tf.layers.dense({ units: 1 })] });
  model.compile({ optimizer: tf.train.adam(0.01), loss: "meanSquaredError" });
  body.trainable = after;
  const kernel = () => body.getWeights()[0].dataSync().slice();
  const start = kernel();
  const [x, y] = [tf.randomNormal([16, 3], 0, 1, "float32", 1), tf.randomNormal([16, 1], 0, 1, "float32", 2)];
  await model.fit(x, y, { verbose: 0, epochs: 10 });
  return kernel().filter((w, i) => w !== start[i]).length;
}

const [frozen, thawed] = [await moved(true, false), await moved(false, true)];
console.log(
  `TensorFlow.js ${tf.version.tfjs}, 12 elements, 10 steps: frozen after compile(), ${frozen} moved; thawed after compile(), ${thawed} moved`,
);
process.exitCode = frozen === 0 && thawed === 0 ? 0 : 1;
