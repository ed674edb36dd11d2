import { optim } from "../../dist/index.js";
import { optimizers } from "./network.mjs";

// What ranks are proved with: every combination of an optimizer, of what is trained, of an option and of tasks by rank.

const own = (task) => (task === "task1" ? "hiddenTask1" : "hiddenTask2");
const every = () => true;
/** Of a weight of three columns, elements in some places. */
const rows = (from, to) => (i) => i >= 3 * from && i < 3 * to;

/** What a task trains: as a step is told, and which elements of which parameters those are. */
const sets = {
  all: {
    trains: () => "**",
    of: () => ({ hiddenTask1: every, hiddenTask2: every, weight: every, bias: every }),
  },
  tasks: {
    trains: (task) => ["output.**", `${own(task)}.**`],
    of: (task) => ({ [own(task)]: every, weight: every, bias: every }),
  },
  head: { trains: () => "output.**", of: () => ({ weight: every, bias: every }) },
  bias: {
    trains: (task) => ["output.bias", `${own(task)}.**`],
    of: (task) => ({ [own(task)]: every, bias: every }),
  },
  rows: {
    trains: (task) => ["output.weight[:2]", `${own(task)}.**`],
    of: (task) => ({ [own(task)]: every, weight: rows(0, 2) }),
  },
  columns: { trains: () => ["output.weight[:, 1:]"], of: () => ({ weight: (i) => i % 3 > 0 }) },
  "rows by task": {
    trains: (task) => [task === "task1" ? "output.weight[[0, 2]]" : "output.weight[1:3]", "output.bias"],
    of: (task) => ({
      bias: every,
      weight: task === "task1" ? (i) => rows(0, 1)(i) || rows(2, 3)(i) : rows(1, 3),
    }),
  },
};

const hook = (path, g) => (path.endsWith("bias") ? g.mul(2) : path === "output.weight" ? null : undefined);

/** Options of a step. What `isOwn` has no one process beside it that does the same. */
const options = {
  plain: {},
  clipped: { step: { clipNorm: 0.05 } },
  finite: { step: { finite: true, clipValue: 0.01 } },
  accumulated: { step: { accumulate: 2 } },
  verified: { step: { verify: true } },
  hooked: { step: { gradients: hook } },
  averaged: { averages: true },
  reset: { step: { state: { "hidden*.weight": { state: "reset" } } } },
  decayed: { step: { state: { "**": { state: { decay: 0.5 }, rewarm: 2 } } } },
  "the mean of users": { step: { average: "used" }, isOwn: true },
  withheld: { step: { frozenAlone: "withhold" }, isOwn: true },
  broadcast: { step: { start: "broadcast" } },
  everything: { step: { accumulate: 2, clipNorm: 0.05, finite: true, verify: true }, averages: true },
};

/** Which task a rank has at a step. */
const tasks = {
  mixed: (rank, step) => ((rank + step) % 2 === 0 ? "task1" : "task2"),
  alternating: (_, step) => (step % 2 === 0 ? "task1" : "task2"),
  "by rank": (rank) => (rank % 2 === 0 ? "task1" : "task2"),
};

/** What is frozen on all ranks beside that, and which elements those are. */
const helds = [
  null,
  ["output.weight[3]", rows(3, 4)],
  null,
  ["output.weight[:, 2]", (i) => i % 3 === 2],
  null,
];

/** What rank 1 alone has frozen where it may withhold its gradients. */
export const withheld = { selectors: ["hiddenTask1.weight", "output.bias"], of: ["hiddenTask1", "bias"] };

/** Every combination, in order. */
export function combinations() {
  const all = [];
  for (const optimizer of Object.keys(optimizers))
    for (const [set, { trains, of }] of Object.entries(sets))
      for (const [option, { step = {}, averages = false, isOwn = false }] of Object.entries(options))
        for (const [order, taskOf] of Object.entries(tasks)) {
          // Of a matrix it keeps rows and columns, and refuses single elements.
          const isWhole = optimizer !== "Adafactor" || ["all", "tasks", "head", "bias"].includes(set);
          const held = isWhole ? helds[all.length % helds.length] : null;
          all.push({
            name: `${optimizer}, ${set}, ${option}, tasks ${order}${held === null ? "" : `, ${held[0]} frozen`}`,
            seed: all.length,
            make: optimizers[optimizer],
            average: averages ? (net) => new optim.EMA(net, { decay: 0.5 }) : null,
            trains,
            of,
            options: step,
            withholds: option === "withheld",
            isOwn,
            taskOf,
            held,
          });
        }
  return all;
}
