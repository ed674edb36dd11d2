import type { Tensor } from "thaw";
import { median } from "../median.ts";
import { type Iterate, overRounds, timesOf, turns } from "./turns.ts";

// The build, because it is what users run: a loader that compiles the sources adds work to every closure.
const dist = new URL("../../dist/", import.meta.url);
const {
  capture,
  cat,
  crossEntropy,
  freeze,
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

type Module = InstanceType<typeof nn.Module>;

/** A figure, with the bar that it must not be above; null where it is only told. */
export interface Figure {
  what: string;
  value: number;
  unit: "×" | "µs" | "ms";
  bar: number | null;
}

/** Sets of measurements by name; each makes its own networks. */
export const measures: Readonly<Record<string, (rounds: number) => Promise<Figure[]>>> = {
  rows: rowsOfAnEmbedding,
  tasks: switchingTasks,
  scopes: switchingScopes,
  hundred: hundredTasks,
  sets: newSets,
  layers: frozenLayers,
};

/** The backend that is measured. */
export const backendName = (): string => currentBackend().name;

/** Random inputs are computed once: a value that is consumed before it is needed is not kept, but made again. */
function batch<T extends Tensor[]>(...tensors: T): T {
  for (const tensor of tensors) tensor.keep();
  commit();
  return tensors;
}

// Rows.

class Lookup extends nn.Module {
  table = new nn.Embedding(100_000, 64);

  forward(indices: Tensor): Tensor {
    return this.table.forward(indices);
  }
}

async function rowsOfAnEmbedding(rounds: number): Promise<Figure[]> {
  const half = randint(0, 10, [16]);
  const [indices, target] = batch(cat([half, randint(10, 100_000, [16])]), randn([32, 64]));
  const made = ["table.weight[:10]", "table.weight"].map((trains) => {
    const net = new Lookup();
    const optimizer = new optim.AdamW(net, { lr: 1e-3 });
    const step = trainStep(optimizer, {
      loss: (at: Tensor, y: Tensor) => mseLoss(net.forward(at), y),
      trains,
    });
    const bytes = (): number =>
      optimizer
        .parts(net.table.weight)
        .reduce((sum, { state }) => sum + 4 * (state.expAvg.numel + state.expAvgSq.numel), 0);
    return { step: () => step(indices, target), bytes };
  });
  const [some, all] = made as [(typeof made)[0], (typeof made)[0]];
  const times = await turns({ some: some.step, all: all.step }, { iterations: 15, rounds });
  return [
    {
      what: "10 of 100,000 embedding rows: step, of one that trains all",
      value: overRounds(times, (t) => t.some / t.all),
      unit: "×",
      bar: 1 / 50,
    },
    { what: "… that step", value: median(times.some), unit: "ms", bar: null },
    { what: "… the step that trains all", value: median(times.all), unit: "ms", bar: null },
    {
      what: "… optimizer state, of that of all rows",
      value: some.bytes() / all.bytes(),
      unit: "×",
      bar: 10 / 100_000,
    },
  ];
}

// Switching to a set that was trained before.

/** One frozen set: `stay` makes it last until what it gives is called, `visit` is one step of it alone. */
interface Place {
  stay(): () => void;
  step: Iterate;
  visit: Iterate;
}

/** What a visit costs over a step of one that stays, in µs: the median over rounds of the mean over places. */
async function costOfSwitching(places: readonly Place[], calls: number, rounds: number): Promise<number> {
  const costs: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const staying: number[] = [];
    for (const { stay, step } of places) {
      const leave = stay();
      // The first of them is a switch.
      await step();
      staying.push(median(await timesOf(step, calls)));
      leave();
    }
    const visiting: number[][] = places.map(() => []);
    for (let i = 0; i < calls; i++)
      for (const [at, { visit }] of places.entries()) visiting[at]!.push(...(await timesOf(visit, 1)));
    const over = visiting.map((times, at) => median(times) - staying[at]!);
    // In the first round code warms up.
    if (round > 0) costs.push((1000 * over.reduce((sum, each) => sum + each, 0)) / places.length);
  }
  return median(costs);
}

type Task = "task1" | "task2";
const both: readonly Task[] = ["task1", "task2"];

/** The network of W1: a first layer for each of two tasks, and an output layer that they share. */
class TwoTasks extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4, { bias: false });

  forward(x: Tensor, task: Task): Tensor {
    const hidden = task === "task1" ? this.hiddenTask1 : this.hiddenTask2;
    return this.output.forward(hidden.forward(x).sigmoid());
  }
}

