import { capture, cat, Parameter, type Tensor, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { freeze, nn, optim, trainStep } from "../../src/index.ts";
import { crossEntropy } from "../../src/nn/index.ts";
import { arange } from "../../src/tensor/create.ts";
import { readFixture } from "../oracle/fixture.ts";

interface Run {
  loss: "rosenbrock" | "classification" | "quartic";
  dtype: "f32" | "f64";
  options: Record<string, number | string>;
  start: number[][];
  shapes: number[][];
  steps: { loss: number; params: number[][]; evaluations: number; iterations: number }[];
}

const { runs } = readFixture<{ runs: Run[] }>("lbfgs.json.gz");

/** The losses of `make-lbfgs.py`. */
const losses = {
  rosenbrock: (x: Tensor, y: Tensor) => x.rsub(1).square().add(y.sub(x.square()).square().mul(100)).sum(),
  classification(weight: Tensor, bias: Tensor) {
    const rows = arange(24, { dtype: weight.dtype }).reshape([8, 3]).sin();
    const target = arange(8).remainder(4);
    return crossEntropy(rows.matmul(weight.t()).add(bias), target).add(weight.square().sum().mul(0.01));
  },
  quartic(x: Tensor) {
    const apart = x
      .sub(arange(6, { dtype: x.dtype }))
      .pow(4)
      .sum();
    return apart.add(
      x
        .narrow(0, 0, 5)
        .mul(x.narrow(0, 1, 5))
        .sum()
        .mul(0.1),
    );
  },
} as Record<string, (...params: Tensor[]) => Tensor>;

const closureOf = (optimizer: optim.LBFGS<nn.Module | null>, loss: () => Tensor) => () => {
  optimizer.zeroGrad();
  const value = loss();
  value.backward();
  return value;
};

const valuesOf = (x: Tensor): number[] => [...x.dataSync()].map(Number);
const bitsOf = (x: Tensor): number[] => [...new Uint32Array(new Float32Array(x.dataSync()).buffer)];

describe("LBFGS as PyTorch's", () => {
  test.each(runs.map((run) => [`${run.loss} ${run.dtype} ${JSON.stringify(run.options)}`, run] as const))(
    "%s",
    (_, { loss, dtype, options, start, shapes, steps }) => {
      const params = start.map((values, i) => new Parameter(tensor(values, { dtype }).reshape(shapes[i]!)));
      const camel = Object.fromEntries(
        Object.entries(options).map(([k, v]) => [k.replace(/_(\w)/g, (_, c) => c.toUpperCase()), v]),
      );
      const optimizer = new optim.LBFGS(params, camel);
      const closure = closureOf(optimizer, () => losses[loss]!(...params));
      for (const [i, want] of steps.entries()) {
        const before = optimizer.step(closure).itemSync() as number;
        // Rounding steers a line search: in f32 where it turns is a matter of the last digit.
        const near = (a: number, b: number): boolean =>
          Math.abs(a - b) <= (dtype === "f64" ? 1e-7 : 2e-3) * (1 + Math.abs(b));
        if (!near(before, want.loss)) expect.fail(`step ${i + 1}: loss ${before}, PyTorch's ${want.loss}`);
        for (const [k, values] of want.params.entries())
          for (const [j, value] of valuesOf(params[k]!).entries())
            if (!near(value, values[j]!))
              expect.fail(`step ${i + 1}, parameter ${k}: ${value}, PyTorch's ${values[j]}`);
        const { step, funcEvals } = optimizer.state.get(params[0]!)!;
        if (dtype === "f64") expect([step, funcEvals]).toEqual([want.iterations, want.evaluations]);
      }
    },
  );
});

class Net extends nn.Module {
  a = new nn.Linear(2, 3);
  b = new nn.Linear(3, 2);
  forward(x: Tensor): Tensor {
    return this.b.forward(this.a.forward(x).tanh());
  }
}

/** A network with weights that are the same every time, and a closure that fits it to something. */
function problem(options: Partial<optim.LBFGSOptions> = { maxIter: 3, lineSearchFn: "strong_wolfe" }) {
  const net = new Net();
  for (const [i, p] of net.parameters().entries())
    p.assign(
      arange(p.numel, { dtype: "f32" })
        .add(i + 1)
        .sin()
        .reshape([...p.shape]),
    );
  const x = arange(12, { dtype: "f32" }).cos().reshape([6, 2]);
  const optimizer = new optim.LBFGS(net, options);
  const loss = (): Tensor =>
    net
      .forward(x)
      .sub(cat([x, x], 1).narrow(1, 1, 2))
      .square()
      .mean();
  return { net, optimizer, loss, closure: closureOf(optimizer, loss) };
}

const stateBits = (optimizer: optim.LBFGS<nn.Module | null>, p: Parameter) =>
  Object.entries(optimizer.state.get(p)!).map(([name, value]) => [
    name,
    typeof value === "number" ? value : valuesOf(value),
  ]);

describe("what is frozen under LBFGS", () => {
  test("does not move, whatever its gradient and history, nor does its state, and goes on when it is thawed", () => {
    const { net, optimizer, closure } = problem();
    optimizer.step(closure);
    const held = net.a.parameters();
    const before = held.map((p) => [bitsOf(p), stateBits(optimizer, p)]);
    for (const poison of [null, 0, Number.NaN, 3]) {
      freeze(net, "a.**", () => {
        optimizer.step(() => {
          const value = closure();
          for (const p of held) p.grad = poison === null ? null : p.detach().mul(0).add(poison);
          return value;
        });
      });
      expect(held.map((p) => [bitsOf(p), stateBits(optimizer, p)])).toEqual(before);
    }
    // What is trained alone is a problem with a history of its own, which grows.
    for (const p of net.b.parameters()) expect(optimizer.state.get(p)!.step).toBeGreaterThan(6);
    for (const p of held) p.grad = null;
    optimizer.step(closure);
    // All of them are one problem again, which nothing is known of yet.
    for (const [i, p] of held.entries()) {
      expect(bitsOf(p)).not.toEqual(before[i]![0]);
      expect(optimizer.state.get(p)!.step).toBeLessThanOrEqual(3);
    }
  });

  test("by rows, is not written, and the rest trains as a problem of its own", () => {
    const { net, optimizer, closure } = problem();
    const rows = valuesOf(net.a.weight).slice(2);
    const first = valuesOf(net.a.weight).slice(0, 2);
    freeze(net, "a.weight[1:]", () => {
      optimizer.step(closure);
      optimizer.step(closure);
    });
    expect(valuesOf(net.a.weight).slice(2)).toEqual(rows);
    expect(valuesOf(net.a.weight).slice(0, 2)).not.toEqual(first);
    expect(optimizer.parts(net.a.weight).map(({ region, state }) => [region?.text, state.d.shape])).toEqual([
      ["[0]", [1, 2]],
    ]);
  });

  test("PyTorch's moves a parameter without a gradient by its history, and this one leaves it", () => {
    const { net, optimizer, closure } = problem();
    optimizer.step(closure);
    const before = bitsOf(net.b.weight);
    optimizer.step(() => {
      const value = closure();
      net.b.weight.grad = null;
      return value;
    });
    expect(bitsOf(net.b.weight)).toEqual(before);
  });

  test("two tasks without common parameters keep a history each", () => {
    const { net, optimizer, loss } = problem({ maxIter: 2, lr: 0.1 });
    const only = (member: nn.Module) => () => {
      optimizer.zeroGrad();
      const value = loss();
      value.backward();
      for (const p of net.parameters()) if (!member.parameters().includes(p)) p.grad = null;
      return value;
    };
    for (let i = 0; i < 3; i++) for (const member of [net.a, net.b]) optimizer.step(only(member));
    expect(net.parameters().map((p) => optimizer.state.get(p)!.step)).toEqual([3, 3, 3, 3]);
  });
});

describe("LBFGS", () => {
  test("goes on from its state dict to the same bits, and one that does not fit changes nothing", () => {
    const one = problem();
    one.optimizer.step(one.closure);
    const dict = one.optimizer.stateDict();
    const two = problem();
    two.net.loadStateDict(one.net.stateDict());
    two.optimizer.loadStateDict(dict);
    for (const { optimizer, closure } of [one, two]) optimizer.step(closure);
    expect(two.net.parameters().map(bitsOf)).toEqual(one.net.parameters().map(bitsOf));
    expect(stateBits(two.optimizer, two.net.a.weight)).toEqual(stateBits(one.optimizer, one.net.a.weight));
    const { "a.weight": first, ...rest } = dict.state;
    const known = stateBits(two.optimizer, two.net.a.weight);
    expect(() =>
      two.optimizer.loadStateDict({ ...dict, state: { ...rest, "a.weight": { ...first!, d: tensor([1]) } } }),
    ).toThrow("a.weight: d has shape [1], and here it is [3,2]");
    expect(() => two.optimizer.loadStateDict({ ...dict, state: { c: first! } })).toThrow(
      "c: there is no such",
    );
    expect(stateBits(two.optimizer, two.net.a.weight)).toEqual(known);
  });

  test("a closure that throws leaves parameters and history as they were", () => {
    const { net, optimizer, closure } = problem();
    optimizer.step(closure);
    const before = net.parameters().map((p) => [bitsOf(p), stateBits(optimizer, p)]);
    let calls = 0;
    expect(() =>
      optimizer.step(() => {
        if (++calls === 3) throw new Error("enough");
        return closure();
      }),
    ).toThrow("enough");
    expect(net.parameters().map((p) => [bitsOf(p), stateBits(optimizer, p)])).toEqual(before);
  });

  test("follows a schedule, and gives the loss at the start", () => {
    const { optimizer, closure, loss } = problem({ maxIter: 1 });
    const schedule = new optim.StepLR(optimizer, { stepSize: 1, gamma: 0.5 });
    const before = loss().itemSync();
    expect(optimizer.step(closure).itemSync()).toBe(before);
    schedule.step();
    expect(optimizer.paramGroups[0]!.lr).toBe(0.5);
    optimizer.step(closure);
    expect(optimizer.state.values().next().value!.t).toBe(0.5);
  });

  test("refuses what it cannot do, by name", async () => {
    const { net, optimizer, closure, loss } = problem();
    const refused: [() => unknown, string][] = [
      [() => optimizer.step(), "step needs a closure"],
      [() => optimizer.step((() => 3) as never), "the closure gives 3; it must return the loss"],
      [() => optimizer.step((async () => loss()) as never), "and not be asynchronous"],
      [() => optimizer.step(() => tensor([1, 2])), "the closure gives a tensor of shape [2]"],
      [() => capture(() => optimizer.step(closure))(), "call it outside of capture"],
      [() => new optim.LBFGS([{ params: net.a }, { params: net.b }]), "there can be only one group"],
      [() => new optim.LBFGS(net, { maxIter: 0 }), "maxIter is 0; it must be a whole number from 1 on"],
      [() => new optim.LBFGS(net, { lineSearchFn: "wolfe" as never }), '"strong_wolfe" or null'],
      [() => new optim.LBFGS(net, { momentum: 1 } as never), "there is no option momentum"],
      [() => optimizer.setStatePolicy(), "there is no policy"],
    ];
    for (const [call, message] of refused) expect(call).toThrow(message);
    const step = trainStep(optimizer as never, { module: net, loss: () => loss(), trains: "**" as never });
    await expect(step()).rejects.toThrow("call optimizer.step(() => …) with a closure");
  });
});
