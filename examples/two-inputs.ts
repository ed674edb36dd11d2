// Two kinds of input for the same ten digits: 8×8 pixels, and the means of their 2×2 blocks. Each has a first layer
// of its own before a trunk that both share. A step trains the layer of its task and the trunk, and nothing else.
//
//   npx tsx examples/two-inputs.ts [EPOCHS]
import { readFileSync } from "node:fs";
import { crossEntropy, data, manualSeed, nn, noGrad, optim, type Tensor, trainStep } from "thaw";

type Task = "pixels" | "blocks";

const layer = () => [new nn.Linear(128, 128), new nn.ReLU(), new nn.Dropout(0.2)];

class Network extends nn.Module {
  pixels = new nn.Linear(64, 128);
  blocks = new nn.Linear(16, 128);
  trunk = new nn.Sequential(new nn.ReLU(), new nn.Dropout(0.2), ...layer(), new nn.Linear(128, 10));

  forward(x: Tensor, task: Task): Tensor {
    return this.trunk.forward(this[task].forward(x));
  }
}

const table = data.parseCsv(readFileSync(new URL("../data/digits.csv", import.meta.url), "utf8"));
const pixels = table.narrow(1, 0, 64).div(16);
const blocks = pixels.reshape([-1, 4, 2, 4, 2]).mean([2, 4]).reshape([-1, 16]);
const labels = table.select(1, 64).to("i32");
const [train, test] = data.randomSplit(new data.TensorDataset(pixels, blocks, labels), [0.75, 0.25]);
const batches = new data.DataLoader(train, { batchSize: 32, shuffle: true });

manualSeed(0);
const net = new Network();
const optimizer = new optim.AdamW(net, { lr: 5e-3, weightDecay: 0.1 });
const step = trainStep(optimizer, {
  loss: (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y),
  trains: (task) => [`${task}.**`, "trunk.**"],
});

const epochs = Number(process.argv[2] ?? 40);
const schedule = new optim.lrScheduler.CosineAnnealingLR(optimizer, { TMax: epochs });
for (let epoch = 1; epoch <= epochs; epoch++) {
  let loss = 0;
  for (const [pixels, blocks, labels] of batches) {
    loss += await step("pixels", pixels, labels);
    loss += await step("blocks", blocks, labels);
  }
  schedule.step();
  if (epoch % 10 === 0) console.log(`epoch ${epoch}  loss ${(loss / batches.length / 2).toFixed(4)}`);
}

net.eval();
const [testPixels, testBlocks, truth] = test.all();
for (const [task, x] of [["pixels", testPixels] as const, ["blocks", testBlocks] as const]) {
  const right = noGrad(() => net.forward(x, task).argmax(1).eq(truth).to("f32").mean());
  console.log(`${task}: ${(100 * Number(await right.item())).toFixed(1)} % of the test set right`);
}
console.log(String(step.report()));
