import { describe, expect, test } from "vitest";
import { type Node, node } from "../../src/ir/node.ts";
import { crossEntropy, Linear, ReLU, Sequential } from "../../src/nn/index.ts";
import { Adam } from "../../src/optim/index.ts";
import { buildPlan } from "../../src/plan/build.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { randint, randn, type Tensor } from "../../src/tensor/index.ts";
import { trainStep } from "../../src/train/index.ts";
import { expand, input, matmul, permute, reshape, sum } from "./random-graph.ts";

/** Kernels' costs, in an order that does not depend on that of the kernels. */
const costs = (kernels: Plan["calls"] | readonly { flops: number; bytes: number }[]) =>
  kernels.map(({ flops, bytes }) => `${flops} FLOP, ${bytes} B`).sort();

const plan = (output: Node) =>
  buildPlan({ outputs: [output], writes: [], checks: [], resident: () => false }).calls;

const only = (output: Node) => {
  const calls = plan(output);
  expect(calls).toHaveLength(1);
  return { flops: calls[0]!.flops, bytes: calls[0]!.bytes };
};

test("a step of a classifier, counted by hand", async () => {
  const sizes = [784, 256, 128, 10];
  const rows = 64;
  const net = new Sequential(
    ...sizes.slice(1).flatMap((size, i) => {
      const layer = new Linear(sizes[i]!, size);
      return i === 2 ? [layer] : [layer, new ReLU()];
    }),
  );
  const step = trainStep(new Adam(net, { lr: 1e-3 }), {
    loss: (x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y),
    trains: "**",
  });
  await step(randn([rows, 784]), randint(0, 10, [rows]));

  const f32 = 4;
  const byHand: { flops: number; bytes: number }[] = [];
  // Adam on n elements: g - m, times 1 - beta1, added to m; v times beta2, g times g, times 1 - beta2, their sum; m
  // times the step; the root of v, times its correction, plus epsilon; a quotient, taken from p. The gradient comes from
  // the kernel itself; m, v and p are read and written; six numbers are read.
  const adam = (n: number) => ({ flops: 13 * n, bytes: 6 * n * f32 + 6 * f32 });
  for (const [i, width] of sizes.slice(1).entries()) {
    const depth = sizes[i]!;
    const hidden = i < 2;
    const product = 2 * rows * depth * width;
    const outputs = rows * width;
    // Forward: x · Wᵀ + b; hidden layers also max(0, ·), and whether that is 0, a byte each.
    byHand.push({
      flops: product + outputs + (hidden ? 2 * outputs : 0),
      bytes: (rows * depth + width * depth + width + outputs) * f32 + (hidden ? outputs : 0),
    });
    // Backward into the layer before: g · W, and 0 where its output was 0.
    if (i > 0)
      byHand.push({
        flops: product + rows * depth,
        bytes: (outputs + width * depth + rows * depth) * f32 + rows * depth,
      });
    // The weight's gradient gᵀ · x and the bias's, the sum of g over rows, each with its update.
    const [weight, bias] = [adam(width * depth), adam(width)];
    byHand.push(
      { flops: product + weight.flops, bytes: (outputs + rows * depth) * f32 + weight.bytes },
      { flops: outputs + bias.flops, bytes: outputs * f32 + bias.bytes },
    );
  }
  const classes = rows * 10;
  byHand.push(
    // Are the classes in range? Whole numbers only; the answer is then copied to where it stops the step.
    { flops: 0, bytes: (rows + 1) * 4 },
    { flops: 0, bytes: 2 * 4 },
    // How many rows are not to be ignored, one over it, and less than nothing of that for each row.
    { flops: rows + 2, bytes: (rows + 1 + rows) * f32 },
    // Per class: max, sub, exp, sum, sub, where, sum for the loss; where, neg, sum, mul, add for its gradient. Per row:
    // log, neg, mul and div. Reads classes, logits, both of the numbers before; writes losses and gradient.
    { flops: 12 * classes + 4 * rows, bytes: (rows + classes + 1 + rows + rows + classes) * f32 },
    // The loss is the sum of the rows'.
    { flops: rows, bytes: (rows + 1) * f32 },
  );

  const explained = step.plan!.explain();
  expect(costs(explained.kernels)).toEqual(costs(byHand));
  expect(explained.flops).toBe(byHand.reduce((n, { flops }) => n + flops, 0));
  expect(explained.bytes).toBe(byHand.reduce((n, { bytes }) => n + bytes, 0));
});

