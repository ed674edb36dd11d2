import { elements, rows } from "thaw/freeze";
import * as nn from "thaw/nn";
import { Adafactor, Muon } from "thaw/optim";
import { capture, Parameter, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";
import { type AnyOptimizer, everythingOf } from "./optimizers.ts";

const value = [
  [0.5, -1, 0.25],
  [2, -0.75, 0.125],
  [1, 3, -2],
  [-0.4, 0.6, 0.8],
];
const gradient = [
  [0.3, -0.2, 0.1],
  [0.4, -0.5, 0.6],
  [0.2, -0.4, 0.3],
  [0.1, -0.1, 0.2],
];
const matrix = (data: number[][] = value) => new Parameter(tensor(data));

class Net extends nn.Module {
  weight = matrix();
  forward(x: Tensor): Tensor {
    return x.matmul(this.weight.t());
  }
}

/** The optimizers as tests of any see them. */
type Any = AnyOptimizer & Adafactor;
type Make = (params: Parameter[] | nn.Module) => Any;

const makers: Record<string, Make> = {
  Adafactor: (params) => new Adafactor(params, { lr: 0.1, weightDecay: 0.1 }) as Any,
  Muon: (params) => new Muon(params, { lr: 0.05 }) as unknown as Any,
};

describe.each(Object.entries(makers))("%s", (name, make) => {
  test("does not move a frozen matrix by a bit, nor its state, whatever its gradient", () => {
    const [held, free] = [matrix(), matrix()];
    const optimizer = make([held, free]);
    for (const p of [held, free]) p.grad = tensor(gradient);
    optimizer.step();
    held.frozen = true;
    const before = everythingOf(optimizer, held);
    for (const given of [null, tensor(gradient).mul(0), tensor(gradient).mul(Number.NaN)]) {
      held.grad = given;
      const moving = everythingOf(optimizer, free);
      free.grad = tensor(gradient);
      optimizer.step();
      expect(everythingOf(optimizer, held)).toEqual(before);
      expect(everythingOf(optimizer, free)).not.toEqual(moving);
    }
  });

  test("trains rows of a matrix as a matrix of their own, and leaves the rest with its state", async () => {
    const net = new Net();
    const x = tensor([[1, -2, 0.5]]);
    const loss = () => net.forward(x).square().sum();
    const optimizer = make(net);
    const step = trainStep(optimizer, { loss, trains: () => [rows(net.weight, [0, 2])] });
    const all = net.weight.toArraySync() as number[][];
    const alone = matrix([all[0]!, all[2]!]);
    const other = make([alone]);
    for (let i = 0; i < 3; i++) {
      alone.grad = null;
      x.matmul(alone.t()).square().sum().backward();
      other.step();
      await step();
    }
    const after = net.weight.toArraySync() as number[][];
    expect([after[1], after[3]]).toEqual([all[1], all[3]]);
    const got = [after[0]!, after[2]!].flat();
    for (const [i, expected] of (alone.toArraySync() as number[][]).flat().entries())
      expect(got[i]!).toBeCloseTo(expected, 5);
    const parts = optimizer.parts(net.weight);
    expect(parts).toHaveLength(1);
    expect(parts[0]!.region!.text).toBe("[[0, 2]]");
  });

  test("refuses single elements of a matrix, by name, and nothing has changed", async () => {
    const net = new Net();
    const p = net.weight;
    const optimizer = make(net);
    p.grad = tensor(gradient);
    optimizer.step();
    const before = everythingOf(optimizer, p);
    const step = trainStep(optimizer, {
      loss: () => p.square().sum(),
      trains: () => [elements(p, tensor(value).gt(0))],
    });
    await expect(step()).rejects.toThrow(ArgumentError);
    await expect(step()).rejects.toThrow(
      /^(Adafactor|Muon): weight\(8 of 12 elements\) cannot be trained by its elements/,
    );
    expect(everythingOf(optimizer, p)).toEqual(before);
    p.grad = tensor(gradient);
    optimizer.step();
    expect(optimizer.parts(p)).toHaveLength(1);
  });

  test("is captured once, and follows rates, also where another number of steps makes another graph", () => {
    const run = (captured: boolean) => {
      const p = matrix();
      const optimizer = make([p]);
      const body = () => {
        optimizer.zeroGrad();
        p.square().sum().backward();
        optimizer.step();
      };
      const step = captured ? capture(body) : body;
      const trail: unknown[] = [];
      for (let i = 0; i < 6; i++) {
        optimizer.paramGroups[0]!.lr = 0.02 * (i + 1);
        if (i === 3 && name === "Muon") Object.assign(optimizer.paramGroups[0]!, { nsSteps: 2 });
        step();
        trail.push(p.toArraySync());
      }
      if (captured) expect((step as unknown as { variants: number }).variants).toBe(name === "Muon" ? 2 : 1);
      return trail;
    };
    expect(run(true)).toEqual(run(false));
  });

  test("goes on from its state dict bit for bit", () => {
    const [one, other] = [matrix(), matrix()];
    const [first, second] = [make([one]), make([other])];
    for (let i = 0; i < 2; i++) {
      one.grad = tensor(gradient);
      first.step();
    }
    other.assign(one);
    second.loadStateDict(first.stateDict());
    for (const [p, optimizer] of [
      [one, first],
      [other, second],
    ] as const) {
      p.grad = tensor(gradient);
      optimizer.step();
    }
    expect(everythingOf(second, other)).toEqual(everythingOf(first, one));
  });
});

test("Adafactor's state is rows and columns of what has two dimensions or more, and elements of a vector", () => {
  const [m, v, s] = [matrix(), new Parameter(tensor([1, 2])), new Parameter(tensor(3))];
  const optimizer = new Adafactor([m, v, s]);
  m.grad = tensor(gradient);
  v.grad = tensor([0.1, 0.2]);
  s.grad = tensor(1);
  optimizer.step();
  const { rowVar, colVar } = optimizer.state.get(m)!;
  expect([rowVar!.shape, colVar!.shape]).toEqual([
    [4, 1],
    [1, 3],
  ]);
  expect(optimizer.state.get(v)!.variance!.shape).toEqual([2]);
  expect(optimizer.state.get(s)!.variance!.shape).toEqual([]);
  const dict = optimizer.stateDict();
  const key = Object.keys(dict.state)[0]!;
  const wrong = {
    ...dict,
    state: { ...dict.state, [key]: { ...dict.state[key]!, rowVar: tensor(gradient) } },
  };
  expect(() => optimizer.loadStateDict(wrong)).toThrow("of a value of [4, 3] it has [4, 1]");
});

// The cases that PyTorch's own constructors refuse, and the words that name them here.
test.each<[string, () => unknown, string]>([
  ["a vector", () => new Muon([new Parameter(tensor([1, 2]))]), "Muon only orthogonalises matrices"],
  [
    "a tensor of three dimensions",
    () => new Muon([matrix(), new Parameter(tensor([[[1]]]))]),
    "has shape [1, 1, 1]",
  ],
  ["a negative rate", () => new Muon([matrix()], { lr: -1 }), "Muon: lr is -1"],
  ["a negative momentum", () => new Muon([matrix()], { momentum: -1 }), "Muon: momentum is -1"],
  [
    "another adjustment",
    () => new Muon([matrix()], { adjustLrFn: "arbitrary" as never }),
    'adjustLrFn is "arbitrary"',
  ],
  ["a hundred steps", () => new Muon([matrix()], { nsSteps: 100 }), "nsSteps is 100"],
  [
    "two coefficients",
    () => new Muon([matrix()], { nsCoefficients: [1, 2] as never }),
    "nsCoefficients is [1,2]",
  ],
  [
    "a positive power",
    () => new Adafactor([matrix()], { beta2Decay: 0.8 }),
    "beta2Decay is 0.8; it must be a number of at most 0",
  ],
  ["a negative epsilon", () => new Adafactor([matrix()], { eps: [-1e-30, 1e-3] }), "eps is [-1e-30,0.001]"],
  ["a negative second one", () => new Adafactor([matrix()], { eps: [null, -1] }), "eps is"],
  [
    "a threshold below 1",
    () => new Adafactor([matrix()], { d: 0 }),
    "d is 0; it must be a number of at least 1",
  ],
  ["a negative decay", () => new Adafactor([matrix()], { weightDecay: -1 }), "weightDecay is -1"],
])("what PyTorch refuses is refused: %s", (_, make, message) => {
  expect(make).toThrow(ArgumentError);
  expect(make).toThrow(message);
});
