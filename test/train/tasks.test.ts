import { freeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import { manualSeed, noGrad, randint, randn, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { bytesOf } from "../../src/base/dtype.ts";
import { equalBytes } from "../../src/base/equal-bytes.ts";
import { permutation } from "../../src/data/shuffle.ts";
import { commit, planCounts } from "../../src/engine/realize.ts";
import type { StepOptimizer } from "../../src/train/step-optimizer.ts";

const taskCount = 100;
const width = 6;

/** A trunk that tasks share, an embedding of each task, and a head for each. */
class Network extends nn.Module {
  tasks: nn.Embedding;
  trunk = new nn.ModuleList(Array.from({ length: 3 }, () => new nn.Linear(width, width)));
  heads: nn.ModuleList<nn.Linear>;

  constructor(count: number) {
    super();
    this.tasks = new nn.Embedding(count, width);
    this.heads = new nn.ModuleList(Array.from({ length: count }, () => new nn.Linear(width, 3)));
  }

  forward(x: Tensor, task: number, which: Tensor): Tensor {
    let hidden = x.add(this.tasks.forward(which));
    for (const layer of this.trunk) hidden = layer.forward(hidden).tanh();
    return this.heads.at(task)!.forward(hidden);
  }
}

const made = <T extends Tensor>(value: T): T => {
  value.keep();
  commit();
  return value;
};
const x = made(randn([5, width]));
const y = made(randint(0, 3, [5]));
const indices = Array.from({ length: taskCount }, (_, task) => made(randint(task, task + 1, [5])));
const lossOf = (net: Network) => (task: number, which: Tensor) =>
  nn.crossEntropy(net.forward(x, task, which), y);
type Values = ReadonlyMap<string, Float32Array>;
const valuesOf = (net: Network): Values =>
  new Map(net.namedParameters().map(([path, p]) => [path, p.dataSync() as Float32Array]));
const makeNetwork = (tasks = 6): Network => {
  manualSeed(5);
  return new Network(tasks);
};

/** Five hundred sets: what a task has for itself, some of what all share, and sometimes rows of the embedding. */
const sets = Array.from({ length: 500 }, (_, i) => {
  const task = i % taskCount;
  const shared = [0, 1, 2].flatMap((layer) => [`trunk.${layer}.weight`, `trunk.${layer}.bias`]);
  const some = [...permutation(shared.length, i).subarray(0, permutation(shared.length + 1, i, 1)[0])];
  const first = 25 * permutation(4, i, 2)[0]!;
  return {
    task,
    paths: [...some.map((at) => shared[at]!), `heads.${task}.weight`, `heads.${task}.bias`],
    rows: i % 3 === 0 ? { from: first, to: first + 25 } : null,
  };
});

test("a hundred tasks and five hundred frozen sets share a few kernels, and memory stays flat", {
  timeout: 120_000,
}, async () => {
  const net = makeNetwork(taskCount);
  const optimizer = new optim.AdamW(net, { lr: 0.01, weightDecay: 0.1 });
  const loss = lossOf(net);
  const step = trainStep(optimizer, {
    loss: (i: number) => {
      const { task } = sets[i]!;
      return loss(task, indices[task]!);
    },
    trains: (i) => {
      const { paths, rows } = sets[i]!;
      return rows === null ? paths : [...paths, `tasks.weight[${rows.from}:${rows.to}]`];
    },
  });
  const started = currentBackend().kernelsCompiled();
  const compiled = (): number => currentBackend().kernelsCompiled() - started;
  let ofTheFirst = 0;
  let before = valuesOf(net);
  for (const [i, { paths, rows }] of sets.entries()) {
    await step(i);
    const after = valuesOf(net);
    for (const [path, now] of after) {
      if (paths.includes(path)) continue;
      const [from, to] = path === "tasks.weight" && rows !== null ? [rows.from, rows.to] : [0, 0];
      const was = before.get(path)!;
      const same = (first: number, end: number) =>
        equalBytes(bytesOf(now.subarray(first, end)), bytesOf(was.subarray(first, end)));
      // A matcher of the test's own for each of these would take most of its time.
      if (!same(0, from * width) || !same(to * width, now.length)) expect.fail(`${path} moved in step ${i}`);
    }
    before = after;
    if (i === 99) ofTheFirst = compiled();
  }
  expect(compiled()).toBeLessThanOrEqual(40);
  expect(compiled() - ofTheFirst).toBeLessThanOrEqual(5);
  // The state of the embedding was cut as blocks of it came up, and what refers to it is recorded once more.
  expect(optimizer.parts(net.tasks.weight)).toHaveLength(4);
  for (const i of sets.keys()) await step(i);
  const held = () => ({
    plans: planCounts(),
    bytes: currentBackend().memoryInUse(),
    kernels: compiled(),
  });
  const then = held();
  for (const i of [...sets.keys()].slice(0, 120)) await step(i);
  expect(held()).toEqual(then);
});

type AnyOptimizer = StepOptimizer & Pick<optim.SGD, "zeroGrad" | "step">;

const optimizers: Readonly<Record<string, (net: nn.Module) => AnyOptimizer>> = {
  Adadelta: (net) => new optim.Adadelta(net),
  Adagrad: (net) => new optim.Adagrad(net),
  Adam: (net) => new optim.Adam(net, { lr: 0.01, weightDecay: 0.1 }),
  AdamW: (net) => new optim.AdamW(net, { lr: 0.01 }),
  Adamax: (net) => new optim.Adamax(net),
  ASGD: (net) => new optim.ASGD(net),
  NAdam: (net) => new optim.NAdam(net),
  RAdam: (net) => new optim.RAdam(net),
  RMSprop: (net) => new optim.RMSprop(net, { momentum: 0.9 }),
  Rprop: (net) => new optim.Rprop(net),
  SGD: (net) => new optim.SGD(net, { lr: 0.1, momentum: 0.9, weightDecay: 0.1 }),
};

/** What each of three tasks trains: parameters, and rows of parameters, that overlap with those of the others. */
type Share = Readonly<Record<string, readonly [from: number, to: number] | null>>;
const shares: readonly Share[] = [
  { "trunk.0.weight": null, "trunk.1.weight": [0, 3], "tasks.weight": [0, 3], "heads.0.weight": null },
  { "trunk.0.weight": null, "trunk.1.weight": [2, 5], "tasks.weight": [1, 5], "heads.1.weight": null },
  { "trunk.1.weight": [4, 5], "tasks.weight": [4, 5], "heads.2.weight": null, "heads.2.bias": null },
];
const selectorsOf = (share: Share): string[] =>
  Object.entries(share).map(([path, rows]) => (rows === null ? path : `${path}[${rows[0]}:${rows[1]}]`));
const spread = made(tensor([0, 1, 2, 4, 4], { dtype: "i32" }));

/** One update by hand, from the sum of the tasks' own gradients, each of what it trains and times its weight. */
function updateByHand(
  net: Network,
  optimizer: AnyOptimizer,
  terms: readonly (readonly [task: number, weight: number])[],
): void {
  const sums = new Map<string, Tensor>();
  for (const [task, weight] of terms) {
    optimizer.zeroGrad();
    lossOf(net)(task, spread).backward();
    for (const [path, { grad, shape }] of net.namedParameters()) {
      const rows = shares[task]![path];
      if (rows === undefined) continue;
      const [from, to] = rows ?? [0, shape[0]!];
      const mask = tensor(
        Array.from({ length: shape[0]! }, (_, row) => (row >= from && row < to ? weight : 0)),
      );
      const share = made(noGrad(() => grad!.mul(mask.reshape([-1, ...shape.slice(1).map(() => 1)]))));
      const before = sums.get(path);
      sums.set(path, before === undefined ? share : made(before.add(share)));
    }
  }
  for (const [path, p] of net.namedParameters()) p.grad = sums.get(path) ?? null;
  const rows = terms.flatMap(([task]) => selectorsOf(shares[task]!));
  const untrained = ["**", ...rows.map((selector) => `!${selector}`)];
  freeze(net, untrained, () => optimizer.step());
}

function expectSame(net: Network, other: Network): void {
  const values = valuesOf(other);
  for (const [path, now] of valuesOf(net))
    for (const [i, element] of now.entries())
      expect(Math.abs(element - values.get(path)![i]!), `${path}, element ${i}`).toBeLessThan(2e-5);
}

/** What moved is some of each that is trained, and nothing else. */
function expectMoved(net: Network, before: Values, tasks: readonly number[]): void {
  const moved = movedOf(before, valuesOf(net));
  const trained = trainedOf(net, tasks);
  expect(Object.keys(moved).length).toBeGreaterThan(0);
  for (const [path, places] of Object.entries(moved))
    expect(trained[path] ?? []).toEqual(expect.arrayContaining(places));
}

/** The elements that differ in a bit, by path. */
function movedOf(before: Values, after: Values): Record<string, number[]> {
  const moved = [...after].map(([path, now]) => {
    const was = before.get(path)!;
    return [path, [...now.keys()].filter((i) => !Object.is(now[i], was[i]))] as const;
  });
  return Object.fromEntries(moved.filter(([, places]) => places.length > 0));
}

/** The elements that some tasks train together. */
function trainedOf(net: Network, tasks: readonly number[]): Record<string, number[]> {
  const entries = net.namedParameters().map(([path, { shape, numel }]) => {
    const row = numel / shape[0]!;
    const places = Array.from({ length: numel }, (_, i) => i).filter((i) =>
      tasks.some((task) => {
        const rows = shares[task]![path];
        return rows === null || (rows !== undefined && i >= rows[0] * row && i < rows[1] * row);
      }),
    );
    return [path, places] as const;
  });
  return Object.fromEntries(entries.filter(([, places]) => places.length > 0));
}

describe.each(Object.entries(optimizers))("%s", (_, optimizerOf) => {
  const make = (accumulate = 1) => {
    const [net, other] = [makeNetwork(), makeNetwork()];
    const optimizer = optimizerOf(other);
    const step = trainStep(optimizerOf(net), {
      loss: (task: number) => lossOf(net)(task, spread),
      trains: (task) => selectorsOf(shares[task]!),
      accumulate,
      verify: true,
    });
    return { net, other, optimizer, step };
  };

  test("together updates from the weighted sum of each task's gradient of what it trains", async () => {
    const { net, other, optimizer, step } = make();
    for (const terms of [
      [[0, 1]],
      [
        [0, 1],
        [1, 0.5],
      ],
      [
        [2, 3],
        [0, 1],
        [1, -0.25],
      ],
      [
        [1, 1],
        [1, 2],
      ],
    ] as const) {
      const before = valuesOf(net);
      const losses = await step.together(
        terms.map(([task]) => [task]),
        { weights: terms.map(([, w]) => w) },
      );
      for (const [i, [task]] of terms.entries())
        expect(losses[i]).toBeCloseTo(Number(lossOf(other)(task, spread).itemSync()), 5);
      updateByHand(other, optimizer, terms);
      expectSame(net, other);
      expectMoved(
        net,
        before,
        terms.map(([task]) => task),
      );
    }
  });

  test("calls of different tasks accumulate to the mean of their gradients", async () => {
    const { net, other, optimizer, step } = make(2);
    for (const tasks of [
      [0, 1],
      [2, 0],
      [1, 1],
    ]) {
      const before = valuesOf(net);
      await step(tasks[0]!);
      expect(movedOf(before, valuesOf(net))).toEqual({});
      await step(tasks[1]!);
      updateByHand(
        other,
        optimizer,
        tasks.map((task) => [task, 0.5]),
      );
      expectSame(net, other);
      expectMoved(net, before, tasks);
    }
  });

  test("tasks in turn move what they train and nothing else", async () => {
    const { net, other, optimizer, step } = make();
    for (const task of [0, 1, 2, 1, 0, 2, 2]) {
      const before = valuesOf(net);
      await step(task);
      updateByHand(other, optimizer, [[task, 1]]);
      expectSame(net, other);
      expectMoved(net, before, [task]);
    }
  });
});

test("together wants calls, and a number for each", async () => {
  const net = makeNetwork();
  const before = valuesOf(net);
  const step = trainStep(new optim.SGD(net, { lr: 0.1 }), {
    loss: (task: number) => lossOf(net)(task, spread),
    trains: "trunk.**",
  });
  await expect(step.together([])).rejects.toThrow("together: no calls; give the arguments of at least one");
  for (const weights of [[1], [1, Number.NaN], [1, 2, 3]])
    await expect(step.together([[0], [1]], { weights })).rejects.toThrow(
      `together: weights are [${weights.join(", ")}] for 2 calls; give each a finite number`,
    );
  expect(movedOf(before, valuesOf(net))).toEqual({});
});

test("rounds of accumulation over tasks in any order hold on to a bounded number of recordings", async () => {
  const net = makeNetwork();
  let recordings = 0;
  const step = trainStep(new optim.AdamW(net, { lr: 0.01 }), {
    loss: (task: number) => {
      recordings++;
      return lossOf(net)(task, spread);
    },
    trains: (task) => selectorsOf(shares[task]!),
    accumulate: 3,
  });
  const round = async (): Promise<void> => {
    for (const a of shares.keys())
      for (const b of shares.keys())
        for (const c of shares.keys()) for (const task of [a, b, c]) await step(task);
  };
  // Parts of the state come to be, and are cut, in the first.
  await round();
  await round();
  const [calls, plans, bytes] = [recordings, planCounts(), currentBackend().memoryInUse()];
  await round();
  expect([planCounts(), currentBackend().memoryInUse()]).toEqual([plans, bytes]);
  // Some of its calls are recorded again, as some calls of any recording are.
  expect(recordings - calls).toBeLessThan(2 * shares.length ** 3);
});
