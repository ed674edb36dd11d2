import { freeze, module } from "thaw/freeze";
import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import { Parameter, type Tensor, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import type { Optimizer } from "../../../src/optim/optimizer.ts";
import { type Leak, leaks, movesInPyTorch } from "./leaks.ts";

type AnyOptimizer = Pick<Optimizer<object>, "state" | "step" | "warnOfLeaks">;
type Make = new (params: Parameter[], options: object) => AnyOptimizer;

const makers = optim as unknown as Record<string, Make>;

/** The gradient of each kind, as leaks.py has them. */
const gradients: Record<string, (last: Tensor) => Tensor | null> = {
  null: () => null,
  zero: (last) => last.mul(0),
  stale: (last) => last,
  NaN: (last) => last.mul(Number.NaN),
  infinite: () =>
    tensor([
      [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      [1, Number.POSITIVE_INFINITY],
      [Number.NEGATIVE_INFINITY, 1],
    ]),
  masked: (last) => last.mul(tensor([[1], [0], [0]])),
};

const clips: Record<Leak["clip"], (parameters: Parameter[]) => void> = {
  none: () => {},
  norm: (parameters) => void optim.clipGradNorm_(parameters, 0.2),
  value: (parameters) => optim.clipGradValue_(parameters, 0.15),
};

/** The value and the state of a parameter as flat arrays, by name. */
function everything(optimizer: AnyOptimizer, p: Parameter): Record<string, Float32Array> {
  const state = Object.entries(optimizer.state.get(p) ?? {}).map(([name, value]) => [
    name,
    Float32Array.from(typeof value === "number" ? [value] : (value.dataSync() as Float32Array)),
  ]);
  return Object.fromEntries([["value", Float32Array.from(p.dataSync() as Float32Array)], ...state]);
}

/** Of each tensor, and number, how many elements differ in any bit. */
function movedElements(before: Record<string, Float32Array>, after: Record<string, Float32Array>) {
  const bitsOf = (data: Float32Array): Int32Array => new Int32Array(data.buffer);
  return Object.fromEntries(
    Object.entries(after).map(([name, data]) => {
      const old = bitsOf(before[name]!);
      return [name, bitsOf(data).filter((bits, i) => bits !== old[i]).length];
    }),
  );
}

const flat = (value: unknown): number[] =>
  Array.isArray(value) ? value.flatMap(flat) : [Number(value as number | string)];

/** What thaw makes of the run of a fixture's case. */
function run({ optimizer: name, options, kind, clip }: Leak) {
  const held = new Parameter(tensor(leaks.held));
  // Muon takes matrices only.
  const free = new Parameter(tensor(name === "Muon" ? [leaks.free] : leaks.free));
  const optimizer = new makers[name]!([held, free], options);
  optimizer.warnOfLeaks = false;
  const step = (gradient: Tensor | null): void => {
    held.grad = gradient;
    free.grad = tensor(leaks.freeGradient).reshape(free.shape);
    clips[clip]([held, free]);
    optimizer.step();
  };
  for (const gradient of leaks.warm) step(tensor(gradient));
  const before = everything(optimizer, held);
  held.requiresGrad = false;
  for (let i = 0; i < 3; i++) step(gradients[kind]!(tensor(leaks.warm.at(-1)!)));
  const after = everything(optimizer, held);
  return { moved: movedElements(before, after), held: after, free: everything(optimizer, free) };
}

/** Of what has overflowed only that much is compared: ASGD's average of infinities is NaN here, infinite there. */
const close = (a: number, b: number): boolean =>
  Number.isFinite(b) ? Math.abs(a - b) <= 1e-6 + 1e-3 * Math.abs(b) : !Number.isFinite(a);

/** Compares what PyTorch has; SGD counts no steps there. */
function expectClose(got: Record<string, Float32Array>, want: Leak["held"], what: string): void {
  for (const [name, value] of Object.entries(want)) {
    const [a, b] = [[...got[name]!], flat(value)];
    expect(a.length, `${what} ${name}`).toBe(b.length);
    for (const [i, x] of b.entries())
      if (!close(a[i]!, x)) expect.fail(`${what} ${name}[${i}]: ${a[i]}, PyTorch has ${x}`);
  }
}

describe("below the contract thaw leaks where PyTorch leaks, and by as much", () => {
  const groups = new Map<string, Leak[]>();
  for (const leak of leaks.cases) {
    const key = `${leak.optimizer}, ${leak.way}`;
    groups.set(key, [...(groups.get(key) ?? []), leak]);
  }
  test.each([...groups])("%s", (_, cases) => {
    for (const leak of cases) {
      const what = `${leak.kind} gradient, clipping by ${leak.clip}:`;
      const got = run(leak);
      expectClose(got.held, leak.held, `${what} held`);
      expectClose(got.free, leak.free, `${what} free`);
      const moved = Object.fromEntries(Object.keys(leak.moved).map((name) => [name, got.moved[name]]));
      expect(moved, what).toEqual(leak.moved);
    }
  });
});

describe("around parameters that require no gradient", () => {
  const { batchNorm, average } = leaks.surroundings;

  test("a BatchNorm goes on gathering statistics as PyTorch's does; in a module that is frozen it does not", () => {
    const statistics = (norm: nn.BatchNorm1d): number[][] =>
      [norm.runningMean!, norm.runningVar!].map((buffer) => [...buffer.dataSync()]);
    const norm = new nn.BatchNorm1d(2);
    const start = statistics(norm);
    freeze(norm, module(norm), () => norm.forward(tensor(batchNorm.batch)));
    expect(statistics(norm)).toEqual(start);
    norm.requiresGrad_(false);
    norm.forward(tensor(batchNorm.batch));
    for (const [i, expected] of [batchNorm.runningMean, batchNorm.runningVar].entries())
      expect(statistics(norm)[i]).toEqual(expected.map((x) => expect.closeTo(x, 5)));
  });

  test("an average goes on towards the value as PyTorch's does; that of what is frozen does not", () => {
    const layer = new nn.Linear(1, 1, { bias: false });
    layer.weight.assign(tensor([[average.start]]));
    const ema = new optim.EMA(layer, { decay: average.decay });
    const value = (): number => ema.average.get(layer.weight)!.itemSync() as number;
    layer.weight.assign(tensor([[average.value]]));
    freeze(layer, "weight", () => ema.update());
    expect(value()).toBe(average.start);
    layer.weight.requiresGrad = false;
    for (let i = 0; i < average.updates; i++) ema.update();
    expect(value()).toBeCloseTo(average.average, 5);
  });
});

describe("cause by cause, in PyTorch", () => {
  const moves = (optimizer: string, way: string, kind = "zero"): boolean =>
    movesInPyTorch(optimizer, way, kind).value!;

  test("a null gradient holds, under every optimizer", () => {
    const held = leaks.cases.filter(({ kind }) => kind === "null");
    expect(held.length).toBeGreaterThan(40);
    for (const { moved } of held) expect(Object.values(moved).every((elements) => elements === 0)).toBe(true);
  });

  test("momentum moves what has a gradient of zeros", () => {
    expect([moves("SGD", "plain"), moves("SGD", "momentum")]).toEqual([false, true]);
    expect([moves("RMSprop", "plain"), moves("RMSprop", "momentum")]).toEqual([false, true]);
    for (const name of ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]) expect(moves(name, "plain")).toBe(true);
  });

  test("so does weight decay, coupled or decoupled, and ASGD's own", () => {
    for (const name of ["SGD", "RMSprop", "Adagrad", "Adadelta"])
      expect([moves(name, "plain"), moves(name, "coupled decay")]).toEqual([false, true]);
    expect(moves("AdamW", "decoupled decay")).toBe(true);
    expect(moves("ASGD", "plain")).toBe(true);
  });

  test("where the value stays, adaptive state and step counts still move, and the next real step is another", () => {
    expect(movesInPyTorch("RMSprop", "plain", "zero")).toMatchObject({
      value: false,
      squareAvg: true,
      step: true,
    });
    expect(movesInPyTorch("Adadelta", "plain", "zero")).toMatchObject({ value: false, squareAvg: true });
    expect(movesInPyTorch("Adagrad", "plain", "zero")).toMatchObject({
      value: false,
      sum: false,
      step: true,
    });
    expect(movesInPyTorch("Rprop", "plain", "zero")).toMatchObject({ value: false, prev: true });
  });

  test("rows whose gradient is masked move like a parameter with zeros", () => {
    for (const { optimizer, way, rowsMoved, clip } of leaks.cases.filter(({ kind }) => kind === "masked"))
      if (clip === "none")
        expect([optimizer, way, rowsMoved]).toEqual([
          optimizer,
          way,
          moves(optimizer, way) ? [1, 1, 1] : [1, 0, 0],
        ]);
  });

  test("a stale gradient moves everything, NaN spreads through clipping by norm to what is trained", () => {
    for (const { kind, moved } of leaks.cases) if (kind === "stale") expect(moved.value).toBe(6);
    const spread = leaks.cases.filter(({ kind, clip }) => kind === "NaN" && clip === "norm");
    expect(spread.length).toBe(13);
    // Rprop goes by signs, and the sign of NaN is 0.
    for (const { optimizer, free } of spread)
      expect([optimizer, flat(free.value).some(Number.isNaN)]).toEqual([optimizer, optimizer !== "Rprop"]);
  });
});
