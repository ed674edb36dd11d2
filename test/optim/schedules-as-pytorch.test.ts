import { Adam, lrScheduler, SGD } from "thaw/optim";
import { Parameter, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ThawError } from "../../src/base/errors.ts";
import { readFixture } from "../oracle/fixture.ts";

interface Spec {
  schedule: string;
  options?: Record<string, unknown>;
  schedules?: Spec[];
  milestones?: number[];
}
interface Case extends Spec {
  name: string;
  optimizer: "SGD" | "Adam";
  rates: number[];
  metrics: number[];
  epochs: (number | null)[];
  trail: { rates: number[]; momenta: number[]; lastLr: number[] }[];
  error: string | null;
}
const { cases } = readFixture<{ cases: Case[] }>("schedules.json.gz");

const functions: Record<string, (n: number) => number> = {
  "1 / (1 + n)": (n) => 1 / (1 + n),
  "0.95 ** n": (n) => 0.95 ** n,
  "1 - 0.3 * n": (n) => 1 - 0.3 * n,
  "-0.9": () => -0.9,
};
const asFunctions = (value: string | string[]) =>
  Array.isArray(value) ? value.map((one) => functions[one]) : functions[value];

type AnyOptimizer = SGD | Adam;
type Schedule = lrScheduler.LRScheduler;
const classes = lrScheduler as unknown as Record<string, new (...args: unknown[]) => Schedule>;

function make(spec: Spec, optimizer: AnyOptimizer): Schedule {
  const Made = classes[spec.schedule]!;
  if (spec.schedules !== undefined) {
    const schedules = spec.schedules.map((part) => make(part, optimizer));
    if (spec.schedule === "ChainedScheduler") return new Made(schedules);
    return new Made(optimizer, { schedules, milestones: spec.milestones });
  }
  const options = Object.entries(spec.options!).map(([key, value]) => [
    key,
    key === "lambda" || key === "scaleFn" ? asFunctions(value as string) : value,
  ]);
  return new Made(optimizer, Object.fromEntries(options));
}

function makeOptimizer({ optimizer, rates }: Case): AnyOptimizer {
  const groups = rates.map((lr) => ({ params: [new Parameter(tensor([0]))], lr }));
  return optimizer === "SGD" ? new SGD(groups, { momentum: 0.9 }) : new Adam(groups);
}

const momentaOf = ({ paramGroups }: AnyOptimizer): number[] =>
  paramGroups.map((group) => ("betas" in group ? group.betas[0] : group.momentum));
const ratesOf = ({ paramGroups }: AnyOptimizer): number[] => paramGroups.map(({ lr }) => lr);

function move(schedule: Schedule, { metrics, epochs }: Case, i: number): void {
  if (schedule instanceof lrScheduler.ReduceLROnPlateau) schedule.step(metrics[i]!);
  else if (epochs[i] === null) schedule.step();
  else schedule.step(epochs[i]!);
}

function same(got: readonly number[], expected: readonly number[], what: string): void {
  expect(got.length, what).toBe(expected.length);
  for (const [i, value] of expected.entries())
    expect(Math.abs(got[i]! - value), `${what} of group ${i}: ${got[i]}, not ${value}`).toBeLessThanOrEqual(
      1e-9 + 1e-7 * Math.abs(value),
    );
}

describe("every schedule", () => {
  test("is among the cases", () => {
    const known = Object.keys(lrScheduler).filter((name) => name !== "LRScheduler");
    expect([...new Set(cases.map(({ schedule }) => schedule))].sort()).toEqual(known.sort());
  });

  test.each(cases.map((c) => [c.name, c] as const))("sets what PyTorch's sets: %s", (_, c) => {
    const optimizer = makeOptimizer(c);
    let schedule: Schedule | null = null;
    const reached = (i: number): void => {
      same(ratesOf(optimizer), c.trail[i]!.rates, `step ${i}: rate`);
      same(momentaOf(optimizer), c.trail[i]!.momenta, `step ${i}: momentum`);
      same(schedule!.getLastLr(), c.trail[i]!.lastLr, `step ${i}: last rate`);
    };
    if (c.trail.length > 0) {
      schedule = make(c, optimizer);
      reached(0);
      for (let i = 1; i < c.trail.length; i++) {
        move(schedule, c, i - 1);
        reached(i);
      }
    }
    if (c.error === null) return;
    // Where PyTorch fails, an error of thaw's says so, and nothing has changed.
    const before = JSON.stringify([ratesOf(optimizer), momentaOf(optimizer), schedule?.stateDict()]);
    expect(() => (schedule === null ? make(c, optimizer) : move(schedule, c, c.trail.length - 1))).toThrow(
      ThawError,
    );
    if (schedule === null && c.schedules !== undefined) return;
    expect(JSON.stringify([ratesOf(optimizer), momentaOf(optimizer), schedule?.stateDict()])).toBe(before);
  });

  test.each(cases.filter(({ error }) => error === null).map((c) => [c.name, c] as const))(
    "goes on from its state, rates and momenta too: %s",
    (_, c) => {
      const straight = makeOptimizer(c);
      const first = make(c, straight);
      for (let i = 0; i < 6; i++) move(first, c, i);
      const resumed = makeOptimizer(c);
      const second = make(c, resumed);
      second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())));
      for (let i = 6; i < c.metrics.length; i++) {
        expect(ratesOf(resumed)).toEqual(ratesOf(straight));
        expect(momentaOf(resumed)).toEqual(momentaOf(straight));
        expect(second.getLastLr()).toEqual(ratesOf(straight));
        move(first, c, i);
        move(second, c, i);
      }
    },
  );
});
