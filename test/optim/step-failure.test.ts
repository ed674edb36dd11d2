import { expect, it } from "vitest";
import { IndexError } from "../../src/base/errors.ts";
import { detectAnomaly } from "../../src/engine/index.ts";
import { crossEntropy, Linear } from "../../src/nn/index.ts";
import { AdamW } from "../../src/optim/index.ts";
import { full, noGrad, randn, tensor } from "../../src/tensor/index.ts";

it("loses nothing that was assigned before a step that fails", () => {
  const net = new Linear(2, 3);
  const optimizer = new AdamW(net, { lr: 0.1 });
  noGrad(() => net.weight.copy_(full([3, 2], 0.5)));
  // Targets that come from a computation are checked when the step runs.
  const targets = tensor([1, 2], { dtype: "i32" }).add(tensor([5, 5], { dtype: "i32" }));
  crossEntropy(net.forward(randn([2, 2])), targets).backward();
  expect(() => optimizer.step()).toThrow(IndexError);
  expect([...net.weight.dataSync()]).toEqual(new Array(6).fill(0.5));
  expect(optimizer.state.get(net.weight)).toBeUndefined();
});

it("runs whole steps while anomalies are looked for", () => {
  const net = new Linear(2, 3);
  const optimizer = new AdamW(net, { lr: 0.1 });
  detectAnomaly(true);
  try {
    crossEntropy(net.forward(randn([2, 2])), tensor([1, 2], { dtype: "i32" })).backward();
    optimizer.step();
  } finally {
    detectAnomaly(false);
  }
  expect(optimizer.state.get(net.weight)!.step).toBe(1);
});
