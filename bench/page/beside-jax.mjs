// In one page: a step of thaw beside the same of jax-js, in turns.
import { classifier, start, wide } from "/bench/peers/jax-workloads.mjs";
import { currentBackend } from "/dist/backends/index.js";
import { crossEntropy, manualSeed, mseLoss, nn, optim, randint, randn, trainStep } from "/dist/index.js";

const perceptron = (...sizes) =>
  new nn.Sequential(
    ...sizes
      .slice(1)
      .flatMap((size, i) => [...(i > 0 ? [new nn.ReLU()] : []), new nn.Linear(sizes[i], size)]),
  );

const workloads = {
  W2: {
    net: () => perceptron(784, 256, 128, 10),
    Optimizer: optim.Adam,
    lossOf: crossEntropy,
    jax: classifier,
  },
  W3: { net: () => perceptron(1024, 4096, 1024), Optimizer: optim.AdamW, lossOf: mseLoss, jax: wide },
};
const batches = {
  W2: () => [randn([64, 784]), randint(0, 10, [64])],
  W3: () => [randn([256, 1024]), randn([256, 1024])],
};

/** Milliseconds of some calls of an asynchronous function. */
async function time(call, count) {
  const began = performance.now();
  for (let i = 0; i < count; i++) await call();
  return (performance.now() - began) / count;
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

/** Has jax-js, which has a worker for each core that the browser tells of, see so many. */
const tellCores = (count) => Object.defineProperty(navigator, "hardwareConcurrency", { value: count });

/**
 * Milliseconds a step, medians of `turns`, and the ratio of the two in each turn; `workers` of jax-js, null: as many as
 * it has by itself.
 */
export async function besideJax({ workload, threads, turns, workers }) {
  const { net: makeNet, Optimizer, lossOf, jax } = workloads[workload];
  const backend = currentBackend();
  if (threads !== null) backend.setThreads(threads);
  if (workers !== null) tellCores(workers);
  await start();
  manualSeed(0);
  const net = makeNet();
  const batch = batches[workload]();
  const step = trainStep(new Optimizer(net, { lr: 1e-3 }), {
    loss: (x, y) => lossOf(net.forward(x), y),
    trains: "**",
  });
  const ours = () => step(...batch);
  const theirs = jax();
  for (const call of [ours, theirs]) await time(call, 5);
  for (let i = 0; i < 500 && backend.workersReady < (threads ?? 1) - 1; i++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const count = workload === "W2" ? 30 : 3;
  const all = { ours: [], theirs: [], ratios: [] };
  for (let turn = 0; turn < turns; turn++) {
    const [a, b] = [await time(ours, count), await time(theirs, count)];
    all.ours.push(a);
    all.theirs.push(b);
    all.ratios.push(a / b);
  }
  return {
    threads: backend.threads,
    workers: navigator.hardwareConcurrency,
    ours: median(all.ours),
    theirs: median(all.theirs),
    ratio: median(all.ratios),
  };
}
