import { freeze, rows } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW, clipGradNorm_, SGD } from "thaw/optim";
import { manualSeed, ones, randn, type Tensor, tensor } from "thaw/tensor";
import { type GradientHook, trainStep } from "thaw/train";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { ArgumentError, NonFiniteError, ShapeError } from "../../src/base/errors.ts";

class Net extends nn.Module {
  body = new nn.Linear(3, 4);
  head = new nn.Linear(4, 2);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x).tanh());
  }
}

const hex = (t: Tensor): string => Buffer.from(t.dataSync().slice().buffer).toString("hex");
const bits = (m: nn.Module): Record<string, string> =>
  Object.fromEntries(m.namedParameters().map(([path, p]) => [path, hex(p)]));
const values = (m: nn.Module): number[] => m.parameters().flatMap((p) => Array.from(p.dataSync()));

let net: Net;
let x: Tensor;
const loss = (input: Tensor): Tensor => net.forward(input).square().mean();
beforeEach(() => {
  manualSeed(5);
  net = new Net();
  x = randn([6, 3]);
});

/** The same steps by hand: gradients of what is trained, changed, clipped, stepped. */
function byHand(batches: Tensor[], change: (path: string, g: Tensor) => Tensor, clipNorm?: number): number[] {
  const own = new Net();
  own.loadStateDict(net.stateDict());
  const optimizer = new SGD(own, { lr: 0.1, momentum: 0.9 });
  for (const batch of batches) {
    optimizer.zeroGrad();
    own.forward(batch).square().mean().backward();
    for (const [path, p] of own.namedParameters()) p.grad = change(path, p.grad!);
    if (clipNorm !== undefined) clipGradNorm_(own.parameters(), clipNorm);
    optimizer.step();
  }
  return values(own);
}
const close = (a: number[], b: number[]): void => {
  for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i]!, 6);
};

