import { expect, test } from "vitest";
import { bootstrap, macroF1 } from "../../bench/sections/statistics.ts";

test("macro-F1 is the mean of the classes' F1, of texts that are chosen too", () => {
  const truth = ["a", "a", "b", "c"];
  const predicted = ["a", "b", "b", "b"];
  // a: 2 · 1 / (2 + 1), b: 2 · 1 / (1 + 3), c: 0.
  expect(macroF1(truth, predicted)).toBeCloseTo((100 * (2 / 3 + 1 / 2 + 0)) / 3, 10);
  expect(macroF1(truth, predicted, [0, 0, 2])).toBe(100);
  expect(macroF1(truth, predicted, [3])).toBe(0);
});

test("an interval is around its mean, paired by its draws, and nothing for what does not vary", () => {
  const values = Array.from({ length: 200 }, (_, i) => i % 10);
  const mean = (chosen: readonly number[]) => chosen.reduce((sum, i) => sum + values[i]!, 0) / chosen.length;
  const found = bootstrap(200, mean);
  expect(found.mean).toBe(4.5);
  // The standard error of the mean of 200 such values is 0.2.
  expect(found.low).toBeGreaterThan(4.5 - 3 * 0.2);
  expect(found.low).toBeLessThan(4.5 - 0.2);
  expect(found.high).toBeGreaterThan(4.5 + 0.2);
  expect(found.high).toBeLessThan(4.5 + 3 * 0.2);
  expect(bootstrap(200, (chosen) => mean(chosen) - mean(chosen))).toEqual({ mean: 0, low: 0, high: 0 });
});
