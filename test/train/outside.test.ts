import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { GradientError } from "../../src/base/errors.ts";
import { freeze } from "../../src/freeze/index.ts";
import { Linear, Module, mseLoss } from "../../src/nn/index.ts";
import { Adam, SGD } from "../../src/optim/index.ts";
import { noGrad, Parameter, randn, type Tensor, zeros } from "../../src/tensor/index.ts";
import { trainStep } from "../../src/train/index.ts";

const warned: string[] = [];
beforeEach(() => {
  warned.length = 0;
  vi.spyOn(console, "warn").mockImplementation((text: string) => void warned.push(text));
});
afterEach(() => vi.restoreAllMocks());

const [x, y] = [randn([4, 3]), randn([4, 2])];

/** Two calls of a step, so that what is said once is not said again. */
async function callTwice(step: (x: Tensor, y: Tensor) => Promise<unknown>): Promise<void> {
  await step(x, y);
  await step(x, y);
}

/** A module that hides a layer where no walk finds it. */
class Hiding extends Module {
  seen = new Linear(3, 2);
  readonly #hidden = new Linear(2, 2);
  forward(x: Tensor): Tensor {
    return this.#hidden.forward(this.seen.forward(x));
  }
}

describe("what the loss depends on and no path names is named once", () => {
  test("in a closure", async () => {
    const net = new Linear(3, 2);
    const scale = new Parameter(zeros([]));
    const step = trainStep(new Adam(net), {
      loss: (x: Tensor, y: Tensor) => mseLoss(net.forward(x), y).mul(scale.neg().exp()).add(scale),
      trains: ["**"],
    });
    await callTwice(step);
    expect(warned).toHaveLength(1);
    expect(warned[0]).toMatch(
      /depends on a parameter of shape \[\], which Linear does not hold.*it is not trained\./,
    );
    expect(scale.itemSync()).toBe(0);
    const told = step.explain(x, y).parameters.find(({ status }) => status === "outside");
    expect(told).toMatchObject({ path: "a parameter of shape []", elements: 1, trainedElements: 0 });
    expect(String(step.explain(x, y))).toMatch(
      /outside +1 +the loss depends on it, but Linear does not hold it/,
    );
  });

  test("in a private field, and in a second module", async () => {
    const net = new Hiding();
    const weighting = new Linear(2, 2, { bias: false });
    weighting.namedParameters();
    const step = trainStep(new Adam(net), {
      loss: (x: Tensor, y: Tensor) => mseLoss(weighting.forward(net.forward(x)), y),
      trains: ["**"],
    });
    await callTwice(step);
    expect(warned).toHaveLength(1);
    for (const name of [
      "weight, ",
      "a parameter of shape [2, 2]",
      "a parameter of shape [2]",
      "which Hiding",
    ])
      expect(warned[0]).toContain(name);
    expect(warned[0]).toMatch(/they are not trained/);
  });

  test("in an optimizer's group, by the name that it has there", async () => {
    const net = new Linear(3, 2);
    const scale = new Parameter(zeros([2]));
    scale.label = "scale";
    const optimizer = new SGD(net, { lr: 0.1 });
    optimizer.addParamGroup({ params: [scale] });
    const step = trainStep(optimizer, {
      loss: (x: Tensor, y: Tensor) => mseLoss(net.forward(x).mul(scale.exp()), y),
      trains: ["**"],
    });
    await callTwice(step);
    expect(warned).toHaveLength(1);
    expect(warned[0]).toMatch(/depends on scale, .*although SGD has it/);
  });

  test("another one later is named then", async () => {
    const net = new Linear(3, 2);
    const [one, two] = [new Parameter(zeros([1])), new Parameter(zeros([2]))];
    const step = trainStep(new Adam(net), {
      loss: (x: Tensor, second: boolean) =>
        net
          .forward(x)
          .mul(second ? two.exp() : one.exp())
          .sum(),
      trains: ["**"],
    });
    await step(x, false);
    await step(x, true);
    await step(x, false);
    expect(warned).toHaveLength(2);
    expect(warned[1]).toContain("shape [2]");
  });

  test("where it is all that the loss depends on, in the error too", async () => {
    const net = new Linear(3, 2);
    const scale = new Parameter(zeros([5]));
    const step = trainStep(new Adam(net), { loss: () => scale.sum(), trains: ["**"] });
    await expect(step()).rejects.toThrow(GradientError);
    await expect(step()).rejects.toThrow(/It depends on a parameter of shape \[5\]\./);
    expect(step.explain().parameters.some(({ status }) => status === "outside")).toBe(true);
  });
});

describe("nothing is said of what rests on purpose, or trains elsewhere", () => {
  const silent = async (make: (net: Linear, teacher: Linear) => (x: Tensor) => Tensor): Promise<void> => {
    const [net, teacher] = [new Linear(3, 2), new Linear(3, 2)];
    const answer = make(net, teacher);
    const step = trainStep(new Adam(net), {
      loss: (x: Tensor, _: Tensor) => mseLoss(net.forward(x), answer(x)),
      trains: ["**"],
    });
    await callTwice(step);
    step.explain(x, y);
    expect(warned).toEqual([]);
  };

  test.each<[string, (net: Linear, teacher: Linear) => (x: Tensor) => Tensor]>([
    ["made in noGrad()", (_, teacher) => (x) => noGrad(() => teacher.forward(x))],
    ["detached", (_, teacher) => (x) => teacher.forward(x).detach()],
    ["without requiresGrad", (_, teacher) => (x) => teacher.requiresGrad_(false).forward(x)],
    [
      "frozen",
      (_, teacher) => {
        freeze(teacher, "**");
        return (x) => teacher.forward(x);
      },
    ],
    [
      "of another optimizer",
      (_, teacher) => {
        new SGD(teacher, { lr: 0.1 });
        return (x) => teacher.forward(x);
      },
    ],
  ])("%s", (_, make) => silent(make));

  test("a step of a part of what the optimizer holds", async () => {
    class Both extends Module {
      body = new Linear(3, 3);
      head = new Linear(3, 2);
    }
    const both = new Both();
    const step = trainStep(new Adam(both), {
      loss: (x: Tensor, y: Tensor) => mseLoss(both.head.forward(both.body.forward(x)), y),
      module: both.head,
      trains: ["**"],
    });
    await callTwice(step);
    expect(warned).toEqual([]);
  });
});
