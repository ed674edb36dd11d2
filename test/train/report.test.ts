import { crossEntropy, Linear } from "thaw/nn";
import { SGD } from "thaw/optim";
import { fromArray, ones, type Tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { expect, test } from "vitest";
import { inputs, makeNetwork, type Task, targets } from "./network.ts";

const make = (options: object = {}) => {
  const net = makeNetwork();
  const step = trainStep(new SGD(net, { lr: 0.5 }), {
    loss: (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y),
    trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
    ...options,
  });
  return { net, step, run: (task: Task) => step(task, inputs[task], targets) };
};

test("says who was trained by which task, how often, and how far it went", async () => {
  const { net, step, run } = make();
  const start = net.output.weight.dataSync();
  for (const task of ["task1", "task2", "task1"] as const) await run(task);
  const [first, second, output] = step.report().parameters;
  expect(first).toMatchObject({
    path: "hiddenTask1.weight",
    trainedBy: ["task1"],
    timesStepped: 2,
    bitsChangedWhileFrozen: 0,
  });
  expect(second).toMatchObject({
    path: "hiddenTask2.weight",
    trainedBy: ["task2"],
    timesStepped: 1,
    bitsChangedWhileFrozen: 0,
  });
  expect(output).toMatchObject({ trainedBy: ["task1", "task2"], timesStepped: 3 });
  const moved = Array.from(net.output.weight.dataSync(), (x, i) => x - start[i]!);
  expect(output!.moved!.norm).toBeCloseTo(Math.hypot(...moved), 6);
  expect(output!.moved!.max).toBeCloseTo(Math.max(...moved.map(Math.abs)), 6);
});

test("counts the bits that change while a parameter is frozen", async () => {
  const { net, step, run } = make();
  await run("task1");
  const { weight } = net.hiddenTask2;
  const changed = weight.dataSync();
  new Uint32Array(changed.buffer)[2]! ^= 0b101;
  weight.assign(fromArray(changed, weight.shape));
  await run("task1");
  expect(step.report().parameters[1]!.bitsChangedWhileFrozen).toBe(2);
  // What training does to it then is another matter.
  await run("task2");
  await run("task1");
  expect(step.report().parameters[1]!.bitsChangedWhileFrozen).toBe(2);
});

test("is a table as text", async () => {
  const { step, run } = make();
  await run("task1");
  const lines = String(step.report()).split("\n");
  expect(lines[0]).toBe(
    "parameter           trained by  steps    moved  largest change  bits changed while frozen",
  );
  expect(lines[2]).toMatch(/^hiddenTask1\.weight {2}task1 {11}1 {2,}[\d.e-]+ +[\d.e-]+ +0$/);
  expect(lines[3]).toMatch(/^hiddenTask2\.weight {2}– {15}0 +0\.000 +0\.000 +0$/);
});

test("keeps copies of what is large only where that is asked for", async () => {
  for (const [report, kept] of [
    [undefined, false],
    [true, true],
  ] as const) {
    const net = new Linear(400, 400, { bias: false });
    const step = trainStep(new SGD(net), { loss: (x: Tensor) => net.forward(x).sum(), trains: "**", report });
    await step(ones([1, 400]));
    const [weight] = step.report().parameters;
    expect(weight!.timesStepped).toBe(1);
    expect(weight!.moved !== null).toBe(kept);
    expect(weight!.bitsChangedWhileFrozen).toBe(kept ? 0 : null);
  }
  const { step, run } = make({ report: false });
  await run("task1");
  expect(step.report().parameters[0]!.moved).toBeNull();
  expect(String(step.report())).toContain(
    "hiddenTask1.weight  task1           1      –               –                          –",
  );
});
