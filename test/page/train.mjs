// Runs in a browser, on the main thread or in a worker: the article's network on the built package.
import { currentBackend } from "/dist/backends/index.js";
import { crossEntropy, manualSeed, nn, optim, randint, randn, trainStep } from "/dist/index.js";

class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4, { bias: false });

  forward(x, task) {
    return this.output.forward(this[task].forward(x).sigmoid());
  }
}

/** Trains, and multiplies two matrices that are large enough to be split; gives everything computed, bit for bit. */
export async function train() {
  const backend = currentBackend();
  backend.setThreads(2);
  manualSeed(1);
  const net = new Network();
  const step = trainStep(new optim.AdamW(net, { lr: 0.05 }), {
    loss: (task, x, y) => crossEntropy(net.forward(x, task), y),
    trains: (task) => [`${task}.**`, "output.**"],
  });
  const batches = {
    hiddenTask1: [randn([10, 3]), randint(0, 4, [10])],
    hiddenTask2: [randn([10, 2]), randint(0, 4, [10])],
  };
  const losses = [];
  for (let i = 0; i < 200; i++) {
    const task = i % 2 === 0 ? "hiddenTask1" : "hiddenTask2";
    losses.push(await step(task, ...batches[task]));
  }
  const parameters = {};
  for (const [path, parameter] of net.namedParameters()) parameters[path] = bits(await parameter.data());

  const a = randn([300, 200]);
  const b = randn([200, 300]);
  const product = async () => bits(await a.matmul(b).data());
  const products = [await product()];
  // What is awaited lets workers start, and a page draw: without that these loops had no end.
  while (backend.workersReady < backend.threads - 1) await product();
  let frames = typeof document === "undefined" ? 3 : 0;
  const drawn = () => {
    if (++frames < 3) requestAnimationFrame(drawn);
  };
  if (frames === 0) requestAnimationFrame(drawn);
  while (frames < 3) await product();
  for (let i = 0; i < 5; i++) products.push(await product());
  return {
    backend: backend.name,
    isolated: globalThis.crossOriginIsolated,
    onPage: typeof document !== "undefined",
    threads: backend.threads,
    workersReady: backend.workersReady,
    losses,
    parameters,
    product: products[0],
    differentProducts: products.filter((product) => product !== products[0]).length,
  };
}

/** A number for the bits of an array, FNV-1a over its bytes. */
function bits(array) {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(array.buffer, array.byteOffset, array.byteLength)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash;
}
