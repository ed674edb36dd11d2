import { expect, it } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { planCounts } from "../../src/engine/realize.ts";
import { Linear, mseLoss } from "../../src/nn/index.ts";
import { SGD } from "../../src/optim/index.ts";
import { capture, type Tensor, tensor } from "../../src/tensor/index.ts";
import { isBroad } from "../breadth.ts";
import { collectGarbage } from "../collect-garbage.ts";

/** Of loops whose every step is planned anew, or found, and committed. */
const separateSteps = isBroad ? 100_000 : 20_000;
const x = tensor([[1, 2]]);
const y = tensor([[0.5, -0.5]]);

function network() {
  const net = new Linear(2, 2, { bias: false });
  const optimizer = new SGD(net, { lr: 1e-3, momentum: 0.9 });
  const step = (a: Tensor, b: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = mseLoss(net.forward(a), b);
    loss.backward();
    optimizer.step();
    return loss;
  };
  return { net, step };
}

/** What JavaScript holds, once all that nothing refers to is gone: finalizers take a turn of the event loop. */
async function held(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Runs a tenth of the steps, then all, and compares what is held after each. */
async function flat(run: (count: number) => Promise<void> | void, steps = 100_000): Promise<void> {
  await run(steps / 10);
  const before = {
    javascript: await held(),
    engine: currentBackend().memoryInUse(),
    plans: planCounts().held,
    rss: process.memoryUsage().rss,
  };
  await run(steps);
  const after = await held();
  expect(currentBackend().memoryInUse()).toBe(before.engine);
  expect(planCounts().held).toBe(before.plans);
  // A leak of one object of 400 bytes a step would add this.
  expect(after - before.javascript).toBeLessThan(8 * 2 ** 20);
  // The memory of a process that has just collected says little; but blocks that are lost for good show at last.
  expect(process.memoryUsage().rss - before.rss).toBeLessThan(250 * 2 ** 20);
}

const limit = 240_000;

it(
  "holds memory flat in captured loops that never yield",
  async () => {
    const { step } = network();
    const captured = capture(step);
    await flat((count) => {
      for (let i = 0; i < count; i++) captured(x, y);
    });
  },
  limit,
);

it(
  "holds memory flat in captured loops that yield",
  async () => {
    const { step } = network();
    const captured = capture(step);
    await flat(async (count) => {
      for (let i = 0; i < count; i++) await captured(x, y).item();
    });
  },
  limit,
);

it(
  "holds memory flat in loops of separate operations that never yield",
  async () => {
    const { step } = network();
    await flat((count) => {
      for (let i = 0; i < count; i++) step(x, y);
    }, separateSteps);
  },
  limit,
);

it(
  "holds memory flat in loops of separate operations that yield",
  async () => {
    const { step } = network();
    await flat(async (count) => {
      for (let i = 0; i < count; i++) await step(x, y).item();
    }, separateSteps);
  },
  limit,
);

it(
  "holds memory flat in a loop that only reads",
  async () => {
    const { net } = network();
    await flat((count) => {
      for (let i = 0; i < count; i++) net.forward(x).dataSync();
    });
  },
  limit,
);
