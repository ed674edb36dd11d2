import * as nn from "thaw/nn";
import { AdamW, type OptimizerStateDict, SGD } from "thaw/optim";
import { capture, ones, Parameter, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { StateDictError } from "../../src/base/errors.ts";
import { everythingOf, optimizers } from "./optimizers.ts";

/** A step whose gradients are the parameters themselves. */
function train(optimizer: { step(): void; zeroGrad(): void }, parameters: Parameter[]): void {
  optimizer.zeroGrad();
  for (const p of parameters) p.mul(p).sum().div(2).backward();
  optimizer.step();
}

test.each(Object.entries(optimizers))("%s goes on from a state dict bit for bit", (_, make) => {
  const start = [tensor([1, -2, 3]), tensor([0.5])];
  const [a, b] = [start, start].map((tensors) => tensors.map((t) => new Parameter(t))) as [
    Parameter[],
    Parameter[],
  ];
  const [one, other] = [make(a), make(b, { lr: 0.3 })];
  train(one, a);
  // Only one parameter is stepped again, so that their counts differ.
  train(one, [a[0]!]);
  train(other, [b[1]!]);
  const dict = one.stateDict();
  for (const [i, p] of b.entries()) p.assign(a[i]!.detach());
  other.loadStateDict(dict);
  for (let i = 0; i < 2; i++) {
    train(one, a);
    train(other, b);
    for (const k of [0, 1]) expect(everythingOf(other, b[k]!)).toEqual(everythingOf(one, a[k]!));
  }
});

const net = () => new nn.Linear(2, 1);

test("names parameters by their paths, and holds copies", () => {
  const module = net();
  const optimizer = new AdamW(module, { lr: 0.5 });
  module.weight.grad = ones([1, 2]);
  optimizer.step();
  const dict = optimizer.stateDict();
  expect(Object.keys(dict.state)).toEqual(["weight"]);
  expect(dict.paramGroups).toEqual([
    {
      lr: 0.5,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0.01,
      amsgrad: false,
      maximize: false,
      params: ["weight", "bias"],
    },
  ]);
  optimizer.step();
  expect(dict.state.weight!.step).toBe(1);
  expect((dict.state.weight!.expAvg as { toArraySync(): unknown }).toArraySync()).toEqual([
    [Math.fround(0.1), Math.fround(0.1)],
  ]);
});

test("a recorded step goes on from what was loaded", () => {
  const p = new Parameter(tensor([1]));
  const optimizer = new SGD([p], { lr: 1, momentum: 0.5 });
  const step = capture(() => {
    p.sum().backward();
    optimizer.step();
  });
  step();
  const dict = optimizer.stateDict();
  step();
  step();
  optimizer.loadStateDict({ ...dict, state: {} });
  p.assign(tensor([0]));
  step();
  expect(p.toArraySync()).toEqual([-1]);
  expect(optimizer.state.get(p)!.step).toBe(1);
});

describe("what does not fit is told, and nothing is loaded", () => {
  const cases: Record<string, [(dict: OptimizerStateDict) => unknown, string]> = {
    "another path": [
      (d) => ({ ...d, state: { kernel: d.state.weight } }),
      "there is state for kernel, which the optimizer does not have",
    ],
    "another shape": [
      (d) => ({ ...d, state: { weight: { ...d.state.weight, expAvg: ones([3]) } } }),
      "expAvg of weight has shape [3], the parameter [1, 2]",
    ],
    "no step": [
      (d) => ({ ...d, state: { weight: { expAvg: ones([1, 2]) } } }),
      "the state of weight has no step count",
    ],
    "a NaN step": [
      (d) => ({ ...d, state: { weight: { step: Number.NaN } } }),
      "step of weight is NaN, not a tensor or a finite number",
    ],
    "fewer groups": [(d) => ({ ...d, paramGroups: [] }), "it has 0 parameter groups, the optimizer 1"],
    "a missing parameter": [
      (d) => ({ ...d, paramGroups: [{ ...d.paramGroups[0], params: ["weight"] }] }),
      "group 0 lacks bias",
    ],
    "another optimizer": [
      (d) => ({ ...d, paramGroups: [{ ...d.paramGroups[0], momentum: 0.9 }] }),
      "group 0 has options of another optimizer: momentum",
    ],
    "a rate that cannot be": [
      (d) => ({ ...d, paramGroups: [{ ...d.paramGroups[0], lr: -1 }] }),
      "group 0: lr is -1; it must be a number of at least 0",
    ],
    "something else": [() => ({ weights: 1 }), "it is not the state dict of an optimizer"],
  };
  test.each(Object.entries(cases))("%s", (_, [change, message]) => {
    const module = net();
    const optimizer = new AdamW(module);
    for (const p of module.parameters()) p.grad = ones(p.shape);
    optimizer.step();
    const bad = change(optimizer.stateDict()) as OptimizerStateDict;
    const before = module.parameters().map((p) => everythingOf(optimizer as never, p));
    expect(() => optimizer.loadStateDict(bad)).toThrow(StateDictError);
    expect(() => optimizer.loadStateDict(bad)).toThrow(message);
    expect(module.parameters().map((p) => everythingOf(optimizer as never, p))).toEqual(before);
    expect(optimizer.paramGroups[0]!.lr).toBe(1e-3);
  });
});
