// The article's network with two tasks, on two ranks: both train one task, each its own, or the tasks in turn. Prints
// parameters, their state and what has changed after every step, and exits with 1 where the ranks differ in a bit, or
// where a bit has moved of what no rank trained.
//
//   npx thaw run -n 2 examples/two-devices.ts
import {
  changedParameters,
  crossEntropy,
  distributed,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  snapshot,
  type Tensor,
  trainStep,
} from "thaw";

type Task = "task1" | "task2";

class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4, { bias: false });

  forward(x: Tensor, task: Task): Tensor {
    const hidden = task === "task1" ? this.hiddenTask1 : this.hiddenTask2;
    return this.output.forward(hidden.forward(x).sigmoid());
  }
}

const group = distributed.group();

/** What each rank trains at a step. */
const orders: Record<string, (rank: number, step: number) => Task> = {
  "in turn": (_, step) => (step % 2 === 0 ? "task1" : "task2"),
  "by rank": (rank) => (rank % 2 === 0 ? "task1" : "task2"),
  "mixed, in turn": (rank, step) => ((rank + step) % 3 === 0 ? "task2" : "task1"),
};

const optimizers = {
  SGD: (net: Network) => new optim.SGD(net, { lr: 0.5, momentum: 0.9 }),
  Adam: (net: Network) => new optim.Adam(net, { lr: 0.1 }),
  AdamW: (net: Network) => new optim.AdamW(net, { lr: 0.1, weightDecay: 0.1 }),
};

/** The numbers of a tensor, a few of them as text. */
const shown = (values: ArrayLike<number>): string =>
  Array.from(values)
    .slice(0, 3)
    .map((x) => x.toPrecision(3).padStart(10))
    .join("");

let faults = 0;
for (const [name, makeOptimizer] of Object.entries(optimizers))
  for (const [order, taskOf] of Object.entries(orders)) {
    // The same network on all ranks, and then data of one's own.
    manualSeed(0);
    const net = new Network();
    manualSeed(1 + group.rank);
    const optimizer = makeOptimizer(net);
    const step = trainStep(optimizer, {
      loss: (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y),
      trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
      group,
    });
    if (group.rank === 0) console.log(`${name}, tasks ${order}`);
    for (let s = 0; s < 3; s++) {
      const task = taskOf(group.rank, s);
      const before = snapshot(net);
      await step(task, randn([4, task === "task1" ? 3 : 2]), randint(0, 4, [4]));
      const changed = changedParameters(before, net);
      const tasks = await group.gather(task);
      if (group.rank === 0) console.log(`  step ${s + 1}: ${tasks.join(" and ")}`);
      for (const [path, p] of net.namedParameters()) {
        const state = optimizer.state.get(p);
        const tensors = Object.entries(state ?? {}).filter(([key]) => key !== "step") as [string, Tensor][];
        const numbers: [string, ArrayLike<number>][] = [[path, (await p.data()) as Float32Array]];
        for (const [key, value] of tensors) numbers.push([key, (await value.data()) as Float32Array]);
        const all = await group.gather(
          JSON.stringify([state?.step, numbers.map(([, n]) => [...(n as Float32Array)])]),
        );
        const differ = all.some((other) => other !== all[0]);
        const trained =
          path.startsWith("output") || tasks.some((t) => path.startsWith(t.replace("t", "hiddenT")));
        const moved = changed.has(path);
        if (differ || (moved && !trained)) faults++;
        if (group.rank !== 0) continue;
        const text = numbers.map(([key, values]) => `${key === path ? "" : ` ${key}`}${shown(values)}`);
        const verdict = differ
          ? "RANKS DIFFER"
          : moved && !trained
            ? "MOVED, FROZEN"
            : moved
              ? "changed"
              : "not a bit";
        console.log(`    ${path.padEnd(19)}${verdict.padEnd(14)}steps ${state?.step ?? 0} ${text.join("")}`);
      }
    }
  }
if (group.rank === 0) {
  const { sums, messages } = group.sent;
  console.log(
    `${group.size} rank(s): ${faults === 0 ? "the same bits on all, and nothing frozen has moved" : `${faults} faults`}; ` +
      `rank 0 sent ${sums} bytes of gradients and ${messages} of agreement`,
  );
}
if (faults > 0) process.exitCode = 1;
