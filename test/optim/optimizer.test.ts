import * as nn from "thaw/nn";
import { Adagrad, Adam, AdamW, clipGradNorm_, SGD } from "thaw/optim";
import { capture, ones, Parameter, type Tensor, tensor } from "thaw/tensor";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ArgumentError, NonFiniteError, StaleTensorError } from "../../src/base/errors.ts";
import { everythingOf, optimizers } from "./optimizers.ts";

const parameter = (...values: number[]): Parameter => new Parameter(tensor(values));
const values = (p: Tensor): number[] => Array.from(p.dataSync());

afterEach(() => vi.restoreAllMocks());

describe("construction", () => {
  test("takes a module, parameters, named ones, or groups of them", () => {
    const net = new nn.Linear(2, 2);
    const all = net.parameters();
    for (const params of [
      net,
      all,
      new Set(all),
      net.namedParameters(),
      [{ params: net }],
      [{ params: all }],
    ])
      expect(new SGD(params).parameters()).toEqual(all);
    expect([...new SGD(net.namedParameters()).namedParameters().keys()]).toEqual(["weight", "bias"]);
    expect([...new SGD([parameter(1), parameter(2)]).namedParameters().keys()]).toEqual(["0.0", "0.1"]);
  });

  test("says what is wrong with its arguments", () => {
    const p = parameter(1);
    expect(() => new SGD([])).toThrow("SGD: a group without parameters; give it a module that has some");
    expect(() => new SGD([p, p])).toThrow("SGD: a parameter is given twice; a parameter has one group");
    expect(() => new SGD([tensor([1])] as never)).toThrow(
      "one of the parameters is Tensor; only nn parameters can be optimized",
    );
    expect(() => new SGD(null as never)).toThrow("SGD: the first argument is null");
    expect(() => new AdamW([p], { lr: -1 })).toThrow("AdamW: lr is -1; it must be a number of at least 0");
    expect(() => new AdamW([p], { betas: [0.9, 1] })).toThrow(
      "AdamW: betas is [0.9,1]; it must be two numbers, each at least 0 and below 1",
    );
    expect(() => new AdamW([p], { weight_decay: 1 } as never)).toThrow(
      "AdamW: there is no option weight_decay; there are lr, betas",
    );
    expect(() => new SGD([p], { nesterov: true })).toThrow(ArgumentError);
  });

  test("defaults are PyTorch's", () => {
    const [group] = new AdamW([parameter(1)]).paramGroups;
    expect({ ...group, params: 0 }).toEqual({
      params: 0,
      lr: 1e-3,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0.01,
      amsgrad: false,
      maximize: false,
    });
    expect(new Adam([parameter(1)]).paramGroups[0]!.weightDecay).toBe(0);
  });
});

describe("groups", () => {
  test("have options of their own, and the optimizer's where they leave them out", () => {
    const [a, b] = [parameter(1), parameter(1)];
    const optimizer = new SGD([{ params: [a], lr: 0.5 }, { params: [b] }], { lr: 0.25 });
    for (const p of [a, b]) p.grad = tensor([1]);
    optimizer.step();
    expect([values(a), values(b)]).toEqual([[0.5], [0.75]]);
  });

  test("can be added later, and a recorded step then does what they ask", () => {
    const [a, b] = [parameter(1), parameter(1)];
    const optimizer = new SGD([a], { lr: 0.5 });
    const step = capture(() => {
      a.mul(b).sum().backward();
      optimizer.step();
    });
    step();
    expect([values(a), values(b)]).toEqual([[0.5], [1]]);
    optimizer.addParamGroup({ params: b, lr: 0.25 });
    step();
    expect([values(a), values(b)]).toEqual([[0], [0.875]]);
    expect(() => optimizer.addParamGroup({ params: b })).toThrow("is given twice");
  });

  test("check an option that is set", () => {
    const optimizer = new SGD([parameter(1)], { lr: 0.5 });
    expect(() => (optimizer.paramGroups[0]!.lr = Number.NaN)).toThrow(
      "SGD: lr is NaN; it must be a number of at least 0",
    );
    expect(optimizer.paramGroups[0]!.lr).toBe(0.5);
  });
});

