// Trains a small network to a step, from the last checkpoint in a folder, and saves after every call. What it does is
// told through file descriptor 3, where whoever kills it listens: "l12 " loaded step 12, "s" a save begins, "e" it has
// ended, "d<hash> " all is done. Arguments: thaw's entry, the folder, the step, and "ahead" or "behind" for the saves.
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";

const [entry, folder, last, way] = process.argv.slice(2) as [string, string, string, "ahead" | "behind"];
const thaw: typeof import("../../src/index.ts") = await import(entry);
const { CheckpointFolder, data, manualSeed, nn, optim, rand, randn, trainStep } = thaw;
type Tensor = InstanceType<typeof thaw.Tensor>;
const tell = (what: string): void => void writeSync(3, what);

manualSeed(1);
const module = new nn.Sequential(new nn.Linear(16, 64), new nn.Tanh(), new nn.Linear(64, 16));
const inputs = randn([22, 16]);
const optimizer = new optim.AdamW(module, { lr: 0.01 });
const schedule = new optim.CosineAnnealingLR(optimizer, { TMax: 500 });
const ema = new optim.EMA(module, { decay: 0.9 });
const loader = new data.DataLoader(new data.TensorDataset(inputs), { batchSize: 4, shuffle: true });
const step = trainStep(optimizer, {
  loss: (x: Tensor) =>
    module
      .forward(x.add(rand(x.shape)))
      .sub(x)
      .square()
      .mean(),
  trains: ["**"],
  accumulate: 3,
  ema,
});
const counter = {
  calls: 0,
  stateDict: () => ({ calls: counter.calls }),
  loadStateDict: ({ calls }: { calls: number }) => {
    counter.calls = calls;
  },
};
const parts = { module, optimizer, schedule, ema, loader, step, counter };
// No name of a temporary file is random here: every process begins with the same ones.
let next = 0;
crypto.getRandomValues = (bytes) => {
  (bytes as unknown as Uint8Array).fill(next++);
  return bytes;
};

const checkpoints = new CheckpointFolder(folder, { keep: 2 });
const loaded = checkpoints.load(parts);
tell(`l${loaded?.step ?? 0} `);
while (counter.calls < Number(last))
  for (const [x] of loader) {
    await step(x!);
    schedule.step();
    counter.calls++;
    tell("s");
    if (way === "ahead") checkpoints.save(counter.calls, parts);
    else await checkpoints.saveAsync(counter.calls, parts);
    tell("e");
    if (counter.calls === Number(last)) break;
  }
const hash = createHash("sha256");
for (const values of [module.stateDict().values(), Object.values(ema.stateDict().averages)])
  for (const t of values) hash.update(new Uint8Array(t.dataSync().buffer));
hash.update(JSON.stringify([optimizer.paramGroups[0]!.lr, loader.stateDict(), step.report().parameters]));
tell(`d${hash.digest("hex")} `);
