import { parentPort } from "node:worker_threads";
import { crossEntropy, manualSeed, nn, optim, randint, randn, trainStep } from "../../../src/index.ts";

// Trains a small network, and tells the losses.
manualSeed(1);
const net = new nn.Sequential(new nn.Linear(64, 300), new nn.ReLU(), new nn.Linear(300, 10));
const step = trainStep(new optim.AdamW(net, { lr: 1e-2 }), {
  loss: (x: ReturnType<typeof randn>, y: ReturnType<typeof randn>) => crossEntropy(net.forward(x), y),
  trains: "**",
});
const [x, y] = [randn([200, 64]), randint(0, 10, [200])];
const losses: number[] = [];
for (let i = 0; i < 30; i++) losses.push(await step(x, y));
parentPort!.postMessage(losses);
