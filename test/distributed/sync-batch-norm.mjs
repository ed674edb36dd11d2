import { module } from "../../dist/freeze/index.js";
import { freeze, manualSeed, nn, optim, tensor, trainStep } from "../../dist/index.js";
import { group, report } from "./network.mjs";

// Ranks that train a network with SyncBatchNorm, each on its rows; by itself, one process on all rows.

const [, , scene, ranks, options = "{}"] = process.argv;
const { uneven = false } = JSON.parse(options);
const { rank, size } = group;
console.warn = () => {};

/** Rows of each rank: as many for each, or more for later ones. */
const counts = Array.from({ length: Number(ranks) }, (_, r) => (uneven ? 2 + 3 * r : 4));
const rows = counts.reduce((a, b) => a + b);
const first = counts.slice(0, rank).reduce((a, b) => a + b, 0);
const [from, to] = size === 1 ? [0, rows] : [first, first + counts[rank]];

class Net extends nn.Module {
  first = new nn.Linear(4, 3);
  norm = new nn.BatchNorm1d(3);
  second = new nn.Linear(3, 2);
  images = new nn.BatchNorm2d(2);

  forward(x) {
    const hidden = this.norm.forward(this.first.forward(x)).tanh();
    const image = this.second.forward(hidden).reshape([-1, 2, 1, 1]).expand([-1, 2, 2, 2]);
    return this.images.forward(image.mul(tensor([1, 2, -1, 3]).reshape([2, 2]).to("f64"))).sin();
  }
}

function made() {
  manualSeed(3);
  const net = nn.SyncBatchNorm.convertSyncBatchNorm(new Net()).to("f64");
  return { net, optimizer: new optim.SGD(net, { lr: 0.2, momentum: 0.9 }) };
}

const wave = (n, k) => Array.from({ length: n }, (_, i) => Math.sin(k * (i + 1)) + i / 9);
const batch = (turn) => {
  const [x, y] = [wave(4 * rows, 1.7 + turn), wave(rows, 0.6 + turn)];
  const part = (all, width) => all.slice(from * width, to * width);
  return [
    tensor(part(x, 4), { dtype: "f64" }).reshape([-1, 4]),
    tensor(part(y, 1), { dtype: "f64" }).reshape([-1, 1, 1, 1]),
  ];
};
const lossOf = (net) => (x, y) => net.forward(x).sub(y).square().mean();
const valuesOf = async (net) => {
  const values = {};
  for (const [path, t] of net.stateDict()) values[path] = [...(await t.data())];
  return values;
};

const scenes = {
  /** Three steps, and gradients of the last. */
  async steps() {
    const { net, optimizer } = made();
    const step = trainStep(optimizer, {
      loss: lossOf(net),
      trains: "**",
      keepGrads: true,
      group,
      ...(uneven && { samples: (x) => x.shape[0] }),
    });
    const losses = [];
    for (let turn = 0; turn < 3; turn++) losses.push(Number(await step(...batch(turn))));
    const grads = {};
    for (const [path, p] of net.namedParameters()) grads[path] = [...(await p.grad.data())];
    report({ losses, grads, values: await valuesOf(net) });
  },

  /** The slope of the mean of all ranks' losses by what each rank adds to one of its own weights. */
  async slope() {
    const { net } = made();
    const optimizer = new optim.SGD(net, { lr: 0 });
    const step = trainStep(optimizer, { loss: lossOf(net), trains: "**", keepGrads: true, group });
    const [x, y] = batch(0);
    await step(x, y);
    const gradient = (await net.first.weight.grad.data())[5];
    const weight = Float64Array.from(await net.first.weight.data());
    const lossAt = async (by) => {
      const moved = weight.slice();
      moved[5] += by;
      net.first.weight.assign(tensor(moved, { dtype: "f64" }).reshape(net.first.weight.shape));
      const loss = Number(await step(x, y));
      return (await group.sum(Float64Array.of(loss)))[0] / size;
    };
    const slope = ((await lossAt(1e-5)) - (await lossAt(-1e-5))) / 2e-5;
    report({ gradient, slope });
  },

  /** Modes in which nothing is sent for statistics, and what is refused. */
  async modes() {
    const { net, optimizer } = made();
    const step = trainStep(optimizer, { loss: lossOf(net), trains: "first.**", group });
    const sentBy = async (work) => {
      const before = group.sent.sums;
      await work();
      return group.sent.sums - before;
    };
    const [x, y] = batch(0);
    const sent = { training: await sentBy(() => step(x, y)) };
    const mean = async () => [...(await net.norm.runningMean.data())];
    const before = await mean();
    await freeze(net, module("norm"), async () => void (await step(x, y)));
    const held = String(await mean()) === String(before);
    net.eval();
    sent.eval = await sentBy(() => step(x, y));
    const refusals = [];
    const refused = async (call) => {
      try {
        await call();
        refusals.push(null);
      } catch (error) {
        refusals.push([error.name, error.message]);
      }
    };
    if (rank === 0) net.train();
    await refused(() => step(x, y));
    net.train();
    const accumulating = trainStep(optimizer, { loss: lossOf(net), trains: "**", group, accumulate: 2 });
    await refused(() => accumulating(x, y));
    const lone = nn.SyncBatchNorm.convertSyncBatchNorm(
      new nn.Sequential(new nn.Linear(4, 2), new nn.BatchNorm1d(2)),
    );
    const short = trainStep(new optim.SGD(lone, { lr: 0.1 }), {
      loss: (x, count) =>
        lone
          .forward(x.slice(0, 0, count))
          .square()
          .sum(),
      trains: "**",
      start: "broadcast",
      group,
    });
    const one = tensor([1, 2, 3, 4]).reshape([1, 4]);
    await refused(() => short(one, rank === 0 ? 1 : 0));
    await refused(() => short(one, 1));
    report({ sent, held, refusals, tracked: Number(await net.norm.numBatchesTracked.item()) });
  },
};

await scenes[scene]();