describe("a recorded step", () => {
  test("reads options anew, and is recorded again only where structure changes", () => {
    const p = parameter(1);
    const optimizer = new SGD([p], { lr: 0.5 });
    const group = optimizer.paramGroups[0]!;
    const step = capture(() => {
      p.sum().backward();
      optimizer.step();
    });
    step();
    group.lr = 0.25;
    step();
    expect(values(p)).toEqual([0.25]);
    expect(step.variants).toBe(1);
    group.momentum = 0.5;
    step();
    step();
    expect(step.variants).toBe(2);
    group.momentum = 0.25;
    step();
    expect(step.variants).toBe(2);
  });

  test.each(Object.entries(optimizers))("of %s gives the same as one that is not", (_, make) => {
    const [p, q] = [parameter(1, -2, 3), parameter(1, -2, 3)];
    const [recorded, plain] = [make([p]), make([q])];
    const x = tensor([0.3, -0.2, 0.1]);
    const step = capture((scale: Tensor) => {
      recorded.zeroGrad();
      p.mul(p).mul(x).mul(scale).sum().backward();
      recorded.step();
    });
    for (const scale of [1, -2, 0.5, 3]) {
      step(tensor(scale));
      plain.zeroGrad();
      q.mul(q).mul(x).mul(tensor(scale)).sum().backward();
      plain.step();
    }
    expect(step.variants).toBe(1);
    expect(everythingOf(recorded, p)).toEqual(everythingOf(plain, q));
  });
});

test.each(Object.entries(optimizers))(
  "a step of %s that fails leaves no trace, recorded or not",
  (_, make) => {
    const p = parameter(1, -2, 3);
    const optimizer = make([p]);
    const body = (gradient: Tensor): void => {
      p.grad = gradient;
      clipGradNorm_([p], 1, { errorIfNonfinite: true });
      optimizer.step();
    };
    const recorded = capture(body);
    const [good, bad] = [tensor([0.1, 0.2, 0.3]), tensor([0.1, Number.NaN, 0.3])];
    const fresh = everythingOf(optimizer, p);
    for (const step of [body, recorded]) expect(() => step(bad)).toThrow(NonFiniteError);
    expect(everythingOf(optimizer, p)).toEqual(fresh);
    recorded(good);
    body(good);
    const before = everythingOf(optimizer, p);
    expect(before).not.toEqual(fresh);
    for (const step of [body, recorded]) expect(() => step(bad)).toThrow(NonFiniteError);
    expect(everythingOf(optimizer, p)).toEqual(before);
  },
);

test("state is there from the first step, under Adagrad from the start, and reads as of when it was asked for", () => {
  const p = parameter(1, 2);
  const adam = new Adam([p]);
  expect(adam.state.get(p)).toBeUndefined();
  expect(new Adagrad([p], { initialAccumulatorValue: 0.5 }).state.get(p)).toMatchObject({ step: 0 });
  p.grad = tensor([1, -1]);
  adam.step();
  const { expAvg } = adam.state.get(p)!;
  expect(values(expAvg)).toEqual([Math.fround(0.1), -Math.fround(0.1)]);
  const kept = adam.state.get(p)!.expAvg.clone();
  adam.step();
  expect(() => values(expAvg)).toThrow(StaleTensorError);
  expect(values(kept)).toEqual([Math.fround(0.1), -Math.fround(0.1)]);
  expect(values(adam.state.get(p)!.expAvg)[0]).toBeCloseTo(0.19);
  expect(adam.state.get(p)!.step).toBe(2);
  expect([...adam.state.keys()]).toEqual([p]);
  for (const [, state] of adam.state) expect(values(state.expAvg)[0]).toBeCloseTo(0.19);
});

test("zeroGrad takes gradients away, or makes them zeros where there are some", () => {
  const [p, q] = [parameter(1), parameter(2)];
  const optimizer = new SGD([p, q]);
  p.grad = tensor([3]);
  optimizer.zeroGrad({ setToNone: false });
  expect(values(p.grad)).toEqual([0]);
  expect(q.grad).toBeNull();
  optimizer.zeroGrad();
  expect(p.grad).toBeNull();
});

describe("a leak", () => {
  const leak = (zero: boolean) => {
    const net = new nn.Linear(1, 1);
    const optimizer = new Adam(net, { lr: 0.1 });
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    for (const p of net.parameters()) p.grad = ones(p.shape);
    optimizer.step();
    net.weight.requiresGrad = false;
    if (zero) optimizer.zeroGrad({ setToNone: false });
    optimizer.step();
    optimizer.step();
    return warn;
  };

  test("by zeros is told of once, by name, with the cause and the remedy", () => {
    const warn = leak(true);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toMatch(
      /^thaw: Adam moves weight, which has requiresGrad = false, because of its gradient: zeros, not null, as zeroGrad\(\{ setToNone: false \}\) leaves them\..*freeze\(\)/,
    );
  });

  test("by a stale gradient is called that", () => {
    expect(leak(false).mock.calls[0]![0]).toContain("stale, left by an earlier backward()");
  });
});

test("updates of a parameter in f64 are computed in f64", () => {
  const p = new Parameter(tensor([1], { dtype: "f64" }));
  p.grad = tensor([1], { dtype: "f64" });
  new SGD([p], { lr: 1e-12 }).step();
  expect(values(p)).toEqual([1 - 1e-12]);
});
