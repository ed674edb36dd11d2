import { afterEach, describe, expect, test } from "vitest";
import { NonFiniteError } from "../../src/base/errors.ts";
import { detectAnomaly } from "../../src/engine/index.ts";
import {
  BatchNorm1d,
  crossEntropy,
  Linear,
  Module,
  mseLoss,
  nllLoss,
  Sequential,
} from "../../src/nn/index.ts";
import { AdamW, SGD } from "../../src/optim/index.ts";
import {
  capture,
  full,
  noGrad,
  Parameter,
  randn,
  type Tensor,
  tensor,
  where,
  zeros,
} from "../../src/tensor/index.ts";
import { trainStep } from "../../src/train/index.ts";

class Net extends Module {
  norm = new BatchNorm1d(4);
  body = new Sequential(new Linear(4, 4), this.norm);
  head = new Linear(4, 3);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x));
  }
}

class Log extends Module {
  shift = new Parameter(full([3], -1e6));
  forward(x: Tensor): Tensor {
    return x.add(this.shift).log();
  }
}

const x = randn([2, 4]);
const classes = tensor([0, 1], { dtype: "i32" });
const withNaN = tensor([
  [1, 2, 3, 4],
  [1, Number.NaN, 3, 4],
]);

const stepOf = <A extends unknown[], M extends Module>(
  net: M,
  loss: (...args: A) => Tensor,
  options: { accumulate?: number } = {},
) => trainStep(new AdamW(net), { loss, trains: ["**"] as const, finite: true, ...options });

