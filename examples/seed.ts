// How freezing leaks, and how it does not: a network with two kinds of input takes one step of each task, while the
// layer of the other task is meant to rest. Four ways; the second one moves what rests.
//
//   npx tsx examples/seed.ts
import {
  changedParameters,
  crossEntropy,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  snapshot,
  type Tensor,
  trainStep,
} from "thaw";

type Task = "hiddenTask1" | "hiddenTask2";

class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4, { bias: false });

  forward(x: Tensor, task: Task): Tensor {
    return this.output.forward(this[task].forward(x).sigmoid());
  }
}

type Step = (task: Task, x: Tensor, y: Tensor) => unknown;
const other = (task: Task): Task => (task === "hiddenTask1" ? "hiddenTask2" : "hiddenTask1");

/** requiresGrad = false, and gradients of zeros: the usual recipe. */
const flags =
  (net: Network, optimizer: optim.SGD | optim.AdamW): Step =>
  (task, x, y) => {
    net[task].requiresGrad_(true);
    net[other(task)].requiresGrad_(false);
    optimizer.zeroGrad({ setToNone: false });
    crossEntropy(net.forward(x, task), y).backward();
    optimizer.step();
  };

/** Gradients taken away between backward and step: the fix by hand. */
const nullGradients =
  (net: Network, optimizer: optim.AdamW): Step =>
  (task, x, y) => {
    optimizer.zeroGrad();
    crossEntropy(net.forward(x, task), y).backward();
    net[other(task)].weight.grad = null;
    optimizer.step();
  };

/** The step says what it trains. */
const trains = (net: Network, optimizer: optim.AdamW): Step =>
  trainStep(optimizer, {
    loss: (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y),
    trains: (task) => [`${task}.**`, "output.**"],
  });

const ways: Record<string, (net: Network) => Step> = {
  "SGD, requiresGrad = false": (net) => flags(net, new optim.SGD(net, { lr: 0.9 })),
  "AdamW, requiresGrad = false": (net) => flags(net, new optim.AdamW(net, { lr: 0.9 })),
  "AdamW, grad = null": (net) => nullGradients(net, new optim.AdamW(net, { lr: 0.9 })),
  "AdamW, trains": (net) => trains(net, new optim.AdamW(net, { lr: 0.9 })),
};

for (const [name, makeStep] of Object.entries(ways)) {
  manualSeed(0);
  const net = new Network();
  const step = makeStep(net);
  await step("hiddenTask1", randn([10, 3]), randint(0, 4, [10]));
  const before = snapshot(net);
  await step("hiddenTask2", randn([10, 2]), randint(0, 4, [10]));
  const rested = changedParameters(before, net).get("hiddenTask1.weight");
  console.log(
    `${name.padEnd(28)} hiddenTask1, at rest: ${rested ? `moved by up to ${rested.maxChange.toFixed(3)}` : "not a bit changed"}`,
  );
}
