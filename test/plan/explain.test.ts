import { expect, it } from "vitest";
import { Linear, mseLoss, ReLU, Sequential } from "../../src/nn/index.ts";
import { AdamW } from "../../src/optim/index.ts";
import { type Tensor, zeros } from "../../src/tensor/index.ts";
import { trainStep } from "../../src/train/index.ts";

it("counts what a hand counts, and less when less is trained", async () => {
  const net = new Sequential(new Linear(200, 100), new ReLU(), new Linear(100, 50));
  const step = trainStep(new AdamW(net, { lr: 0.01 }), {
    loss: (_: string, x: Tensor) => mseLoss(net.forward(x), zeros([40, 50])),
    trains: (part: string) => (part === "all" ? ["**"] : ["2.**"]),
  });
  await step("all", zeros([40, 200]));
  const all = step.plan!.explain();
  // Forward 2 products, backward 3: the input's own gradient is not computed.
  const products = 2 * 40 * (200 * 100 + 100 * 50) + 2 * 40 * (200 * 100 + 100 * 50 + 100 * 50);
  const counted = all.kernels.filter((k) => k.kind === "contract").reduce((sum, k) => sum + k.flops, 0);
  // The rest of those kernels is elementwise: biases, the activation, the optimizer's update.
  expect(counted).toBeGreaterThanOrEqual(products);
  expect(counted).toBeLessThan(products * 1.2);
  await step("head", zeros([40, 200]));
  const head = step.plan!.explain();
  expect(head.kernels.filter((k) => k.kind === "contract").length).toBe(3);
  expect(head.flops).toBeLessThan(all.flops * 0.6);
  expect(String(head)).toMatch(/contract .* dot/);
});
