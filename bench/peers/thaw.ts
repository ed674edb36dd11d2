// The benchmark's workloads on the built library, as a user would write them. `pytorch.py` says what they
// are and documents the protocol. Variants: `captured` uses `trainStep`, and `capture` for a product;
// `uncaptured` is a loop written by hand.
import { readFileSync } from "node:fs";
import type { Tensor } from "thaw";
import { type Iterate, makeWorkload, peerOptions, serve } from "./serve.mjs";

const { variant, threads } = peerOptions();
const captured = variant === "captured";
// Read when the library is loaded, hence the imports below. They name the build because it is what users
// run; a loader that compiles the sources adds work to every closure.
process.env.THAW_THREADS = `${threads}`;
const dist = new URL("../../dist/", import.meta.url);
const {
  capture,
  crossEntropy,
  manualSeed,
  mseLoss,
  nn,
  optim,
  randint,
  randn,
  trainStep,
}: typeof import("thaw") = await import(new URL("index.js", dist).href);
const { currentBackend }: typeof import("thaw/backends") = await import(
  new URL("backends/index.js", dist).href
);
const { commit }: typeof import("thaw/engine") = await import(new URL("engine/index.js", dist).href);

type Task = "task1" | "task2";
type Adam = InstanceType<typeof optim.Adam | typeof optim.AdamW>;

class Article extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4, { bias: false });

  forward(x: Tensor, task: Task): Tensor {
    const hidden = task === "task1" ? this.hiddenTask1 : this.hiddenTask2;
    return this.output.forward(hidden.forward(x).sigmoid());
  }
}

function article(): Iterate {
  const net = new Article();
  const optimizer = new optim.AdamW(net, { lr: 0.01 });
  const batches = {
    task1: { x: randn([10, 3]), y: randint(0, 4, [10]) },
    task2: { x: randn([10, 2]), y: randint(0, 4, [10]) },
  };
  const lossOf = (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y);
  const step = captured
    ? trainStep(optimizer, {
        loss: lossOf,
        trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
      })
    : (task: Task, x: Tensor, y: Tensor) => byHand(optimizer, lossOf(task, x, y));
  let task: Task = "task2";
  return () => {
    task = task === "task1" ? "task2" : "task1";
    return step(task, batches[task].x, batches[task].y);
  };
}

function classifier(): Iterate {
  const net = new nn.Sequential(
    new nn.Linear(784, 256),
    new nn.ReLU(),
    new nn.Linear(256, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );
  const optimizer = new optim.Adam(net, { lr: 1e-3 });
  return supervised(net, optimizer, crossEntropy, randn([64, 784]), randint(0, 10, [64]));
}

function wide(): Iterate {
  const net = new nn.Sequential(new nn.Linear(1024, 4096), new nn.ReLU(), new nn.Linear(4096, 1024));
  const optimizer = new optim.AdamW(net, { lr: 1e-3 });
  return supervised(net, optimizer, mseLoss, randn([256, 1024]), randn([256, 1024]));
}

class Encoder extends nn.Module {
  encoder = new nn.TransformerEncoder(
    new nn.TransformerEncoderLayer(384, 6, {
      dimFeedforward: 1536,
      dropout: 0,
      activation: "gelu",
      batchFirst: true,
    }),
    6,
  );
  head = new nn.Linear(384, 10);

  forward(x: Tensor): Tensor {
    return this.head.forward(this.encoder.forward(x).mean(1));
  }
}

function encoder(): Iterate {
  const net = new Encoder();
  const optimizer = new optim.AdamW(net, { lr: 1e-4 });
  return supervised(net, optimizer, crossEntropy, randn([8, 64, 384]), randint(0, 10, [8]));
}

function supervised(
  net: InstanceType<typeof nn.Module> & { forward(x: Tensor): Tensor },
  optimizer: Adam,
  criterion: (output: Tensor, target: Tensor) => Tensor,
  x: Tensor,
  y: Tensor,
): Iterate {
  const lossOf = (x: Tensor, y: Tensor) => criterion(net.forward(x), y);
  const step = captured
    ? trainStep(optimizer, { loss: lossOf, trains: "**" })
    : (x: Tensor, y: Tensor) => byHand(optimizer, lossOf(x, y));
  return () => step(x, y);
}

async function byHand(optimizer: Adam, loss: Tensor): Promise<number> {
  optimizer.zeroGrad();
  loss.backward();
  optimizer.step();
  return Number(await loss.item());
}

function matmul(size: number): Iterate {
  const a = randn([size, size]);
  const b = randn([size, size]);
  const product = (a: Tensor, b: Tensor) => a.matmul(b);
  const recorded = capture(product);
  return () => {
    if (captured) {
      recorded(a, b);
    } else {
      product(a, b);
      // Computes the product, as the end of a step does, without reading it.
      commit();
    }
    return undefined;
  };
}

manualSeed(0);
await serve({
  ready: {
    system: "thaw",
    version: JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version,
    backend: currentBackend().name,
    threads,
    node: process.version,
  },
  build: (workload) => {
    const iterate = makeWorkload(workload, { W1: article, W2: classifier, W3: wide, W5: encoder }, matmul);
    // Computes the random inputs once: a value that is consumed before it is needed is not kept, but made again.
    commit();
    return iterate;
  },
  captured: () => captured,
  measure: () => ({ engineMiB: currentBackend().memoryInUse() / 2 ** 20 }),
});
