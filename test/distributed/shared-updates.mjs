import { createHash } from "node:crypto";
import { ThreadsEngine } from "../../dist/modules/distributed/threads/threads-engine.js";
import {
  distributed,
  freeze,
  manualSeed,
  mseLoss,
  nn,
  optim,
  rand,
  trainStep,
  unfreeze,
} from "../../dist/modules/index.js";
import { report } from "./network.mjs";

// Two ranks train large layers on one batch: means of equal gradients are those of one process, so that all bits are.

const group = distributed.group();
const { rank } = group;

/** How many updates have been shared out. */
let shared = 0;
const { begin } = ThreadsEngine.prototype;
ThreadsEngine.prototype.begin = function (meeting, given) {
  const share =
    given.share &&
    ((...args) => {
      shared++;
      given.share(...args);
    });
  return begin.call(this, meeting, { ...given, share });
};

const optimizers = {
  SGD: (net) => new optim.SGD(net, { lr: 0.1, momentum: 0.9, weightDecay: 0.01 }),
  AdamW: (net) => new optim.AdamW(net, { lr: 0.01, weightDecay: 0.1, amsgrad: true }),
  RMSprop: (net) => new optim.RMSprop(net, { lr: 0.01, centered: true }),
  // It takes sums over rows and columns, and so each rank updates all.
  Adafactor: (net) => new optim.Adafactor(net, { lr: 0.05 }),
};

function made(optimizerOf, options) {
  manualSeed(1);
  const net = new nn.Sequential(new nn.Linear(250, 300), new nn.ReLU(), new nn.Linear(300, 250));
  const optimizer = optimizerOf(net);
  const loss = (x, y) => mseLoss(net.forward(x), y);
  return { net, optimizer, step: trainStep(optimizer, { loss, trains: "**", ...options }) };
}

/** A hash of the bits of a network and of what its optimizer keeps. */
async function digest({ net, optimizer }) {
  const hash = createHash("sha256");
  for (const p of net.parameters()) {
    hash.update(await p.data());
    for (const { state } of optimizer.parts(p))
      for (const value of Object.values(state))
        hash.update(typeof value === "number" ? String(value) : await value.data());
  }
  return hash.digest("hex");
}

for (const [name, optimizerOf] of Object.entries(optimizers)) {
  const [together, alone] = [made(optimizerOf, { group }), made(optimizerOf, {})];
  shared = 0;
  const counts = [];
  const differ = [];
  for (let i = 0; i < 7; i++) {
    manualSeed(100 + i);
    const batch = [rand([8, 250]), rand([8, 250])];
    for (const { net } of [together, alone]) {
      if (i === 2) freeze(net, "0.**");
      if (i === 4) unfreeze(net, "0.**");
    }
    if (i === 5) {
      // What fails on one rank is updated on none, in no part.
      const given = rank === 1 ? [rand([8, 251]), batch[1]] : batch;
      const error = await together.step(...given).then(
        () => "none",
        (error) => error.name,
      );
      if (error !== (rank === 1 ? "ShapeError" : "RankError")) differ.push(`${i}: ${error}`);
    } else {
      await together.step(...batch);
      await alone.step(...batch);
    }
    if ((await digest(together)) !== (await digest(alone))) differ.push(i);
    counts.push(shared);
    shared = 0;
  }
  report({ name, counts, differ });
}
