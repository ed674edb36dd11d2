// Adam keeps its moments by the place of a variable in the list of gradients: another list is an error where shapes
// differ, and where they agree a variable silently goes on with the moments of another.
import { createRequire } from "node:module";

const tf = createRequire(new URL("../../bench/package.json", import.meta.url))("@tensorflow/tfjs");

/** Two kinds of input, a first layer for each, and an output layer that both share; the task's layer comes first. */
function alternate(inputs) {
  const hidden = inputs.map((width) => tf.variable(tf.randomUniform([width, 3], -0.5, 0.5, "float32", 1)));
  const output = tf.variable(tf.randomUniform([3, 4], -0.5, 0.5, "float32", 2));
  const optimizer = tf.train.adam(0.01);
  for (const [task, width] of inputs.entries()) {
    const x = tf.randomNormal([10, width], 0, 1, "float32", 3);
    const loss = () => tf.mean(tf.square(tf.matMul(tf.sigmoid(tf.matMul(x, hidden[task])), output)));
    optimizer.minimize(loss, false, [hidden[task], output]);
  }
}

/** `a` takes 100 steps, then `b` its first, with a gradient 1000 times smaller: its step is lr in a fresh Adam. */
function lateFirstStep() {
  const [a, b] = [tf.variable(tf.scalar(0)), tf.variable(tf.scalar(0))];
  const optimizer = tf.train.adam(0.01);
  for (let i = 0; i < 100; i++) optimizer.minimize(() => tf.sum(a), false, [a]);
  optimizer.minimize(() => tf.mul(b, -0.001), false, [b]);
  return b.dataSync()[0];
}

let message = "no error";
try {
  alternate([3, 2]);
} catch (error) {
  message = error.message;
}
const step = lateFirstStep();
console.log(`TensorFlow.js ${tf.version.tfjs}, shapes differ: ${message}`);
console.log(
  `TensorFlow.js ${tf.version.tfjs}, shapes agree: a first step that should be 0.01 is ${step.toFixed(4)}`,
);
process.exitCode = message.includes("could not be broadcast") && step < 0 ? 0 : 1;
