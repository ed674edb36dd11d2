import { freeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { Adam, AdamW, SGD } from "thaw/optim";
import { capture, manualSeed, noGrad, type Tensor, tensor } from "thaw/tensor";
import { audit, trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { type AnyOptimizer, optimizers } from "../optim/optimizers.ts";

class Net extends nn.Module {
  table = new nn.Embedding(6, 3);
  head = new nn.Linear(3, 2);

  forward(indices: Tensor): Tensor {
    return this.head.forward(this.table.forward(indices));
  }
}

const make = (): Net => {
  manualSeed(5);
  return new Net();
};
const indices = tensor([0, 1, 2], { dtype: "i32" });
const loop = (net: Net, optimizer: Pick<AnyOptimizer, "step" | "zeroGrad">, setToNone = true): void => {
  optimizer.zeroGrad({ setToNone });
  net.forward(indices).pow(2).mean().backward();
  optimizer.step();
};

test("shares add up to what a step has moved", () => {
  for (const [name, makeOptimizer] of Object.entries(optimizers)) {
    const net = make();
    const optimizer = makeOptimizer(net.parameters());
    const watching = audit(optimizer as unknown as SGD, { module: net });
    for (let i = 0; i < 3; i++) {
      const before = net.head.bias!.dataSync();
      loop(net, optimizer);
      const after = net.head.bias!.dataSync();
      const length = Math.hypot(...after.map((x, k) => x - before[k]!));
      const event = watching.history.findLast(({ path }) => path === "head.bias")!;
      const shares = Object.values(event.shares);
      // The shares are lengths of vectors whose sum is the movement.
      const [sum, largest] = [shares.reduce((a, b) => a + b, 0), Math.max(0, ...shares)];
      expect(sum, name).toBeGreaterThanOrEqual(length * 0.999);
      expect(2 * largest - sum, name).toBeLessThanOrEqual(length * 1.001 + 1e-6);
      expect(event.update, name).toBe(i + 1);
    }
    watching.stop();
  }
});

test("the shares of plain SGD are its terms", () => {
  const net = make();
  const optimizer = new SGD(net, { lr: 0.5, momentum: 0.9, weightDecay: 0.1 });
  const watching = audit(optimizer);
  loop(net, optimizer);
  const value = net.head.bias!.dataSync();
  const momentum = optimizer.state.get(net.head.bias!)!.momentumBuffer!.dataSync();
  optimizer.zeroGrad();
  net.forward(indices).pow(2).mean().backward();
  const gradient = net.head.bias!.grad!.dataSync();
  optimizer.step();
  const { shares } = watching.history.findLast(({ path }) => path === "head.bias")!;
  const length = (x: Iterable<number>, by: number): number => by * Math.hypot(...x);
  expect(shares.gradient).toBeCloseTo(length(gradient, 0.5), 5);
  expect(shares.momentum).toBeCloseTo(length(momentum, 0.5 * 0.9), 5);
  expect(shares["coupled decay"]).toBeCloseTo(length(value, 0.5 * 0.1), 5);
});

describe("leaks, with their cause and remedy", () => {
  test("requiresGrad = false with a gradient of zeros", () => {
    const net = make();
    const optimizer = new AdamW(net, { lr: 0.1 });
    optimizer.warnOfLeaks = false;
    const watching = audit(optimizer);
    loop(net, optimizer);
    expect(watching.report().leaks.filter(({ path }) => path.startsWith("head"))).toEqual([]);
    net.head.requiresGrad_(false);
    loop(net, optimizer, false);
    const leaks = watching.report().leaks.filter(({ path }) => path === "head.weight");
    expect(leaks).toHaveLength(1);
    expect(leaks[0]!.cause).toBe(
      "the optimizer moved it once while its requiresGrad was false, by momentum and decoupled decay: its gradient was zeros, not null",
    );
    expect(leaks[0]!.remedy).toMatch(/freeze\(\)/);
  });

  test("requiresGrad = false with a stale gradient", () => {
    const net = make();
    const optimizer = new SGD(net, { lr: 0.1 });
    optimizer.warnOfLeaks = false;
    const watching = audit(optimizer);
    net.forward(indices).pow(2).mean().backward();
    net.head.requiresGrad_(false);
    optimizer.step();
    const leak = watching.report().leaks.find(({ path }) => path === "head.weight")!;
    expect(leak.cause).toMatch(/by gradient: its gradient was stale, not null/);
  });

  test("rows whose gradient is masked", () => {
    const net = make();
    const optimizer = new AdamW(net, { lr: 0.1, weightDecay: 0.1 });
    const watching = audit(optimizer);
    const mask = tensor([1, 1, 0, 0, 0, 0]).unsqueeze(1);
    for (let i = 0; i < 3; i++) {
      optimizer.zeroGrad();
      net.forward(indices).pow(2).mean().backward();
      net.table.weight.grad = net.table.weight.grad!.mul(mask);
      optimizer.step();
    }
    const leaks = watching.report().leaks;
    expect(leaks).toHaveLength(1);
    expect(leaks[0]).toMatchObject({
      path: "table.weight",
      what: "[2:]",
      cause: "moved by decoupled decay, with a gradient of zeros in every update",
    });
    expect(leaks[0]!.remedy).toContain('freeze(module, "table.weight[2:]")');
    expect(String(watching.report())).toContain("LEAK  table.weight[2:]: moved by decoupled decay");
  });

  test("a whole parameter with gradients of zeros alone", () => {
    const net = make();
    const optimizer = new Adam(net, { lr: 0.1, weightDecay: 0.1 });
    const watching = audit(optimizer);
    for (let i = 0; i < 3; i++) {
      optimizer.zeroGrad();
      net.forward(indices).mul(0).mean().backward();
      optimizer.step();
    }
    const leak = watching.report().leaks.find(({ path }) => path === "head.weight")!;
    expect(leak.cause).toBe("moved by coupled decay and momentum, with a gradient of zeros in every update");
    expect(leak.remedy).toMatch(/A gradient of zeros is not an absent one/);
  });

  test("a write to what a step freezes", async () => {
    const net = make();
    const step = trainStep(new SGD(net, { lr: 0.1 }), {
      loss: (at: Tensor) => net.forward(at).pow(2).mean(),
      trains: "head.**",
    });
    const watching = audit(step);
    await step(indices);
    expect(watching.report().leaks).toEqual([]);
    noGrad(() => net.table.weight.mul_(0.5));
    await step(indices);
    expect(watching.report().leaks).toEqual([
      {
        path: "table.weight",
        what: "",
        cause: "it is frozen, and was written to by a direct write",
        remedy: "Take the write out, or train it.",
      },
    ]);
    expect(watching.report().parameters[0]!.shares["direct write"]).toBeGreaterThan(0);
  });
});

test("what freeze() and trains hold is no leak, nor is what is written while it trains", async () => {
  const net = make();
  const optimizer = new AdamW(net, { lr: 0.1, weightDecay: 0.1 });
  const watching = audit(optimizer);
  freeze(net, "table.weight[3:]", () => {
    for (let i = 0; i < 2; i++) loop(net, optimizer);
  });
  noGrad(() => net.head.bias!.mul_(2));
  const report = watching.report();
  expect(report.leaks).toEqual([]);
  expect(report.parameters.find(({ path }) => path === "table.weight")!.elementsMoved).toBe(9);
  expect(String(report)).toContain("No leaks.");
});

test("captured loops are measured as the same loop uncaptured is", () => {
  const reports = [false, true].map((captured) => {
    const net = make();
    const optimizer = new AdamW(net, { lr: 0.1, weightDecay: 0.1 });
    const watching = audit(optimizer);
    const run = captured ? capture(() => loop(net, optimizer)) : () => loop(net, optimizer);
    for (let i = 0; i < 4; i++) run();
    expect(watching.history).toHaveLength(4 * 3);
    const report = String(watching.report());
    watching.stop();
    run();
    expect(watching.history).toHaveLength(4 * 3);
    return report;
  });
  expect(reports[1]).toBe(reports[0]);
});

test("an audit changes no bit of what is trained", async () => {
  const weights = await Promise.all(
    [false, true].map(async (audited) => {
      const net = make();
      const step = trainStep(new AdamW(net, { lr: 0.1 }), {
        loss: (at: Tensor) => net.forward(at).pow(2).mean(),
        trains: ["head.**", "table.weight[1:3]"],
      });
      if (audited) audit(step);
      for (let i = 0; i < 4; i++) await step(indices);
      return net.parameters().map((p) => [...p.dataSync()]);
    }),
  );
  expect(weights[1]).toEqual(weights[0]);
});

test("an optimizer without a module needs one", () => {
  const net = make();
  expect(() => audit(new SGD(net.parameters()))).toThrow(/pass \{ module \}/);
});
