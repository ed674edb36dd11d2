import { table } from "../base/table.ts";
import { changedParameters, snapshot } from "../freeze/index.ts";
import { crossEntropy, Linear, Module } from "../nn/index.ts";
import { AdamW, type Optimizer, SGD } from "../optim/index.ts";
import { manualSeed, randint, randn, type Tensor, tensor } from "../tensor/index.ts";
import { trainStep } from "../train/index.ts";

type Task = "task1" | "task2";

/** The article's network: two kinds of input, a first layer each, and an output layer that both share. */
class Network extends Module {
  hiddenTask1 = new Linear(3, 3, { bias: false });
  hiddenTask2 = new Linear(2, 3, { bias: false });
  output = new Linear(3, 4, { bias: false });

  forward(x: Tensor, task: Task): Tensor {
    const hidden = task === "task1" ? this.hiddenTask1 : this.hiddenTask2;
    return this.output.forward(hidden.forward(x).sigmoid()).softmax(1);
  }
}

/** The weights that the article starts from. */
const start = {
  "hiddenTask1.weight": [
    [-0.0043, 0.3097, -0.4752],
    [-0.4249, -0.2224, 0.1548],
    [-0.0114, 0.4578, -0.0512],
  ],
  "hiddenTask2.weight": [
    [0.1871, -0.2137],
    [-0.139, -0.6755],
    [-0.4683, -0.2915],
  ],
  "output.weight": [
    [0.0214, 0.2282, 0.3464],
    [-0.3914, -0.2514, 0.2097],
    [0.4794, -0.1188, 0.432],
    [-0.0931, 0.0611, 0.5228],
  ],
};

// biome-ignore lint/suspicious/noExplicitAny: an optimizer of whatever options and state.
type AnyOptimizer = Optimizer<any, any>;

/** One step of a task. */
type Step = (task: Task, x: Tensor, y: Tensor) => Promise<unknown>;

/** One way to train a task while the other task's layer is meant to rest. */
interface Experiment {
  readonly title: string;
  readonly verdict: string;
  readonly optimizer: (net: Network) => AnyOptimizer;
  readonly makeStep: (net: Network, optimizer: AnyOptimizer) => Step;
}

const layerOf = (net: Network, task: Task): Linear => (task === "task1" ? net.hiddenTask1 : net.hiddenTask2);
const restingIn = (net: Network, task: Task): Linear => layerOf(net, task === "task1" ? "task2" : "task1");
const adamW = (net: Network): AnyOptimizer => new AdamW(net, { lr: 0.9 });

/** The usual recipe: flags on parameters, gradients set to zeros. */
const withFlags: Experiment["makeStep"] = (net, optimizer) => async (task, x, y) => {
  layerOf(net, task).requiresGrad_(true);
  restingIn(net, task).requiresGrad_(false);
  optimizer.zeroGrad({ setToNone: false });
  crossEntropy(net.forward(x, task), y).backward();
  optimizer.step();
};

/** The article's fix: the gradients of what rests are taken away before the step. */
const withNullGradients: Experiment["makeStep"] = (net, optimizer) => async (task, x, y) => {
  optimizer.zeroGrad({ setToNone: false });
  crossEntropy(net.forward(x, task), y).backward();
  for (const parameter of restingIn(net, task).parameters()) parameter.grad = null;
  optimizer.step();
};

/** thaw's way: the step says what it trains. */
const withTrains: Experiment["makeStep"] = (net, optimizer) =>
  trainStep(optimizer, {
    loss: (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y),
    trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
  });

const experiments: readonly Experiment[] = [
  {
    title: "SGD, requiresGrad = false, gradients of zeros",
    verdict: "Nothing leaks: without momentum and decay, a gradient of zeros moves nothing.",
    optimizer: (net) => new SGD(net, { lr: 0.9 }),
    makeStep: withFlags,
  },
  {
    title: "AdamW, requiresGrad = false, gradients of zeros",
    verdict:
      "It leaks: hiddenTask1 rested in task 2, and moved. A gradient of zeros is a gradient: it counts a step, and momentum and weight decay do the rest.",
    optimizer: adamW,
    makeStep: withFlags,
  },
  {
    title: "AdamW, gradients set to null before the step",
    verdict: "Nothing leaks: without a gradient, AdamW skips hiddenTask1, and its step count stays at 1.",
    optimizer: adamW,
    makeStep: withNullGradients,
  },
  {
    title: "AdamW, trainStep with trains",
    verdict: "Nothing can leak: what trains does not name is frozen, whatever its gradient.",
    optimizer: adamW,
    makeStep: withTrains,
  },
];

/** `thaw seed`: the article's network, one step of each task, in four ways to freeze. */
export async function seed(print: (line: string) => void): Promise<void> {
  manualSeed(0);
  const data: Data = {
    task1: [randn([10, 3]), randint(0, 4, [10])],
    task2: [randn([10, 2]), randint(0, 4, [10])],
  };
  print(
    "A network with two kinds of input. One step trains task 1 while hiddenTask2 rests, the next trains task 2",
  );
  print("while hiddenTask1 rests. lr 0.9, batches of 10. A layer that rests must not change.");
  const rows: [string, number, number][] = [];
  for (const [i, experiment] of experiments.entries()) {
    print(`\n── ${i + 1}. ${experiment.title} ──`);
    const { bits, steps } = await show(experiment, data, print);
    print(`\n${experiment.verdict}`);
    rows.push([`${i + 1}. ${experiment.title}`, bits, steps]);
  }
  print("\nhiddenTask1, which rests in task 2:\n");
  for (const line of table(["", "bits changed in task 2", "steps counted"], rows)) print(line);
}

type Data = Readonly<Record<Task, readonly [Tensor, Tensor]>>;

/** Runs an experiment and shows it; gives what task 2 did to `hiddenTask1`. */
async function show(
  experiment: Experiment,
  data: Data,
  print: (line: string) => void,
): Promise<{ bits: number; steps: number }> {
  const net = new Network();
  net.loadStateDict(
    Object.fromEntries(Object.entries(start).map(([path, values]) => [path, tensor(values)])),
  );
  const optimizer = experiment.optimizer(net);
  // What it would warn of is what is being shown.
  optimizer.warnOfLeaks = false;
  const step = experiment.makeStep(net, optimizer);
  const take = async (task: Task) => {
    const before = snapshot(net);
    await step(task, ...data[task]);
    const changed = changedParameters(before, net);
    print(`\nparameters after ${task}`);
    for (const [path, parameter] of net.namedParameters()) print(entry(path, parameter));
    print(`\noptimizer state after ${task}`);
    for (const [path, parameter] of net.namedParameters())
      for (const [name, value] of Object.entries(optimizer.state.get(parameter) ?? { state: "none" }))
        print(entry(`${path} ${name}`, value));
    print(`\nchanged by ${task}`);
    for (const [path, { maxChange, bitsChanged }] of changed)
      print(`  ${path}: ${bitsChanged} bits, by at most ${maxChange.toFixed(4)}`);
    return changed;
  };
  await take("task1");
  const changed = await take("task2");
  return {
    bits: changed.get("hiddenTask1.weight")?.bitsChanged ?? 0,
    steps: optimizer.state.get(net.hiddenTask1.weight)!.step,
  };
}

/** A value under its name, tensors as PyTorch prints them. */
const entry = (name: string, value: unknown): string =>
  `  ${name}: ${String(value).replaceAll("\n", `\n${" ".repeat(name.length + 4)}`)}`;