/** The message of the error that a call ends with, in which no node of a graph is named. */
async function messageOf(call: () => unknown): Promise<string> {
  let thrown: unknown = null;
  try {
    await call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(NonFiniteError);
  const { message } = thrown as Error;
  expect(message).toContain("nothing was updated");
  expect(message).not.toMatch(/%\d|%\?/);
  return message;
}

/** The line of this file that a message names. */
const lineIn = (message: string): string | undefined => /non-finite\.test\.ts:\d+:\d+/.exec(message)?.[0];

describe("a loss that is not finite is traced to where that began", () => {
  test("an operation, with its numbers and the line that called it, first and when replayed", async () => {
    const net = new Net();
    const step = stepOf(net, (x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y));
    const ignored = tensor([-100, -100], { dtype: "i32" });
    const first = await messageOf(() => step(x, ignored));
    expect(first).toMatch(
      /^trainStep: The loss is NaN;.*begins in crossEntropy in the loss.*1 \/ 0 is Infinity/,
    );
    expect(first).toMatch(/No label counts/);
    expect(lineIn(first)).toBeDefined();
    await step(x, classes);
    expect(await messageOf(() => step(x, ignored))).toBe(first);
    const weighted = stepOf(net, (x: Tensor, y: Tensor) =>
      nllLoss(net.forward(x).logSoftmax(1), y, { weight: zeros([3]) }),
    );
    expect(await messageOf(() => weighted(x, classes))).toMatch(/nllLoss in the loss.*No label counts/);
  });

  test("a module inside others, by path", async () => {
    class Deep extends Module {
      layers = [new Linear(4, 3), new Log()];
    }
    const net = new Deep();
    const step = stepOf(net, (x: Tensor) => net.layers.reduce((h, layer) => layer.forward(h), x).mean());
    expect(await messageOf(() => step(x))).toMatch(
      /begins in log in layers\.1 \(Log\),.*log\(-1e6|log\(-1000000/,
    );
    // Modules are as they were: nothing of their own calls forward.
    expect(Object.keys(net.layers[1]!)).toEqual(["shift"]);
    expect(Object.hasOwn(net.layers[1]!, "forward")).toBe(false);
  });

  test("a module whose forward is a field of its own keeps it", async () => {
    class Field extends Module {
      layer = new Linear(4, 3);
      forward = (x: Tensor): Tensor => this.layer.forward(x).sub(1e6).log();
    }
    const net = new Field();
    const { forward } = net;
    const step = stepOf(net, (x: Tensor) => net.forward(x).mean());
    expect(await messageOf(() => step(x))).toMatch(/begins in log in Field,/);
    expect(net.forward).toBe(forward);
    expect(Object.keys(net)).toContain("forward");
  });

  test("an argument, by its place", async () => {
    const net = new Net();
    const step = stepOf(net, (x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y));
    const message = /begins in argument 1, which holds NaN at \[1, 1\] of 8 elements/;
    expect(await messageOf(() => step(withNaN, classes))).toMatch(message);
    await step(x, classes);
    expect(await messageOf(() => step(withNaN, classes))).toMatch(message);
    const calls = [
      [x, classes],
      [withNaN, classes],
    ] as const;
    expect(await messageOf(() => step.together(calls))).toMatch(/argument 1 of call 2,/);
    const nested = stepOf(
      net,
      (batch: { x: Tensor[]; y: Tensor }) => crossEntropy(net.forward(batch.x[0]!), batch.y),
      {
        accumulate: 2,
      },
    );
    await nested({ x: [x], y: classes });
    expect(await messageOf(() => nested({ x: [withNaN], y: classes }))).toMatch(/argument 1\.x\[0\],/);
  });

  test("a parameter or a buffer that held it before", async () => {
    const net = new Net();
    const step = stepOf(net, (x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y));
    await step(x, classes);
    const weight = randn([3, 4]);
    noGrad(() => net.head.weight.copy_(full([3, 4], Number.NaN)));
    expect(await messageOf(() => step(x, classes))).toMatch(
      /begins in the parameter head\.weight, which holds NaN/,
    );
    noGrad(() => net.head.weight.copy_(weight));
    net.eval();
    net.norm.runningVar!.assign(full([4], Number.NaN));
    expect(await messageOf(() => step(x, classes))).toMatch(/begins in the buffer norm\.runningVar,/);
  });

  test("infinities of a mask are no fault, but what a row makes that has nothing else", async () => {
    const net = new Net();
    const masked = stepOf(net, (x: Tensor, mask: Tensor) =>
      net.forward(x).maskedFill(mask, Number.NEGATIVE_INFINITY).softmax(1).square().mean(),
    );
    const row = (...hidden: number[]): boolean[] => [0, 1, 2].map((i) => hidden.includes(i));
    await masked(x, tensor([row(0), row(1, 2)]));
    expect(await messageOf(() => masked(x, tensor([row(0), row(0, 1, 2)])))).toMatch(
      /begins in softmax in the loss.*-Infinity − -Infinity is NaN.*leave something in every row/,
    );
  });

  test("an overflow", async () => {
    const net = new Net();
    const step = stepOf(net, (x: Tensor) => net.forward(x).abs().add(1).mul(100).exp().mean());
    expect(await messageOf(() => step(x))).toMatch(
      /The loss is infinite;.*begins in exp in the loss.*overflows/,
    );
  });
});

describe("a gradient that is not finite while the loss is", () => {
  test.each([
    ["sqrt", (h: Tensor) => h.mul(0).sqrt().sum(), /The loss is finite, but a gradient is not/],
    ["sqrt", (h: Tensor) => h.mul(0).sqrt().sum(), /slope at 0 is infinite/],
    ["pow", (h: Tensor) => h.mul(0).pow(0.25).sum(), /slope at 0 is infinite/],
    ["log", (h: Tensor) => where(h.mul(0).gt(0), h.mul(0).log(), 0).sum(), /both branches of where/],
  ])("is the gradient of %s", async (operation, loss, expected) => {
    const net = new Net();
    const step = stepOf(net, (x: Tensor) => loss(net.forward(x)));
    const message = await messageOf(() => step(x));
    expect(message).toContain(`begins in the gradient of ${operation} in the loss`);
    expect(message).toMatch(expected);
    expect(lineIn(message)).toBeDefined();
  });

  test("also where only some rows are trained", async () => {
    const net = new Linear(4, 3);
    const step = trainStep(new SGD(net, { lr: 1 }), {
      loss: (x: Tensor) => net.forward(x).mul(0).sqrt().sum(),
      trains: ["weight[1:]"],
      finite: true,
    });
    expect(await messageOf(() => step(x))).toContain("begins in the gradient of sqrt in the loss");
  });
});

test("a search changes nothing: statistics, random state and what the loss is given stay as they were", async () => {
  const net = new Net();
  const { norm } = net;
  const seen: Tensor[] = [];
  const step = stepOf(net, (x: Tensor) => {
    seen.push(x);
    return net.forward(x).mul(0).sqrt().sum();
  });
  const before = [...norm.runningMean!.dataSync()];
  await messageOf(() => step(x));
  expect([...norm.runningMean!.dataSync()]).toEqual(before);
  expect(norm.numBatchesTracked!.itemSync()).toBe(0);
  expect(seen.length).toBeGreaterThan(1);
});

test("a loss that refuses to be computed again leaves the error that the check gave", async () => {
  const net = new Net();
  let calls = 0;
  const step = stepOf(net, (x: Tensor, y: Tensor) => {
    if (++calls > 1) throw new Error("not again");
    return mseLoss(net.forward(x), y);
  });
  expect(await messageOf(() => step(withNaN, zeros([2, 3])))).toMatch(/^The loss or a gradient/);
});

describe("while anomalies are looked for", () => {
  afterEach(() => detectAnomaly(false));

  test("a loop by hand names the operation and its line", async () => {
    detectAnomaly(true);
    const net = new Net();
    const optimizer = new SGD(net, { lr: 1 });
    const message = await messageOf(() => {
      net.forward(x).sub(1e6).log().mean().backward();
      optimizer.step();
    });
    expect(message).toMatch(/begins in log, called at/);
    expect(lineIn(message)).toBeDefined();
  });

  test("a captured function is looked at too", async () => {
    detectAnomaly(true);
    const net = new Net();
    const captured = capture((x: Tensor) => net.forward(x).sub(1e6).log().mean());
    expect(await messageOf(() => captured(x))).toMatch(/begins in log/);
  });

  test("a step that throws leaves nothing of itself", async () => {
    detectAnomaly(true);
    const net = new Net();
    const { norm } = net;
    const step = trainStep(new AdamW(net), {
      loss: (x: Tensor, fails: boolean) => {
        const out = net.forward(x).square().mean();
        if (fails) throw new Error("mine");
        return out;
      },
      trains: ["**"],
    });
    await step(x, false);
    const before = [...norm.runningMean!.dataSync(), Number(norm.numBatchesTracked!.itemSync())];
    await expect(step(x, true)).rejects.toThrow("mine");
    await messageOf(() => step(withNaN, false));
    expect([...norm.runningMean!.dataSync(), Number(norm.numBatchesTracked!.itemSync())]).toEqual(before);
    await step(x, false);
  });
});
