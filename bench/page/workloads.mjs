// What is trained in a page, here and in a worker, and how fast it goes with the event loop's turns and without.
import { currentBackend } from "/dist/backends/index.js";
import { crossEntropy, manualSeed, nn, optim, randint, randn, setThreads, trainStep } from "/dist/index.js";
import { encoderOf } from "./encoder.mjs";

const perceptron = () =>
  new nn.Sequential(
    new nn.Linear(784, 256),
    new nn.ReLU(),
    new nn.Linear(256, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );

const [width, heads, tokens] = [384, 6, 64];

const workloads = {
  W2: () => [perceptron(), randn([64, 784]), randint(0, 10, [64])],
  encoder: () => [encoderOf(nn, { width, heads, depth: 2 }), randn([8, tokens, width]), randint(0, 10, [8])],
};

/**
 * Trains for `seconds` in `await step()`, from a fresh start: steps a second, and when each worker had joined. Then
 * again without a turn of the event loop: calls of a step that nobody awaits run all the same. `threads` null: as many
 * as thaw takes of its own accord.
 */
export async function train({ workload, threads, seconds, told = () => {} }) {
  const backend = currentBackend();
  const began = performance.now();
  if (threads !== null) await setThreads(threads);
  const wanted = threads ?? navigator.hardwareConcurrency;
  let joined = null;
  const look = () => {
    if (backend.workersReady >= wanted - 1) joined ??= performance.now() - began;
  };
  look();
  manualSeed(0);
  const [net, x, y] = workloads[workload]();
  const optimizer = new optim.Adam(net, { lr: 1e-3 });
  const step = trainStep(optimizer, { loss: (x, y) => crossEntropy(net.forward(x), y), trains: "**" });
  await step(x, y);
  const firstStep = performance.now() - began;
  look();
  await told("begin");
  const start = performance.now();
  let steps = 0;
  while (performance.now() - start < seconds * 1000) {
    await step(x, y);
    steps++;
    look();
  }
  const stepsPerSecond = (1000 * steps) / (performance.now() - start);
  await told("end");
  // What else runs on the machine comes and goes: both kinds take turns, of at least a few steps.
  const few = Math.max(3, Math.round(stepsPerSecond / 3));
  const ratios = [];
  for (let turn = 0; turn < 7; turn++) {
    const times = [performance.now()];
    for (let i = 0; i < few; i++) await step(x, y);
    times.push(performance.now());
    let last;
    for (let i = 0; i < few; i++) last = step(x, y);
    times.push(performance.now());
    await last;
    ratios.push((times[2] - times[1]) / (times[1] - times[0]));
  }
  return {
    workload,
    threads: wanted,
    firstStep,
    joined,
    stepsPerSecond,
    ofUnyielding: ratios.sort((a, b) => a - b)[3],
  };
}