describe("a hook on gradients", () => {
  test("sees each by its path, and changes what the update is made of, before clipping", async () => {
    const change: GradientHook = (path, g) => (path.startsWith("head") ? g.mul(3) : undefined);
    const expected = byHand([x, x, x, x], (path, g) => change(path, g, null as never) ?? g, 0.2);
    const seen = new Set<string>();
    const step = trainStep(new SGD(net, { lr: 0.1, momentum: 0.9 }), {
      loss,
      trains: "**",
      clipNorm: 0.2,
      gradients: (path, g, of) => {
        expect(g.shape).toEqual(of.parameter.shape);
        expect(of.region).toBe(null);
        seen.add(path);
        return change(path, g, of);
      },
    });
    for (let i = 0; i < 4; i++) await step(x);
    expect([...seen]).toEqual(["body.weight", "body.bias", "head.weight", "head.bias"]);
    close(values(net), expected);
  });

  test("sees the mean of accumulated calls, once an update", async () => {
    const [a, b] = [randn([6, 3]), randn([6, 3])];
    let calls = 0;
    const step = trainStep(new SGD(net, { lr: 0.1 }), {
      loss,
      trains: "body.bias",
      accumulate: 2,
      keepGrads: true,
      gradients: () => void calls++,
    });
    const own = net.clone();
    for (const batch of [a, b]) own.forward(batch).square().mean().mul(0.5).backward();
    await step(a);
    expect(calls).toBe(0);
    await step(b);
    expect(calls).toBe(1);
    close(Array.from(net.body.bias!.grad!.dataSync()), Array.from(own.body.bias!.grad!.dataSync()));
    await step(a);
    await step.flush();
    expect(calls).toBe(2);
  });

  test("cannot bring in what is frozen: it is bit-identical, whatever the hook gives", async () => {
    freeze(net, ["body.weight", "head.weight[1:]"]);
    const optimizer = new AdamW(net, { lr: 0.1, weightDecay: 0.1 });
    const seen = new Map<string, string | undefined>();
    const step = trainStep(optimizer, {
      loss,
      trains: ["**", "!body.bias"],
      verify: true,
      gradients: (path, g, { region }) => {
        seen.set(path, `${region?.text} ${g.shape}`);
        return ones(g.shape).mul(1e6);
      },
    });
    const before = bits(net);
    const frozenRow = Array.from(net.head.weight.dataSync().subarray(4));
    for (let i = 0; i < 4; i++) await step(x);
    expect([...seen]).toEqual([
      ["head.weight", "[0] 1,4"],
      ["head.bias", "undefined 2"],
    ]);
    const after = bits(net);
    expect(after["body.weight"]).toBe(before["body.weight"]);
    expect(after["body.bias"]).toBe(before["body.bias"]);
    expect(Array.from(net.head.weight.dataSync().subarray(4))).toEqual(frozenRow);
    expect(after["head.bias"]).not.toBe(before["head.bias"]);
    expect(optimizer.state.get(net.body.weight)).toBeUndefined();
  });

  test("by null leaves a parameter out of the update, with its state", async () => {
    const optimizer = new AdamW(net, { lr: 0.1, weightDecay: 0.1 });
    const trains = ["head.**", "body.bias"];
    await trainStep(optimizer, { loss, trains })(x);
    const step = trainStep(optimizer, {
      loss,
      trains,
      gradients: (path) => (path === "head.weight" ? null : undefined),
    });
    const before = bits(net);
    for (let i = 0; i < 3; i++) await step(x);
    expect(bits(net)["head.weight"]).toBe(before["head.weight"]);
    expect(bits(net)["head.bias"]).not.toBe(before["head.bias"]);
    expect(optimizer.state.get(net.head.weight)!.step).toBe(1);
    expect(optimizer.state.get(net.head.bias!)!.step).toBe(4);
  });

  test("of several tasks together sees the sum, of their rows what is trained of them", async () => {
    const seen: string[] = [];
    const step = trainStep(new SGD(net, { lr: 0.1 }), {
      loss: (input: Tensor, _: string) => loss(input),
      trains: (_, task) => (task === "a" ? [rows("head.weight", [0])] : ["head.bias"]),
      gradients: (path, g) => void seen.push(`${path} ${g.shape}`),
    });
    await step.together([
      [x, "a"],
      [x, "b"],
    ]);
    expect(seen).toEqual(["head.weight 1,4", "head.bias 2"]);
  });

  test("that closes over a number which changes is followed, as a loss is", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    let factor = 1;
    const step = trainStep(new SGD(net, { lr: 0.1 }), {
      loss,
      trains: "head.bias",
      keepGrads: true,
      gradients: (_, g) => g.mul(0).add(factor),
    });
    const got: number[] = [];
    for (factor = 1; factor < 7; factor++) {
      await step(x);
      got.push(net.head.bias!.grad!.dataSync()[0]!);
    }
    expect(got).toEqual([1, 2, 3, 4, 5, 6]);
    expect(warned.mock.calls.length).toBe(1);
    warned.mockRestore();
  });

  test("is looked at by `finite`", async () => {
    const before = bits(net);
    const step = trainStep(new SGD(net, { lr: 0.1 }), {
      loss,
      trains: "**",
      finite: true,
      gradients: (_, g) => g.div(g.sub(g)),
    });
    await expect(step(x)).rejects.toThrow(NonFiniteError);
    expect(bits(net)).toEqual(before);
  });

  test.each([
    [() => tensor([1]), ShapeError],
    [() => 3 as never, ArgumentError],
    [(async () => undefined) as never, ArgumentError],
  ] as const)("that gives what is no gradient is an error, and nothing moves", async (gradients, kind) => {
    const before = bits(net);
    const step = trainStep(new SGD(net, { lr: 0.1 }), { loss, trains: "head.weight", gradients });
    await expect(step(x)).rejects.toThrow(kind);
    await expect(step(x)).rejects.toThrow("head.weight");
    expect(bits(net)).toEqual(before);
  });

  test("must be a function", () => {
    expect(() => trainStep(new SGD(net), { loss, trains: "**", gradients: 2 as never })).toThrow(
      ArgumentError,
    );
  });
});
