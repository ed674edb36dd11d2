// A rank that trains a small network to a step, from the last checkpoint in a folder, and saves on the way. What it does
// is told in lines of JSON: its process, that it trains, how a step has failed, or the hash of all that it ends with.
// Arguments: thaw's entry, the folder, how many calls there are in all ("+12": beside those that are loaded, as they are
// in any case when all have begun again), and the fault of one rank, as JSON.
import { createHash } from "node:crypto";

const [entry, path, calls, text] = process.argv.slice(2);
const { CheckpointFolder, data, distributed, getRandomState, manualSeed, nn, optim, rand, randn, trainStep } =
  await import(entry);
const tell = (what) => console.log(JSON.stringify(what));

tell({ process: process.pid });
const group = distributed.group();
/** Which rank does what, so many milliseconds after it has begun to train; only at the first start. */
const fault = JSON.parse(text);
const isMine = fault.rank === group.rank && group.restarts === 0;

manualSeed(1);
const module = new nn.Sequential(new nn.Linear(16, 64), new nn.Tanh(), new nn.Linear(64, 16));
const inputs = randn([50, 16]);
const optimizer = new optim.AdamW(module, { lr: 0.01 });
const schedule = new optim.CosineAnnealingLR(optimizer, { TMax: 500 });
const ema = new optim.EMA(module, { decay: 0.9 });
const loader = new data.DataLoader(new data.TensorDataset(inputs), { batchSize: 4, shuffle: true, group });
// What a rank draws is its own from here on.
manualSeed(2 + group.rank);

const failing = {
  throws() {
    throw new TypeError("a fault of its own");
  },
  stalls() {
    for (;;);
  },
  kills() {
    process.kill(process.pid, "SIGKILL");
  },
};
let due = Number.POSITIVE_INFINITY;
const step = trainStep(optimizer, {
  loss: (x) =>
    module
      .forward(x.add(rand(x.shape)))
      .sub(x)
      .square()
      .mean(),
  trains: () => {
    if (performance.now() > due) failing[fault.how]();
    return "**";
  },
  accumulate: 2,
  ema,
  group,
});
const counter = {
  calls: 0,
  stateDict: () => ({ calls: counter.calls }),
  loadStateDict: ({ calls }) => {
    counter.calls = calls;
  },
};
const parts = { module, optimizer, schedule, ema, loader, step, counter, group };
const checkpoints = new CheckpointFolder(path);

/** Begins the time after which this rank has its fault, in a call of the step or between two. */
function arm() {
  if (!isMine || !(fault.how in failing)) return;
  if (fault.inside) due = performance.now() + fault.after;
  else setTimeout(failing[fault.how], fault.after);
}

try {
  const loaded = checkpoints.load(parts);
  const from = counter.calls;
  if ((loaded?.step ?? 0) !== from) throw new Error(`step ${loaded?.step} has call ${from}`);
  const last = group.restarts > 0 ? from + 12 : Number(calls) + (calls.startsWith("+") ? from : 0);
  while (counter.calls < last)
    for (const [x] of loader) {
      await step(x);
      schedule.step();
      counter.calls++;
      if (counter.calls % 6 === 0) checkpoints.save(counter.calls, parts);
      if (counter.calls === from + 6) {
        tell({ from });
        arm();
      }
      if (counter.calls === last) break;
    }
} catch (error) {
  tell({ error: error.name, rank: error.rank, message: error.message });
  throw error;
}
const hash = createHash("sha256");
for (const values of [module.stateDict().values(), Object.values(ema.stateDict().averages)])
  for (const t of values) hash.update(new Uint8Array(t.dataSync().buffer));
hash.update(JSON.stringify([optimizer.paramGroups[0].lr, loader.stateDict(), step.report().parameters]));
hash.update(JSON.stringify(getRandomState()));
tell({ hash: hash.digest("hex"), calls: counter.calls });
