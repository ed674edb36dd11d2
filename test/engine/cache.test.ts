import { expect, it } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { planCounts } from "../../src/engine/realize.ts";
import { crossEntropy, trainStep } from "../../src/index.ts";
import { Linear, ReLU, Sequential } from "../../src/nn/index.ts";
import { Adam } from "../../src/optim/index.ts";
import { randn, type Tensor, zeros } from "../../src/tensor/index.ts";

it("compiles nothing for another batch size, and little for another frozen set", async () => {
  const net = new Sequential(
    new Linear(784, 256),
    new ReLU(),
    new Linear(256, 128),
    new ReLU(),
    new Linear(128, 10),
  );
  const step = trainStep(new Adam(net, { lr: 1e-3 }), {
    loss: (_: string, x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y),
    trains: (part: string) => (part === "all" ? ["**"] : ["4.**"]),
  });
  const batch = (part: string, rows: number) =>
    step(part, randn([rows, 784]), zeros([rows], { dtype: "i32" }));
  await batch("all", 64);
  // Drawing the numbers of a batch has a kernel of its own: let it be there before counting.
  const compiled = currentBackend().kernelsCompiled();
  const { made } = planCounts();
  for (const rows of [48, 33, 128]) await batch("all", rows);
  expect(planCounts().made).toBeGreaterThan(made);
  expect(currentBackend().kernelsCompiled()).toBe(compiled);
  await batch("head", 64);
  expect(currentBackend().kernelsCompiled() - compiled).toBeLessThanOrEqual(2);
});
