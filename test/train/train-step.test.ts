import { freeze } from "thaw/freeze";
import { crossEntropy } from "thaw/nn";
import { AdamW, lrScheduler, SGD } from "thaw/optim";
import { noGrad, type Tensor, tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError, GradientError, NonFiniteError, SelectorError } from "../../src/base/errors.ts";
import { bitsOf, inputs, makeNetwork, type Network, type Task, targets } from "./network.ts";

const lossOf = (net: Network) => (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y);
const own = (task: Task): string => (task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**");
const order: Task[] = ["task1", "task2", "task2", "task1", "task2"];

/** The same training by hand, with null gradients for what is not trained. */
function byHand(net: Network, optimizer: SGD | AdamW, task: Task, prepare = (): void => {}): number {
  optimizer.zeroGrad();
  const loss = lossOf(net)(task, inputs[task], targets);
  loss.backward();
  prepare();
  optimizer.step();
  return loss.itemSync() as number;
}

test("trains what it names, as a loop by hand does, and not a bit of anything else", async () => {
  const [net, other] = [makeNetwork(), makeNetwork()];
  const [optimizer, plain] = [new AdamW(net, { lr: 0.1 }), new AdamW(other, { lr: 0.1 })];
  const step = trainStep(optimizer, { loss: lossOf(net), trains: (task) => ["output.**", own(task)] });
  for (const task of order) {
    const before = bitsOf(net);
    const loss = await step(task, inputs[task], targets);
    expect(loss).toBe(byHand(other, plain, task));
    const after = bitsOf(net);
    expect(after).toEqual(bitsOf(other));
    const resting = task === "task1" ? "hiddenTask2.weight" : "hiddenTask1.weight";
    expect(Object.keys(after).filter((path) => after[path] === before[path])).toEqual([resting]);
  }
  expect(optimizer.state.get(net.hiddenTask1.weight)!.step).toBe(2);
  expect(optimizer.state.get(net.output.weight)!.step).toBe(5);
  expect(net.output.weight.grad).toBeNull();
});

test("freezes what is not named although the loss reaches it", async () => {
  const net = makeNetwork();
  const optimizer = new AdamW(net, { lr: 0.1 });
  const step = trainStep(optimizer, { loss: lossOf(net), trains: "output.**" });
  const before = bitsOf(net);
  for (const task of order) await step(task, inputs[task], targets);
  const after = bitsOf(net);
  expect(Object.keys(after).filter((path) => after[path] !== before[path])).toEqual(["output.weight"]);
  expect([...optimizer.state.keys()]).toEqual([net.output.weight]);
});

test("what is named but not reached is not stepped", async () => {
  const net = makeNetwork();
  const optimizer = new AdamW(net, { lr: 0.1 });
  const step = trainStep(optimizer, { loss: lossOf(net), trains: "**" });
  await step("task1", inputs.task1, targets);
  expect(optimizer.state.has(net.hiddenTask2.weight)).toBe(false);
});

test("takes selectors of every kind, and a module where the optimizer has none", async () => {
  const net = makeNetwork();
  const optimizer = new SGD(net.parameters(), { lr: 0.1 });
  const loss = lossOf(net);
  for (const trains of [
    "output.weight",
    ["output.*"],
    /^output/,
    net.output,
    net.output.weight,
    [(path: string) => path.startsWith("out")],
  ] as const) {
    const step = trainStep(optimizer, { loss, trains, module: net });
    const before = bitsOf(net);
    await step("task1", inputs.task1, targets);
    const after = bitsOf(net);
    expect(Object.keys(after).filter((path) => after[path] !== before[path])).toEqual(["output.weight"]);
  }
  expect(() => trainStep(optimizer, { loss, trains: "**" })).toThrow(
    "this SGD was made of parameters, not of a module",
  );
});

test("gives what the loss gives beside the loss", async () => {
  const net = makeNetwork();
  const step = trainStep(new SGD(net, { lr: 0.1 }), {
    loss: (x: Tensor, y: Tensor) => {
      const logits = net.forward(x, "task1");
      return { loss: crossEntropy(logits, y), logits };
    },
    trains: "**",
  });
  const expected = noGrad(() => net.forward(inputs.task1, "task1")).toArraySync();
  const { loss, logits } = await step(inputs.task1, targets);
  expect(loss).toBeTypeOf("number");
  expect(logits.toArraySync()).toEqual(expected);
});

test("keepGrads leaves the gradients of what was trained", async () => {
  const [net, other] = [makeNetwork(), makeNetwork()];
  const step = trainStep(new SGD(net, { lr: 0.1 }), {
    loss: lossOf(net),
    trains: "output.**",
    keepGrads: true,
  });
  for (const task of order) {
    await step(task, inputs[task], targets);
    byHand(other, new SGD(other, { lr: 0.1 }), task, () => {
      for (const hidden of [other.hiddenTask1, other.hiddenTask2]) hidden.weight.grad = null;
    });
    expect(net.output.weight.grad!.toArraySync()).toEqual(other.output.weight.grad!.toArraySync());
    expect(net.hiddenTask1.weight.grad).toBeNull();
  }
});

test("a freeze around it holds what it names still", async () => {
  const net = makeNetwork();
  const optimizer = new AdamW(net, { lr: 0.1 });
  const step = trainStep(optimizer, { loss: lossOf(net), trains: "**" });
  await step("task1", inputs.task1, targets);
  const before = bitsOf(net);
  await freeze(net, "output.**", () => step("task1", inputs.task1, targets));
  expect(bitsOf(net)["output.weight"]).toBe(before["output.weight"]);
  expect(optimizer.state.get(net.output.weight)!.step).toBe(1);
  await step("task1", inputs.task1, targets);
  expect(bitsOf(net)["output.weight"]).not.toBe(before["output.weight"]);
});

test("a schedule between steps is followed without recording again", async () => {
  const [net, other] = [makeNetwork(), makeNetwork()];
  const [optimizer, plain] = [new SGD(net, { lr: 0.5 }), new SGD(other, { lr: 0.5 })];
  const schedules = [optimizer, plain].map((o) => new lrScheduler.StepLR(o, { stepSize: 1, gamma: 0.5 }));
  let recordings = 0;
  const step = trainStep(optimizer, {
    loss: (x: Tensor, y: Tensor) => {
      recordings++;
      return crossEntropy(net.forward(x, "task1"), y);
    },
    trains: "**",
  });
  for (let i = 0; i < 4; i++) {
    expect(await step(inputs.task1, targets)).toBe(byHand(other, plain, "task1"));
    for (const schedule of schedules) schedule.step();
  }
  // The 2nd and the 3rd call are recorded again, whatever has changed.
  expect(recordings).toBe(3);
});

describe("clipping", () => {
  test("by norm counts what is trained only", async () => {
    const [net, other] = [makeNetwork(), makeNetwork()];
    const step = trainStep(new SGD(net, { lr: 1 }), {
      loss: lossOf(net),
      trains: "output.**",
      clipNorm: 0.01,
    });
    const before = other.output.weight.dataSync();
    await step("task1", inputs.task1, targets);
    const moved = net.output.weight.dataSync().map((x, i) => x - before[i]!);
    expect(Math.hypot(...moved)).toBeCloseTo(0.01, 5);
  });

  test("by value holds each element", async () => {
    const net = makeNetwork();
    const before = net.output.weight.dataSync();
    const step = trainStep(new SGD(net, { lr: 1 }), {
      loss: lossOf(net),
      trains: "output.**",
      clipValue: 0.01,
    });
    await step("task1", inputs.task1, targets);
    const moved = Array.from(net.output.weight.dataSync(), (x, i) => Math.abs(x - before[i]!));
    expect(Math.max(...moved)).toBeCloseTo(0.01, 6);
    expect(moved.filter((x) => Math.abs(x - 0.01) < 1e-6).length).toBeGreaterThan(6);
  });
});

describe("accumulation", () => {
  test("of several calls makes the update of their mean", async () => {
    const [net, other] = [makeNetwork(), makeNetwork()];
    const optimizerOf = (n: typeof net) => new SGD(n, { lr: 0.5, momentum: 0.9 });
    const [optimizer, plain] = [optimizerOf(net), optimizerOf(other)];
    const step = trainStep(optimizer, { loss: lossOf(net), trains: "**", accumulate: 3 });
    const rows = [0, 1, 2].map((i) => [inputs.task1.narrow(0, i, 1), targets.narrow(0, i, 1)] as const);
    for (let round = 0; round < 2; round++) {
      const before = bitsOf(net);
      for (const [i, [x, y]] of rows.entries()) {
        expect(bitsOf(net)).toEqual(before);
        await step("task1", x, y);
        expect(optimizer.state.get(net.output.weight)?.step ?? 0).toBe(i === 2 ? round + 1 : round);
      }
      byHand(other, plain, "task1");
      for (const [k, p] of net.parameters().entries())
        for (const [i, x] of other.parameters()[k]!.dataSync().entries())
          expect(p.dataSync()[i]!).toBeCloseTo(x, 6);
    }
  });

  test("over tasks trains what any of the calls trained, and nothing else", async () => {
    const net = makeNetwork();
    const optimizer = new AdamW(net, { lr: 0.1 });
    const step = trainStep(optimizer, { loss: lossOf(net), trains: (task) => own(task), accumulate: 2 });
    const run = async (...tasks: Task[]): Promise<string[]> => {
      const before = bitsOf(net);
      for (const task of tasks) await step(task, inputs[task], targets);
      const after = bitsOf(net);
      return Object.keys(after).filter((path) => after[path] !== before[path]);
    };
    expect(await run("task1", "task2")).toEqual(["hiddenTask1.weight", "hiddenTask2.weight"]);
    expect(await run("task2", "task2")).toEqual(["hiddenTask2.weight"]);
    expect(await run("task1", "task1")).toEqual(["hiddenTask1.weight"]);
  });
});

describe("errors leave everything as it was", () => {
  const stateOf = (optimizer: AdamW) =>
    [...optimizer.state].map(([p, { step, expAvg, expAvgSq }]) => [
      p.label,
      step,
      expAvg.toArraySync(),
      expAvgSq.toArraySync(),
    ]);
  const failing = async (
    attempt: (net: Network, optimizer: AdamW) => Promise<unknown>,
    error: unknown,
    message: string | RegExp,
  ) => {
    const net = makeNetwork();
    const optimizer = new AdamW(net, { lr: 0.1 });
    const step = trainStep(optimizer, { loss: lossOf(net), trains: "**" });
    await step("task1", inputs.task1, targets);
    const before = [bitsOf(net), stateOf(optimizer)];
    await expect(attempt(net, optimizer)).rejects.toThrow(error as never);
    await expect(attempt(net, optimizer)).rejects.toThrow(message);
    expect([bitsOf(net), stateOf(optimizer)]).toEqual(before);
  };

  test("a loss that depends on nothing trained", () =>
    failing(
      (net, optimizer) =>
        trainStep(optimizer, { loss: lossOf(net), trains: ["hiddenTask2.**"] })(
          "task1",
          inputs.task1,
          targets,
        ),
      GradientError,
      /^trainStep: the loss depends on nothing that this step trains: trains is \["hiddenTask2\.\*\*"\]\./,
    ));

  test("a selector that matches nothing", () =>
    failing(
      (net, optimizer) =>
        trainStep(optimizer, { loss: lossOf(net), trains: () => ["outptu.**"] })(
          "task1",
          inputs.task1,
          targets,
        ),
      SelectorError,
      '"outptu.**" selects no parameter of Network',
    ));

  test("an empty batch", () =>
    failing(
      (net, optimizer) =>
        trainStep(optimizer, { loss: lossOf(net), trains: "**" })(
          "task1",
          zeros([0, 3]),
          zeros([0], { dtype: "i32" }),
        ),
      ArgumentError,
      "trainStep: argument 2 is an empty batch, of shape [0, 3]; skip it",
    ));

  test("a target out of range", () =>
    failing(
      (net, optimizer) =>
        trainStep(optimizer, { loss: lossOf(net), trains: "**" })(
          "task1",
          inputs.task1,
          tensor([0, 1, 9], { dtype: "i32" }),
        ),
      Error,
      /target.*class/,
    ));

  test("a loss that is not finite, where that is asked for; the first operation to make it is named", () =>
    failing(
      (net, optimizer) =>
        trainStep(optimizer, {
          loss: (x: Tensor) => net.forward(x, "task1").sum().sub(1e9).log(),
          trains: "**",
          finite: true,
        })(inputs.task1),
      NonFiniteError,
      /log/,
    ));

  test("a loss that is no tensor, or not one number", async () => {
    await failing(
      (net, optimizer) =>
        trainStep(optimizer, { loss: (async () => net.output.weight.sum()) as never, trains: "**" })(),
      ArgumentError,
      "trainStep: loss gave a promise; it must give a tensor",
    );
    await failing(
      (net, optimizer) => trainStep(optimizer, { loss: () => net.output.weight.mul(2), trains: "**" })(),
      GradientError,
      "[4, 3]",
    );
  });

  test("a parameter that the optimizer does not have", () =>
    failing(
      (net) =>
        trainStep(new SGD(net.output), { loss: lossOf(net), trains: "**", module: net })(
          "task1",
          inputs.task1,
          targets,
        ),
      ArgumentError,
      "trainStep: trains names hiddenTask1.weight, which the optimizer does not have; add it with addParamGroup",
    ));

  test("options that cannot be", () => {
    const net = makeNetwork();
    const make = (options: object) => () =>
      trainStep(new SGD(net), { loss: lossOf(net), trains: "**", ...options });
    expect(make({ accumulate: 0 })).toThrow(
      "trainStep: accumulate is 0; it must be a whole number of at least 1",
    );
    expect(make({ clipNorm: -1 })).toThrow("clipNorm is -1");
    expect(make({ clipValue: Number.NaN })).toThrow("clipValue is NaN");
  });
});
