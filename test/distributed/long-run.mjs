import { manualSeed, mseLoss, nn, optim, tensor, trainStep } from "../../dist/index.js";
import { group, report } from "./network.mjs";

// A thousand steps and more by each optimizer: ranks that have a part of each batch, or one process that has all of it, in
// an order of rows that the last argument says.

const [, , names, steps, ranks, order = "0"] = process.argv;
const rows = 12;

const optimizers = {
  SGD: (net) => new optim.SGD(net, { lr: 0.05, momentum: 0.9, weightDecay: 1e-3 }),
  Adam: (net) => new optim.Adam(net, { lr: 1e-3 }),
  AdamW: (net) => new optim.AdamW(net, { lr: 1e-3, weightDecay: 0.05 }),
  Adamax: (net) => new optim.Adamax(net, { lr: 1e-3 }),
  NAdam: (net) => new optim.NAdam(net, { lr: 1e-3 }),
  RAdam: (net) => new optim.RAdam(net, { lr: 1e-3 }),
  RMSprop: (net) => new optim.RMSprop(net, { lr: 1e-3, centered: true }),
  Rprop: (net) => new optim.Rprop(net, { lr: 1e-3 }),
  Adagrad: (net) => new optim.Adagrad(net, { lr: 1e-2 }),
  Adadelta: (net) => new optim.Adadelta(net, { lr: 0.5 }),
  Adafactor: (net) => new optim.Adafactor(net, { lr: 1e-3 }),
  ASGD: (net) => new optim.ASGD(net, { lr: 0.02 }),
  Muon: (net) => new optim.Muon([net.getParameter("0.weight"), net.getParameter("2.weight")], { lr: 1e-3 }),
};

/** Where each row of a batch of one process is: as ranks have them, and in other orders. */
const places = Array.from({ length: rows }, (_, i) =>
  Number(order) === 0 ? i : (i * [1, 5, 7, 11][order] + Number(order)) % rows,
);

for (const name of names === "all" ? Object.keys(optimizers) : names.split(",")) {
  manualSeed(5);
  const net = new nn.Sequential(new nn.Linear(6, 16), new nn.Tanh(), new nn.Linear(16, 4));
  const step = trainStep(optimizers[name](net), {
    loss: (x, y) => mseLoss(net.forward(x), y),
    trains: name === "Muon" ? ["0.weight", "2.weight"] : "**",
    module: net,
    group,
  });
  const each = rows / Number(ranks);
  const own = group.size === 1 ? places : places.slice(group.rank * each, (group.rank + 1) * each);
  for (let i = 0; i < Number(steps); i++) {
    const x = own.map((row) => Array.from({ length: 6 }, (_, c) => 2 * Math.sin(row * 7 + c * 3 + i * 1.3)));
    const y = x.map((row) => [0, 1, 2, 3].map((c) => Math.tanh(row[c] - row[c + 1] * row[c + 2])));
    await step(tensor(x), tensor(y));
  }
  const values = [];
  for (const [, p] of net.namedParameters()) values.push(...(await p.data()));
  report({ name, values });
}