/** The network of W2. */
const classifier = () =>
  new nn.Sequential(
    new nn.Linear(784, 256),
    new nn.ReLU(),
    new nn.Linear(256, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );
const perceptronBatch = (size = 64) => batch(randn([size, 784]), randint(0, 10, [size]));

/** A step whose arguments say which set it trains. */
const byArgument = (step: Iterate): Place => ({ stay: () => () => {}, step, visit: step });

async function switchingTasks(rounds: number): Promise<Figure[]> {
  const small = new TwoTasks();
  const inputs = {
    task1: batch(randn([10, 3]), randint(0, 4, [10])),
    task2: batch(randn([10, 2]), randint(0, 4, [10])),
  };
  const step = trainStep(new optim.AdamW(small, { lr: 0.01 }), {
    loss: (task: Task, x: Tensor, y: Tensor) => crossEntropy(small.forward(x, task), y),
    trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
  });
  const large = classifier();
  const [x, y] = perceptronBatch();
  const largeStep = trainStep(new optim.Adam(large, { lr: 1e-3 }), {
    loss: (_: string, x: Tensor, y: Tensor) => crossEntropy(large.forward(x), y),
    trains: (which) => [which],
  });
  const places = both.map((task) => byArgument(() => step(task, ...inputs[task])));
  const largePlaces = ["{2,4}.**", "4.**"].map((which) => byArgument(() => largeStep(which, x, y)));
  return [
    {
      what: "Switching between 2 tasks of the network of W1",
      value: await costOfSwitching(places, 200, rounds),
      unit: "µs",
      bar: 50,
    },
    {
      what: "Switching between 2 sets of the perceptron of W2",
      value: await costOfSwitching(largePlaces, 40, rounds),
      unit: "µs",
      bar: 50,
    },
  ];
}

/** Each selector frozen by a scope around the step. */
const scopesOf = (net: Module, step: Iterate, selectors: (string | string[])[]): Place[] =>
  selectors.map((selector) => ({
    stay: () => {
      const scope = freeze(net, selector);
      return () => scope[Symbol.dispose]();
    },
    step,
    visit: () => freeze(net, selector, step),
  }));

async function switchingScopes(rounds: number): Promise<Figure[]> {
  const small = new TwoTasks();
  const [x, y] = batch(randn([10, 3]), randint(0, 4, [10]));
  const loss = (x: Tensor, y: Tensor) => crossEntropy(small.forward(x, "task1"), y);
  const optimizer = new optim.AdamW(small, { lr: 0.01 });
  const step = trainStep(optimizer, { loss, trains: ["hiddenTask1.**", "output.**"] });
  const loop = capture((x: Tensor, y: Tensor) => {
    const value = loss(x, y);
    value.backward();
    optimizer.step();
    return value;
  });
  const large = classifier();
  const [image, label] = perceptronBatch();
  const largeStep = trainStep(new optim.Adam(large, { lr: 1e-3 }), {
    loss: (x: Tensor, y: Tensor) => crossEntropy(large.forward(x), y),
    trains: "**",
  });
  const sets = ["hiddenTask1.**", "output.**"];
  return [
    {
      what: "Switching by freeze() around calls of W1's step",
      value: await costOfSwitching(
        scopesOf(small, () => step(x, y), sets),
        200,
        rounds,
      ),
      unit: "µs",
      bar: 50,
    },
    {
      what: "Switching by freeze() around calls of a captured loop",
      value: await costOfSwitching(
        scopesOf(small, () => loop(x, y).item(), sets),
        200,
        rounds,
      ),
      unit: "µs",
      bar: 50,
    },
    {
      what: "Switching by freeze() around calls of W2's step",
      value: await costOfSwitching(
        scopesOf(large, () => largeStep(image, label), ["{0,2}.**", "0.**"]),
        40,
        rounds,
      ),
      unit: "µs",
      bar: 50,
    },
  ];
}

/** A layer that a hundred heads share. */
class Hundred extends nn.Module {
  trunk = new nn.Linear(16, 16);
  heads = new nn.ModuleList(Array.from({ length: 100 }, () => new nn.Linear(16, 4)));

  forward(x: Tensor, task: number): Tensor {
    return this.heads.at(task)!.forward(this.trunk.forward(x).tanh());
  }
}

async function hundredTasks(rounds: number): Promise<Figure[]> {
  const net = new Hundred();
  const [x, y] = batch(randn([10, 16]), randint(0, 4, [10]));
  const lossOf = (task: number, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y);
  const step = trainStep(new optim.AdamW(net, { lr: 0.01 }), {
    loss: lossOf,
    trains: (task) => ["trunk.**", `heads.${task}.**`],
  });
  const places = Array.from({ length: 100 }, (_, task) => byArgument(() => step(task, x, y)));
  const rest = trainStep(new optim.AdamW(net, { lr: 0.01 }), {
    loss: (x: Tensor, y: Tensor) => lossOf(0, x, y),
    trains: ["trunk.**", "heads.0.**"],
  });
  const scopes = scopesOf(
    net,
    () => rest(x, y),
    Array.from({ length: 50 }, (_, task) => [`heads.{${1 + task},${50 + (task % 49)}}.**`]),
  );
  return [
    {
      what: "Switching between 100 tasks in rotation",
      value: await costOfSwitching(places, 10, rounds),
      unit: "µs",
      bar: 50,
    },
    {
      what: "Switching by freeze() between 50 sets in rotation, of 202 parameters",
      value: await costOfSwitching(scopes, 20, rounds),
      unit: "µs",
      bar: 50,
    },
  ];
}

// Switching to a set that was never trained before.

async function newSets(rounds: number): Promise<Figure[]> {
  const over: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    // Plans are of exact shapes, kernels are not: another batch size makes every plan new.
    const [x, y] = perceptronBatch(63 + round);
    const net = classifier();
    const step = trainStep(new optim.Adam(net, { lr: 1e-3 }), {
      loss: (_: string, x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y),
      trains: (which) => which.split(" "),
    });
    const paths = net.namedParameters().map(([path]) => path);
    const sets = Array.from({ length: 2 ** paths.length - 1 }, (_, bits) =>
      paths.filter((_, i) => ((bits + 1) >> i) & 1).join(" "),
    );
    for (const set of sets) {
      const before = currentBackend().kernelsCompiled();
      const [first] = await timesOf(() => step(set, x, y), 1);
      const made = currentBackend().kernelsCompiled() - before;
      const steady = median(await timesOf(() => step(set, x, y), 3));
      // In the first round kernels are made, and code warms up.
      if (round > 0 && made === 0) over.push(first! - steady);
    }
  }
  return [
    {
      what: "Switching to a new set of W2, its kernels there: median of all 63 sets",
      value: median(over),
      unit: "ms",
      bar: 5,
    },
    {
      what: "… one in twenty is slower than",
      value: over.toSorted((a, b) => a - b)[Math.floor(0.95 * over.length)]!,
      unit: "ms",
      bar: null,
    },
  ];
}