describe("memory", () => {
  test("what two operands of a product share is read once", () => {
    const x = input([20, 30]);
    expect(only(matmul(x, permute(x, [1, 0])))).toEqual({
      flops: 2 * 20 * 30 * 20,
      bytes: (20 * 30 + 20 * 20) * 4,
    });
  });

  test("parts of a value are counted as far as they are read", () => {
    const x = input([100]);
    const part = (start: number) => node("slice", [x], { start: [start], size: [40], step: [1] });
    expect(only(node("add", [part(0), part(50)], {}))).toEqual({ flops: 40, bytes: (80 + 40) * 4 });
    expect(only(node("add", [part(0), part(10)], {}))).toEqual({ flops: 40, bytes: (50 + 40) * 4 });
    const backwards = node("slice", [x], { start: [39], size: [40], step: [-1] });
    expect(only(node("add", [part(0), backwards], {}))).toEqual({ flops: 40, bytes: (40 + 40) * 4 });
  });

  test("rows that are looked up are, not the table", () => {
    const table = input([1000, 16]);
    const index = expand(reshape(input([8], "i32"), [8, 1]), [8, 16]);
    expect(only(node("gather", [table, index], { axis: 0 }))).toEqual({
      flops: 0,
      bytes: 8 * 4 + 2 * 8 * 16 * 4,
    });
  });

  test("a scatter leaves what it does not reach", () => {
    const [data, updates] = [input([1000, 16]), input([8, 16])];
    const index = expand(reshape(input([8], "i32"), [8, 1]), [8, 16]);
    const calls = plan(node("scatterAdd", [data, index, updates], { axis: 0 }));
    expect(calls.map(({ flops, bytes }) => ({ flops, bytes }))).toEqual([
      { flops: 0, bytes: 2 * 1000 * 16 * 4 },
      { flops: 8 * 16, bytes: 8 * 4 + 3 * 8 * 16 * 4 },
    ]);
  });

  test("a byte for each truth value", () => {
    const [a, b] = [input([6]), input([6])];
    expect(only(node("lt", [a, b], {}))).toEqual({ flops: 6, bytes: 2 * 6 * 4 + 6 });
  });
});

describe("operations", () => {
  test("a value of a row counts once a row, one of the whole once", () => {
    const x = input([5, 7]);
    const s = input([]);
    const logs = node("log", [sum(x, [1])], {});
    const rows = expand(reshape(logs, [5, 1]), [5, 7]);
    const scalar = expand(reshape(node("exp", [s], {}), [1, 1]), [5, 7]);
    const calls = plan(node("mul", [node("sub", [x, rows], {}), scalar], {}));
    // Folding 35 elements, 5 logarithms, a difference and a product of 35; one exponential.
    expect(calls.reduce((n, { flops }) => n + flops, 0)).toBe(35 + 5 + 2 * 35 + 1);
  });

  test("whole numbers and casts are none, a fused multiply-add is two", () => {
    const [a, b, c] = [input([9]), input([9]), input([9])];
    expect(only(node("fma", [a, b, c], {})).flops).toBe(18);
    const i = input([9], "i32");
    expect(only(node("cast", [node("add", [i, i], {})], { dtype: "f32" })).flops).toBe(0);
  });

  test("what feeds a product is counted beside it", () => {
    const [a, b] = [input([40, 50]), input([50, 60])];
    const calls = plan(matmul(node("exp", [a], {}), b));
    expect(calls.reduce((n, { flops }) => n + flops, 0)).toBe(2 * 40 * 50 * 60 + 40 * 50);
  });

  test("a sort compares as often as it is deep", () => {
    const calls = plan(node("argsort", [input([3, 16])], { axis: 1, descending: false }));
    expect(calls.at(-1)!.flops).toBe(3 * 16 * 4);
  });
});
