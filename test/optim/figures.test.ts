import { readFileSync } from "node:fs";
import { Adam, AdamW } from "thaw/optim";
import { Parameter, tensor } from "thaw/tensor";
import { expect, test } from "vitest";

type Matrix = number[][];
type Parameters = Record<string, Matrix>;
type State = Record<string, { step: number; exp_avg: Matrix; exp_avg_sq: Matrix }>;
interface Run {
  afterTask1: Parameters;
  afterTask2: Parameters;
  stateAfterTask1: State;
  stateAfterTask2: State;
}
interface Figures {
  start: Parameters;
  requiresGrad: Run;
  gradNull: { afterTask2: Parameters; stepsAfterTask2: Record<string, number> };
}

// Every figure that the article prints. It does not print the inputs, but gradients follow from the printed state.
const figures: Figures = JSON.parse(
  readFileSync(new URL("../oracle/seed-figures.json", import.meta.url), "utf8"),
);
const { start, requiresGrad: leaky, gradNull } = figures;

const map = (m: Matrix, fn: (x: number, i: number, j: number) => number): Matrix =>
  m.map((row, i) => row.map((x, j) => fn(x, i, j)));

/** |g| = √(v / 0.001), with the sign of the average. */
const firstGradient = ({ exp_avg, exp_avg_sq }: State[string]): Matrix =>
  map(exp_avg_sq, (v, i, j) => Math.sign(exp_avg[i]![j]!) * Math.sqrt(v / 0.001));

/** |g₂| = √((v₂ − 0.999 v₁) / 0.001), with the sign of m₂ − 0.9 m₁. */
const secondGradient = (one: State[string], two: State[string]): Matrix =>
  map(two.exp_avg_sq, (v, i, j) => {
    const sign = Math.sign(two.exp_avg[i]![j]! - 0.9 * one.exp_avg[i]![j]!);
    return sign * Math.sqrt(Math.max(0, v - 0.999 * one.exp_avg_sq[i]![j]!) / 0.001);
  });

/** The article's two steps; `stale` is what hidden_task1 has for a gradient in the second. */
function run(make: (params: Parameter[]) => AdamW | Adam, stale: "zero" | "null") {
  const net = Object.fromEntries(
    Object.entries(start).map(([name, value]) => [name, new Parameter(tensor(value))]),
  );
  const optimizer = make(Object.values(net));
  const give = (name: string, gradient: Matrix): void => {
    net[name]!.grad = tensor(gradient);
  };
  const values = (): Parameters =>
    Object.fromEntries(Object.entries(net).map(([name, p]) => [name, p.toArraySync() as Matrix]));
  const { stateAfterTask1: one, stateAfterTask2: two } = leaky;
  give("hidden_task1.weight", firstGradient(one["hidden_task1.weight"]!));
  give("output.weight", firstGradient(one["output.weight"]!));
  optimizer.step();
  const afterTask1 = values();
  optimizer.zeroGrad({ setToNone: stale === "null" });
  give("hidden_task2.weight", firstGradient(two["hidden_task2.weight"]!));
  give("output.weight", secondGradient(one["output.weight"]!, two["output.weight"]!));
  optimizer.step();
  return { afterTask1, afterTask2: values(), net, optimizer };
}

/** Elements that, printed to as many digits, are further than `limit` from what is printed. */
function apart(got: Parameters, printed: Parameters, limit: number): string[] {
  return Object.entries(printed).flatMap(([name, matrix]) =>
    matrix.flatMap((row, i) =>
      row.flatMap((x, j) => {
        const away = Math.abs(Number(got[name]![i]![j]!.toFixed(limit < 1e-4 ? 12 : 4)) - x);
        return away <= limit * (1 + 1e-9) ? [] : [`${name}[${i}][${j}]`];
      }),
    ),
  );
}

const adamW = (params: Parameter[]) => new AdamW(params, { lr: 0.9, weightDecay: 0.01 });

test("AdamW arrives at every figure of the article's leaky run", () => {
  const { afterTask1, afterTask2, net, optimizer } = run(adamW, "zero");
  expect(apart(afterTask1, leaky.afterTask1, 1e-4)).toEqual([]);
  // One element's gradient loses digits in the subtraction.
  expect(apart(afterTask2, leaky.afterTask2, 1e-4)).toHaveLength(1);
  expect(apart(afterTask2, leaky.afterTask2, 4e-4)).toEqual([]);
  expect(optimizer.state.get(net["hidden_task1.weight"]!)!.step).toBe(2);
  for (const [name, printed] of Object.entries(leaky.stateAfterTask2)) {
    const { step, expAvg, expAvgSq } = optimizer.state.get(net[name]!)!;
    expect(step).toBe(printed.step);
    expect(apart({ m: expAvg.toArraySync() as Matrix }, { m: printed.exp_avg }, 1e-4)).toEqual([]);
    expect(apart({ v: expAvgSq.toArraySync() as Matrix }, { v: printed.exp_avg_sq }, 1e-8)).toEqual([]);
  }
});

test("with a null gradient the frozen layer stays at every printed figure, its step count at 1", () => {
  const { afterTask1, afterTask2, net, optimizer } = run(adamW, "null");
  expect(afterTask2["hidden_task1.weight"]).toEqual(afterTask1["hidden_task1.weight"]);
  expect(apart(afterTask2, gradNull.afterTask2, 4e-4)).toEqual([]);
  for (const [name, step] of Object.entries(gradNull.stepsAfterTask2))
    expect(optimizer.state.get(net[name]!)!.step).toBe(step);
});

test("plain Adam does not arrive there: the article's runs were AdamW's", () => {
  const { afterTask1, afterTask2 } = run((params) => new Adam(params, { lr: 0.9 }), "zero");
  expect(apart(afterTask1, leaky.afterTask1, 1e-4).length).toBeGreaterThan(10);
  expect(afterTask2["hidden_task1.weight"]![0]![0]).toBeCloseTo(1.4988, 3);
  expect(leaky.afterTask2["hidden_task1.weight"]![0]![0]).toBe(1.4907);
});
