// What Slurm and Kubernetes run on each rank, in these files: it trains a small network from the last checkpoint in a
// folder, and saves on the way. Arguments: the folder, which all machines see, and how many steps there are in all.
import { CheckpointFolder, data, distributed, manualSeed, mseLoss, nn, optim, randn, trainStep } from "thaw";

const [path = "checkpoints", steps = "2000"] = process.argv.slice(2);
const group = distributed.group();

// All ranks begin with the same network and the same data, of which each is given a share.
manualSeed(0);
const net = new nn.Sequential(new nn.Linear(16, 64), new nn.Tanh(), new nn.Linear(64, 1));
const inputs = randn([256, 16]);
const dataset = new data.TensorDataset(inputs, inputs.square().sum(1, { keepdim: true }));
manualSeed(1 + group.rank);

const optimizer = new optim.AdamW(net, { lr: 0.001 });
const loader = new data.DataLoader(dataset, { batchSize: 16, shuffle: true, group });
const step = trainStep(optimizer, {
  loss: (x, y) => mseLoss(net.forward(x), y),
  trains: "**",
  samples: (x) => x.shape[0],
  group,
});

const checkpoints = new CheckpointFolder(path);
const everything = { module: net, optimizer, step, loader, group };
let done = checkpoints.load(everything)?.step ?? 0;
if (group.rank === 0) console.log(`${group.size} ranks by ${group.engine}, from step ${done}`);
while (done < Number(steps))
  for (const [x, y] of loader) {
    const loss = await step(x, y);
    done++;
    if (done % 100 === 0) {
      checkpoints.save(done, everything);
      if (group.rank === 0) console.log(`step ${done}: ${Number(loss).toPrecision(3)}`);
    }
    if (done === Number(steps)) break;
  }
