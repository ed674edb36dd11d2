import { freeze, trainStep } from "../../dist/index.js";
import { batchOf, group, lossOf, networkOf, numbersOf, optimizers, report } from "./network.mjs";

// Every rank trains with the others, and rank 0, beside that, alone on the data of all of them; after each update all are
// compared, and what is frozen with what it was.

const own = (task) => (task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**");
const sets = {
  all: () => "**",
  tasks: (task) => ["output.**", own(task)],
  head: () => "output.**",
  bias: (task) => ["output.bias", own(task)],
  rows: (task) => ["output.weight[:2]", own(task)],
};
/** Which task a rank has at a step. */
const mixed = (rank, step) => ((rank + step) % 2 === 0 ? "task1" : "task2");
const alternating = (_, step) => (step % 2 === 0 ? "task1" : "task2");

const options = {
  plain: {},
  clipped: { clipNorm: 0.05 },
  finite: { finite: true, clipValue: 0.01 },
  accumulated: { accumulate: 2 },
  verified: { verify: true },
  hooked: {
    gradients: (path, g) => (path.endsWith("bias") ? g.mul(2) : path === "output.weight" ? null : undefined),
  },
};

const every = process.argv[2] === "all" ? 1 : 23;
const combos = [];
for (const optimizer of Object.keys(optimizers))
  for (const trains of Object.keys(sets))
    for (const option of Object.keys(options))
      for (const tasks of [mixed, alternating]) combos.push({ optimizer, trains, option, tasks });

// That a loss reaches one of the two layers is meant.
console.warn = () => {};
const problems = [];
let worst = 0;
let compared = 0;
for (const [i, { optimizer, trains, option, tasks }] of combos.entries()) {
  // A prime: what is left out is of no axis more than of another.
  if (i % every !== 0) continue;
  const name = `${optimizer}, ${trains}, ${option}, ${tasks.name}`;
  const [net, alone] = [networkOf(i), networkOf(i)];
  const [mine, others] = [optimizers[optimizer](net), optimizers[optimizer](alone)];
  const step = trainStep(mine, { loss: lossOf(net), trains: sets[trains], group, ...options[option] });
  const all = trainStep(others, { loss: lossOf(alone), trains: sets[trains], ...options[option] });
  const weights = Array.from({ length: group.size }, () => 1 / group.size);
  const [held, heldAlone] =
    i % 3 === 0 ? [freeze(net, "output.weight[3]"), freeze(alone, "output.weight[3]")] : [];
  const moves = options[option].accumulate ?? 1;
  let before = await numbersOf(net, mine);
  for (let s = 0; s < 3 * moves; s++) {
    const ranks = weights.map((_, rank) => rank);
    const batches = ranks.map((rank) => batchOf(rank, s, tasks(rank, s)));
    await step(...batches[group.rank]);
    if (group.rank === 0) await all.together(batches, { weights });
    if ((s + 1) % moves !== 0) continue;
    const numbers = await numbersOf(net, mine);
    const texts = await group.gather(JSON.stringify(numbers));
    if (new Set(texts).size > 1) problems.push(`${name}: ranks differ after call ${s}`);
    const expected = group.rank === 0 ? await numbersOf(alone, others) : numbers;
    if (Object.keys(numbers).join() !== Object.keys(expected).join())
      problems.push(`${name}: ${Object.keys(numbers)} are there, not ${Object.keys(expected)}`);
    for (const [key, values] of Object.entries(expected))
      for (const [at, value] of values.entries()) {
        compared++;
        const off = Math.abs(numbers[key][at] - value) / Math.max(1, Math.abs(value));
        worst = Math.max(worst, off);
        if (!(off < 2e-5)) problems.push(`${name}: ${key}[${at}] is ${numbers[key][at]}, not ${value}`);
      }
    // What no rank has trained in any of these calls is as it was, bit by bit, with its state.
    const given = Array.from({ length: moves }, (_, back) =>
      ranks.map((rank) => tasks(rank, s - back)),
    ).flat();
    for (const [path, task] of [
      ["hiddenTask1", "task1"],
      ["hiddenTask2", "task2"],
    ])
      if (!given.includes(task) || trains === "head")
        for (const key of Object.keys(numbers).filter((key) => key.startsWith(path)))
          if (JSON.stringify(before[key]) !== JSON.stringify(numbers[key]))
            problems.push(`${name}: ${key} has moved in call ${s}`);
    const still = held === undefined ? (trains === "rows" ? [6, 12] : null) : [9, 12];
    const rows = (n) => JSON.stringify(n["output.weight"].slice(...(still ?? [0, 0])));
    if (rows(before) !== rows(numbers)) problems.push(`${name}: frozen rows of output.weight have moved`);
    before = numbers;
  }
  held?.[Symbol.dispose]();
  heldAlone?.[Symbol.dispose]();
}
report({ problems: problems.slice(0, 10), worst, compared });
