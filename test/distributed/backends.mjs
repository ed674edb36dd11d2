import { workerData } from "node:worker_threads";

// Ranks that compute by different backends: which one is read when the library is loaded.
process.env.THAW_BACKEND = workerData["thaw:rank"].rank === 0 ? "wasm" : "reference";
const { distributed, manualSeed, nn, ones, optim, trainStep } = await import("../../dist/index.js");

manualSeed(1);
const net = new nn.Linear(2, 1);
const step = trainStep(new optim.SGD(net, { lr: 0.1 }), {
  loss: (x) => net.forward(x).sum(),
  trains: "**",
  group: distributed.group(),
});
const before = String(await net.weight.data());
try {
  await step(ones([3, 2]));
} catch (error) {
  const same = before === String(await net.weight.data());
  console.log(JSON.stringify({ error: error.name, message: error.message, same }));
}
