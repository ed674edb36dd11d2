// The benchmark's workloads on TensorFlow.js with its wasm backend. `pytorch.py` says what they are and
// documents the protocol. Threads are TensorFlow.js's own affair: in Node its wasm backend has one.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { makeWorkload, peerOptions, serve } from "./serve.mjs";

const require = createRequire(import.meta.url);
const decay = 0.01;

setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
await tf.setBackend("wasm");
await tf.ready();

await serve({
  ready: {
    system: "tfjs",
    version: tf.version.tfjs,
    backend: tf.getBackend(),
    threads: peerOptions().threads,
    node: process.version,
  },
  build: (workload) => makeWorkload(workload, { W1: article, W2: classifier, W3: wide }, matmul),
  captured: () => false,
});

function article() {
  const rate = 0.01;
  const output = weight(3, 4);
  // Adam's moments go by position in the list of gradients, so one optimizer for both tasks fails:
  // each task has its own, which is as much work.
  const tasks = [3, 2].map((inputs) => {
    const hidden = weight(inputs, 3);
    const x = tf.randomNormal([10, inputs]);
    const y = classes(10, 4);
    const loss = () => tf.losses.softmaxCrossEntropy(y, tf.matMul(tf.sigmoid(tf.matMul(x, hidden)), output));
    return trainer(tf.train.adam(rate), [hidden, output], loss, 1 - rate * decay);
  });
  let task = 1;
  return () => {
    task = 1 - task;
    return tasks[task]();
  };
}

function classifier() {
  const layers = [linear(784, 256), linear(256, 128), linear(128, 10)];
  const x = tf.randomNormal([64, 784]);
  const y = classes(64, 10);
  const loss = () => tf.losses.softmaxCrossEntropy(y, perceptron(layers, x));
  return trainer(tf.train.adam(1e-3), layers.flat(), loss);
}

function wide() {
  const rate = 1e-3;
  const layers = [linear(1024, 4096), linear(4096, 1024)];
  const x = tf.randomNormal([256, 1024]);
  const y = tf.randomNormal([256, 1024]);
  const loss = () => tf.losses.meanSquaredError(y, perceptron(layers, x));
  return trainer(tf.train.adam(rate), layers.flat(), loss, 1 - rate * decay);
}

function matmul(size) {
  const a = tf.randomNormal([size, size]);
  const b = tf.randomNormal([size, size]);
  return () => {
    tf.matMul(a, b).dispose();
  };
}

/** One step that reads the loss. There is no AdamW: `keep` below 1 decays the weights before Adam's update. */
function trainer(optimizer, variables, loss, keep = 1) {
  return async () => {
    if (keep !== 1) decayAll(variables, keep);
    const cost = optimizer.minimize(loss, true, variables);
    const [value] = await cost.data();
    cost.dispose();
    return value;
  };
}

function decayAll(variables, keep) {
  tf.tidy(() => {
    for (const variable of variables) variable.assign(tf.mul(variable, keep));
  });
}

function perceptron(layers, x) {
  return layers.reduce((hidden, [w, b], i) => {
    const out = tf.add(tf.matMul(hidden, w), b);
    return i < layers.length - 1 ? tf.relu(out) : out;
  }, x);
}

function linear(inputs, outputs) {
  const bound = 1 / Math.sqrt(inputs);
  return [weight(inputs, outputs), tf.variable(tf.randomUniform([outputs], -bound, bound))];
}

function weight(inputs, outputs) {
  const bound = 1 / Math.sqrt(inputs);
  return tf.variable(tf.randomUniform([inputs, outputs], -bound, bound));
}

function classes(count, kinds) {
  return tf.cast(tf.oneHot(tf.randomUniform([count], 0, kinds, "int32"), kinds), "float32");
}
