// Steps of W3 with 256 samples on each rank, on the built library: one rank, or those that it was started as. Rank 0 prints the median step's time.
import { median } from "./median.mjs";

const built = new URL("../../dist/node/", import.meta.url);
const { distributed, manualSeed, mseLoss, nn, optim, randn, trainStep } = await import(
  new URL("index.js", built).href
);
const { currentBackend } = await import(new URL("backends/index.js", built).href);

const group = distributed.group();
manualSeed(0);
const net = new nn.Sequential(new nn.Linear(1024, 4096), new nn.ReLU(), new nn.Linear(4096, 1024));
const step = trainStep(new optim.AdamW(net, { lr: 1e-3 }), {
  loss: (x, y) => mseLoss(net.forward(x), y),
  trains: "**",
  group,
});
const [x, y] = [randn([256, 1024]), randn([256, 1024])];
const [warmup, steps] = [8, 24];
const times = [];
for (let i = -warmup; i < steps; i++) {
  const start = performance.now();
  await step(x, y);
  if (i >= 0) times.push(performance.now() - start);
}
await group.barrier();
if (group.rank === 0)
  console.log(
    JSON.stringify({
      ms: median(times),
      minMs: Math.min(...times),
      backend: currentBackend().name,
      engine: group.engine,
    }),
  );
