// The benchmark's workloads on TensorFlow.js with its wasm backend. `pytorch.py` says what they are and
// documents the protocol. Threads are TensorFlow.js's own affair: in Node its wasm backend has one.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { makeWorkload, peerOptions, serve } from "./serve.mjs";

const require = createRequire(import.meta.url);
const decay = 0.01;
/** Sizes of W5: `width` is that of all heads together. */
const [batch, length, width, heads, hidden] = [8, 64, 384, 6, 1536];

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
  build: (workload) => makeWorkload(workload, { W1: article, W2: classifier, W3: wide, W5: encoder }, matmul),
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

function encoder() {
  const rate = 1e-4;
  const norm = () => [tf.variable(tf.ones([width])), tf.variable(tf.zeros([width]))];
  const layers = Array.from({ length: 6 }, () => [
    ...[linear(width, width), linear(width, width), linear(width, width), linear(width, width), norm()],
    ...[linear(width, hidden), linear(hidden, width), norm()],
  ]);
  const head = linear(width, 10);
  const x = tf.randomNormal([batch * length, width]);
  const y = classes(batch, 10);
  const loss = () => {
    const encoded = layers.reduce((hidden, layer) => encoderLayer(layer, hidden), x);
    const pooled = tf.mean(tf.reshape(encoded, [batch, length, width]), 1);
    return tf.losses.softmaxCrossEntropy(y, affine(pooled, head));
  };
  return trainer(tf.train.adam(rate), [...layers.flat(2), ...head], loss, 1 - rate * decay);
}

function encoderLayer([query, key, value, outward, norm1, up, down, norm2], x) {
  const byHead = (t) => tf.transpose(tf.reshape(t, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
  const [q, k, v] = [query, key, value].map((projection) => byHead(affine(x, projection)));
  const weights = tf.softmax(tf.mul(tf.matMul(q, k, false, true), (width / heads) ** -0.5));
  const met = tf.reshape(tf.transpose(tf.matMul(weights, v), [0, 2, 1, 3]), [batch * length, width]);
  const middle = layerNorm(tf.add(x, affine(met, outward)), norm1);
  return layerNorm(tf.add(middle, affine(gelu(affine(middle, up)), down)), norm2);
}

function affine(x, [w, b]) {
  return tf.add(tf.matMul(x, w), b);
}

function gelu(x) {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}

function layerNorm(x, [weight, bias]) {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-5));
  return tf.add(tf.mul(tf.mul(centred, scale), weight), bias);
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
