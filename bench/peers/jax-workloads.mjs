// The benchmark's workloads on jax-js with its wasm device, in Node and in a page. `pytorch.py` says what they are. The
// whole step, Adam included, is one jit-compiled function, which is jax-js at its best.
import { defaultDevice, init, jit, nn, numpy as np, random, valueAndGrad } from "@jax-js/jax";

let seed = 0;

/** Has jax-js compute on its wasm device. */
export async function start() {
  await init("wasm");
  defaultDevice("wasm");
}

export function article() {
  const loss = (params, x, y) => crossEntropy(np.dot(nn.sigmoid(np.dot(x, params[0])), params[1]), y);
  const output = slot(weight(3, 4));
  const tasks = [3, 2].map((inputs) =>
    trainer([slot(weight(inputs, 3)), output], loss, normal([10, inputs]), classes(10, 4), {
      rate: 0.01,
      decay: 0.01,
    }),
  );
  let task = 1;
  return () => {
    task = 1 - task;
    return tasks[task]();
  };
}

export function classifier() {
  const slots = [...linear(784, 256), ...linear(256, 128), ...linear(128, 10)];
  const loss = (params, x, y) => crossEntropy(perceptron(params, x), y);
  return trainer(slots, loss, normal([64, 784]), classes(64, 10), { rate: 1e-3, decay: 0 });
}

export function wide() {
  const slots = [...linear(1024, 4096), ...linear(4096, 1024)];
  const loss = (params, x, y) => np.mean(np.square(perceptron(params, x).sub(y)));
  return trainer(slots, loss, normal([256, 1024]), normal([256, 1024]), { rate: 1e-3, decay: 0.01 });
}

/** Sizes of W5: `width` is that of all heads together. */
const [batch, length, width, heads, hidden] = [8, 64, 384, 6, 1536];

export function encoder() {
  const norm = () => [slot(np.ones([width])), slot(np.zeros([width]))];
  const layers = Array.from({ length: 6 }, () => [
    ...[linear(width, 3 * width), linear(width, width), norm()],
    ...[linear(width, hidden), linear(hidden, width), norm()],
  ]);
  const slots = [...layers.flat(2), ...linear(width, 10)];
  const loss = (params, x, y) => {
    const each = layers[0].flat().length;
    let encoded = x;
    for (let i = 0; i < layers.length; i++)
      encoded = encoderLayer(params.slice(i * each, (i + 1) * each), encoded);
    const pooled = np.mean(encoded.reshape([batch, length, width]), 1);
    return crossEntropy(np.dot(pooled, params.at(-2)).add(params.at(-1)), y);
  };
  const x = normal([batch * length, width]);
  return trainer(slots, loss, x, classes(batch, 10), { rate: 1e-4, decay: 0.01 });
}

function encoderLayer([inward, ofInward, outward, ofOutward, w1, b1, up, ofUp, down, ofDown, w2, b2], x) {
  const projected = np.dot(x.ref, inward).add(ofInward);
  const [q, k, v] = np
    .split(projected, 3, 1)
    .map((part) => part.reshape([batch, length, heads, width / heads]));
  const met = nn.dotProductAttention(q, k, v).reshape([batch * length, width]);
  const middle = nn
    .standardize(x.add(np.dot(met, outward).add(ofOutward)), -1)
    .mul(w1)
    .add(b1);
  const active = nn.gelu(np.dot(middle.ref, up).add(ofUp), { approximate: false });
  return nn
    .standardize(middle.add(np.dot(active, down).add(ofDown)), -1)
    .mul(w2)
    .add(b2);
}

export function matmul(size) {
  const a = normal([size, size]);
  const b = normal([size, size]);
  return async () => {
    const out = np.matmul(a.ref, b.ref);
    await out.blockUntilReady();
    out.dispose();
  };
}

/** A parameter with its AdamW state; steps of several tasks may share it. */
function slot(value) {
  return { step: 0, arrays: [value, np.zeros(value.shape), np.zeros(value.shape)] };
}

/** One step of AdamW (Adam, where `decay` is 0) that reads the loss. */
function trainer(slots, loss, x, y, { rate, decay }) {
  const run = jit((states, corrections, x, y) => {
    const params = states.map(([value]) => value.ref);
    const [cost, grads] = valueAndGrad(loss)(params, x, y);
    return [cost, states.map((state, i) => adamW(state, grads[i], corrections[i], decay * rate))];
  });
  return async () => {
    const corrections = slots.map((parameter) => {
      parameter.step++;
      return [np.array(rate / (1 - 0.9 ** parameter.step)), np.array(1 / (1 - 0.999 ** parameter.step))];
    });
    const [cost, states] = run(
      slots.map((parameter) => parameter.arrays),
      corrections,
      x.ref,
      y.ref,
    );
    slots.forEach((parameter, i) => {
      parameter.arrays = states[i];
    });
    return await cost.jsAsync();
  };
}

/** PyTorch's update: `rate` and `correction` are step size and second bias correction, arrays because they change. */
function adamW([value, mean, square], gradient, [rate, correction], shrink) {
  const nextMean = mean.mul(0.9).add(gradient.ref.mul(0.1));
  const nextSquare = square.mul(0.999).add(np.square(gradient).mul(0.001));
  const change = rate.mul(nextMean.ref).div(np.sqrt(nextSquare.ref.mul(correction)).add(1e-8));
  const kept = shrink === 0 ? value : value.mul(1 - shrink);
  return [kept.sub(change), nextMean, nextSquare];
}

function perceptron(params, x) {
  let hidden = x;
  for (let i = 0; i < params.length; i += 2) {
    hidden = np.dot(hidden, params[i]).add(params[i + 1]);
    if (i + 2 < params.length) hidden = nn.relu(hidden);
  }
  return hidden;
}

function crossEntropy(logits, y) {
  return np.sum(nn.logSoftmax(logits).mul(y)).mul(-1 / logits.shape[0]);
}

function linear(inputs, outputs) {
  return [slot(weight(inputs, outputs)), slot(uniform([outputs], 1 / Math.sqrt(inputs)))];
}

function weight(inputs, outputs) {
  return uniform([inputs, outputs], 1 / Math.sqrt(inputs));
}

function uniform(shape, bound) {
  return random.uniform(random.key(seed++), shape, { minval: -bound, maxval: bound });
}

function normal(shape) {
  return random.normal(random.key(seed++), shape);
}

function classes(count, kinds) {
  const labels = Array.from({ length: count }, (_, i) => (i * 7) % kinds);
  return nn.oneHot(np.array(labels, { dtype: np.int32 }), kinds);
}
