// A rank that trains a tiny network for many steps, with tasks that change by rank, and says from time to time what it
// holds: memory, file descriptors, threads. Arguments: thaw's entry, the steps, and how often it looks.
import { readdirSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const [entry, steps, looks] = process.argv.slice(2);
const { crossEntropy, distributed, manualSeed, nn, optim, randint, randn, trainStep } = await import(entry);
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");
const group = distributed.group();

class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4);
  forward(x, task) {
    return this.output.forward((task === 1 ? this.hiddenTask1 : this.hiddenTask2).forward(x).sigmoid());
  }
}

manualSeed(0);
const net = new Network();
const step = trainStep(new optim.AdamW(net, { lr: 0.001 }), {
  loss: (task, x, y) => crossEntropy(net.forward(x, task), y),
  trains: (task) => ["output.**", `hiddenTask${task}.**`],
  clipNorm: 1,
  group,
});
manualSeed(1 + group.rank);
const batches = [1, 2].map((task) =>
  Array.from({ length: 8 }, () => [task, randn([4, 4 - task]), randint(0, 4, [4])]),
);

/** What this process holds once garbage is collected. */
async function held() {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise(setImmediate);
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const status = readFileSync("/proc/self/status", "utf8");
  return {
    rss,
    heapUsed,
    external,
    arrayBuffers,
    descriptors: readdirSync("/proc/self/fd").length,
    threads: Number(/Threads:\s*(\d+)/.exec(status)[1]),
    mappings: readFileSync("/proc/self/maps", "utf8").split("\n").length,
  };
}

for (let s = 0; s <= Number(steps); s++) {
  if (s % Number(looks) === 0) {
    await group.barrier();
    console.log(JSON.stringify({ step: s, ...(await held()) }));
    await group.barrier();
  }
  if (s < Number(steps)) await step(...batches[(s + group.rank * (s % 3)) % 2][s % 8]);
  if (s % 500 === 0) await group.gather({ step: s });
}
