// Adam's bias correction counts the steps of the optimizer, not of the variable: what is thawed late starts too fast.
import { createRequire } from "node:module";

const tf = createRequire(new URL("../../bench/package.json", import.meta.url))("@tensorflow/tfjs");

const [a, b] = [tf.variable(tf.scalar(0)), tf.variable(tf.scalar(0))];
const optimizer = tf.train.adam(0.01);
const step = () => optimizer.minimize(() => tf.add(a, b), false, [a, b]);
b.trainable = false;
for (let i = 0; i < 8000; i++) step();
b.trainable = true;
step();
const times = -b.dataSync()[0] / 0.01;
console.log(
  `TensorFlow.js ${tf.version.tfjs}: thawed after 8,000 steps, the first step is ${times.toFixed(3)} × lr`,
);
process.exitCode = times > 3.1 ? 0 : 1;