// Costs by what is frozen.

const width = 512;
const depth = 8;

/** Layers of one width, and a head. */
class Deep extends nn.Module {
  layers = new nn.ModuleList(Array.from({ length: depth - 1 }, () => new nn.Linear(width, width)));
  head = new nn.Linear(width, 10);

  features(x: Tensor): Tensor {
    let hidden = x;
    for (const layer of this.layers) hidden = layer.forward(hidden).relu();
    return hidden;
  }
  forward(x: Tensor): Tensor {
    return this.head.forward(this.features(x));
  }
}

async function frozenLayers(rounds: number): Promise<Figure[]> {
  const [x, y] = batch(randn([64, width]), randint(0, 10, [64]));
  const stepOf = (trains: string) => {
    const net = new Deep();
    const step = trainStep(new optim.Adam(net, { lr: 1e-3 }), {
      loss: (x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y),
      trains,
    });
    return () => step(x, y);
  };
  const net = new Deep();
  const forward = capture((x: Tensor) => net.features(x));
  const ofHead = trainStep(new optim.Adam(net, { lr: 1e-3 }), {
    loss: (features: Tensor, y: Tensor) => crossEntropy(net.head.forward(features), y),
    trains: "head.**",
  });
  const [features] = batch(forward(x));
  const times = await turns(
    {
      headOnly: stepOf("head.**"),
      forward: () => forward(x),
      head: () => ofHead(features, y),
      all: stepOf("**"),
      frozen2: stepOf("{layers.{2,3,4,5,6},head}.**"),
      frozen4: stepOf("{layers.{4,5,6},head}.**"),
      frozen6: stepOf("{layers.6,head}.**"),
    },
    { iterations: 10, rounds },
  );
  const share = (name: keyof typeof times) => overRounds(times, (t) => t[name] / t.all);
  return [
    {
      what: `Head only of ${depth} layers of ${width}: step, of forward and the head's own step`,
      value: overRounds(times, (t) => t.headOnly / (t.forward + t.head)),
      unit: "×",
      bar: 1.1,
    },
    { what: "… step that trains all", value: median(times.all), unit: "ms", bar: null },
    { what: "… with the 2 lowest layers frozen, of that", value: share("frozen2"), unit: "×", bar: null },
    { what: "… with the 4 lowest", value: share("frozen4"), unit: "×", bar: null },
    { what: "… with the 6 lowest", value: share("frozen6"), unit: "×", bar: null },
    { what: "… with all but the head", value: share("headOnly"), unit: "×", bar: null },
  ];
}

manualSeed(0);
