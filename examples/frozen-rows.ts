// 90 of 100 rows of an embedding are to rest through 10,000 steps of AdamW, lr 3e-4, weight decay 0.1. Held by a mask
// on the gradient, as is usual, they decay; left out of what the step trains, they do not change by a bit. The mask in
// PyTorch is frozen-rows.py, which is run too where there is a Python with torch.
//
//   npx tsx examples/frozen-rows.ts
//   PYTHON=path/to/python npx tsx examples/frozen-rows.ts
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cat, manualSeed, nn, ones, optim, randint, type Tensor, trainStep, zeros } from "thaw";

const [rows, trained, width, steps] = [100, 10, 8, 10_000];

class Model extends nn.Module {
  embedding = new nn.Embedding(rows, width);

  loss(ids: Tensor): Tensor {
    return this.embedding.forward(ids).square().mean();
  }

  /** The rows that are to rest. */
  atRest(): Float32Array {
    return (this.embedding.weight.dataSync() as Float32Array).slice(trained * width);
  }
}

type Step = (ids: Tensor) => unknown;

/** The gradient of what should rest becomes zero: the usual recipe. */
function masked(model: Model, optimizer: optim.AdamW): Step {
  const { weight } = model.embedding;
  const mask = cat([ones([trained, 1]), zeros([rows - trained, 1])]).keep();
  return (ids) => {
    optimizer.zeroGrad();
    model.loss(ids).backward();
    weight.grad = weight.grad!.mul(mask);
    optimizer.step();
  };
}

/** The step says which rows it trains. */
const named = (model: Model, optimizer: optim.AdamW): Step =>
  trainStep(optimizer, { loss: (ids: Tensor) => model.loss(ids), trains: ["embedding.weight[:10]"] });

/** Trains in one of the ways, and tells what it did to the rows at rest. */
async function tell(name: string, way: typeof masked): Promise<void> {
  manualSeed(0);
  const model = new Model();
  const step = way(model, new optim.AdamW(model, { lr: 3e-4, weightDecay: 0.1 }));
  const before = model.atRest();
  for (let i = 0; i < steps; i++) await step(randint(0, rows, [64]));
  const after = model.atRest();
  const bits = new Uint32Array(before.buffer);
  const changed = new Uint32Array(after.buffer).filter((word, i) => word !== bits[i]).length;
  const kept = Math.hypot(...after) / Math.hypot(...before);
  console.log(
    `${name}: ${changed} of ${before.length} frozen elements changed, ${kept.toFixed(4)} of their norm is left`,
  );
}

const python = process.env.PYTHON ?? "python3";
const script = fileURLToPath(new URL("frozen-rows.py", import.meta.url));
const { status, stdout } = spawnSync(python, [script], { encoding: "utf8" });
console.log(
  status === 0 ? stdout.trim() : `PyTorch: not run, ${python} has no torch here; set PYTHON to one that has`,
);
await tell("thaw, gradient mask", masked);
await tell('thaw, trains: ["embedding.weight[:10]"]', named);
