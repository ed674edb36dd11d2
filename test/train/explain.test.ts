import { freeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW } from "thaw/optim";
import { manualSeed, type Tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { expect, test } from "vitest";

class Net extends nn.Module {
  table = new nn.Embedding(10, 4);
  body = new nn.Linear(4, 4);
  task1 = new nn.Linear(4, 10, { bias: false });
  task2 = new nn.Linear(4, 10, { bias: false });

  constructor() {
    super();
    this.task1.weight = this.table.weight;
  }

  forward(x: Tensor, task: "task1" | "task2"): Tensor {
    return this[task].forward(this.body.forward(this.table.forward(x)));
  }
}

const indices = zeros([5], { dtype: "i32" });

function make() {
  manualSeed(0);
  const net = new Net();
  const optimizer = new AdamW(net);
  const step = trainStep(optimizer, {
    loss: (task: "task1" | "task2", at: Tensor) => net.forward(at, task).pow(2).mean(),
    trains: (task) => ["table.weight[:3]", "task2.**", ...(task === "task1" ? [] : ["body.**"])],
  });
  return { net, optimizer, step };
}

test("says of each parameter whether it is trained, and why", () => {
  const { net, step } = make();
  net.body.bias!.requiresGrad = false;
  const { parameters } = step.explain("task2", indices);
  expect(parameters.map(({ path, status, why }) => [path, status, why])).toEqual([
    ["table.weight", "partly trained", 'trains (task2) names it by "table.weight[:3]"'],
    ["body.weight", "trained", 'trains (task2) names it by "body.**"'],
    ["body.bias", "frozen", "its requiresGrad is false"],
    ["task2.weight", "trained", 'trains (task2) names it by "task2.**"'],
  ]);
  expect(parameters[0]).toMatchObject({
    ties: ["task1.weight"],
    region: "[:3]",
    elements: 40,
    trainedElements: 12,
  });
  expect(step.explain("task1", indices).parameters.map(({ status, why }) => [status, why])).toEqual([
    ["partly trained", 'trains (task1) names it by "table.weight[:3]"'],
    ["frozen", "trains (task1) does not name it"],
    ["frozen", "trains (task1) does not name it"],
    ["unreachable", 'trains (task1) names it by "task2.**", but the loss does not depend on it'],
  ]);
});

test("names the scope that freezes", () => {
  const { net, step } = make();
  freeze(net, ["body.**", "table.weight[1:]"], () => {
    const [table, body] = step.explain("task2", indices).parameters;
    expect(body).toMatchObject({ status: "frozen", why: 'freeze(Net, ["body.**", "table.weight[1:]"])' });
    expect(table).toMatchObject({ status: "partly trained", region: "[0]", trainedElements: 4 });
    expect(table!.why).toContain('; the rest: freeze(Net, ["body.**", "table.weight[1:]"])');
  });
});

test("costs fall with what is frozen, and nothing is run or changed", () => {
  const { net, optimizer, step } = make();
  const before = net.table.weight.dataSync();
  const { cost, costOfAll } = step.explain("task2", indices);
  expect(cost.flops).toBeLessThan(costOfAll.flops);
  expect(cost.bytes).toBeLessThan(costOfAll.bytes);
  expect(net.table.weight.dataSync()).toEqual(before);
  expect(optimizer.updates).toBe(0);
  expect(optimizer.state.size).toBe(0);
  expect(step.report().parameters.every(({ timesStepped }) => timesStepped === 0)).toBe(true);
});

test("prints as tables", () => {
  const { step } = make();
  const text = String(step.explain("task1", indices));
  expect(text.split("\n").slice(0, 6)).toMatchInlineSnapshot(`
    [
      "parameter         is              elements  why",
      "────────────────  ──────────────  ────────  ─────────────────────────────────────────────────────────────────────────",
      "table.weight[:3]  partly trained  12 of 40  trains (task1) names it by "table.weight[:3]"; tied: task1.weight",
      "body.weight       frozen          16        trains (task1) does not name it",
      "body.bias         frozen          4         trains (task1) does not name it",
      "task2.weight      unreachable     40        trains (task1) names it by "task2.**", but the loss does not depend on it",
    ]
  `);
  expect(text).toMatch(/floating-point operations +[\d,]+ +[\d,]+ +\d+\.\d %/);
});

test("a call that trains nothing is explained too", () => {
  const { net, step } = make();
  freeze(net, "**", () => {
    const { parameters, cost, costOfAll } = step.explain("task1", indices);
    expect(parameters.map(({ status }) => status)).toEqual(["frozen", "frozen", "frozen", "frozen"]);
    expect(cost.flops).toBeGreaterThan(0);
    expect(cost.flops).toBeLessThan(costOfAll.flops / 2);
  });
});
