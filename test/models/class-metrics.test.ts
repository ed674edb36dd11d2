import { classMetrics } from "thaw/models";
import { expect, test } from "vitest";

/** Logits that give a label, of three. */
const giving = (k: number) => [0, 1, 2].map((i) => (i === k ? 2 : 0));

test("metrics of three labels, as worked out by hand", () => {
  const targets = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
  const given = [0, 0, 1, 2, 1, 1, 0, 2, 2, 2];
  const found = classMetrics(["a", "b", "c"], targets, given.map(giving));
  expect(found.confusion).toEqual([
    [2, 1, 1],
    [1, 2, 0],
    [0, 0, 3],
  ]);
  expect(found.accuracy).toBeCloseTo(0.7, 12);
  // Of a: 2 of the 3 that were given it, and of the 4 that have it; of b 2 of 3 and 2 of 3; of c 3 of 4 and 3 of 3.
  const wanted = [
    { label: "a", precision: 2 / 3, recall: 1 / 2, f1: 4 / 7, support: 4 },
    { label: "b", precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 },
    { label: "c", precision: 3 / 4, recall: 1, f1: 6 / 7, support: 3 },
  ];
  for (const [k, { label, precision, recall, f1, support }] of wanted.entries()) {
    const got = found.labels[k]!;
    expect([got.label, got.support]).toEqual([label, support]);
    expect(got.precision).toBeCloseTo(precision, 12);
    expect(got.recall).toBeCloseTo(recall, 12);
    expect(got.f1).toBeCloseTo(f1, 12);
  }
  expect(found.macroF1).toBeCloseTo((4 / 7 + 2 / 3 + 6 / 7) / 3, 12);
  // Each of the 7 that are right costs log(e² + 2) − 2, and each of the others log(e² + 2).
  expect(found.loss).toBeCloseTo(Math.log(Math.exp(2) + 2) - 1.4, 12);
});

test("a label that no text has or was given does not count in the mean of F1", () => {
  const found = classMetrics(["a", "b", "c"], [0, 0, 1], [giving(0), giving(0), giving(0)]);
  expect(found.labels.map(({ f1 }) => f1)).toEqual([0.8, 0, 0]);
  expect(found.macroF1).toBeCloseTo(0.4, 12);
});

test("the loss of logits whose exponentials are infinite, and of equal ones the first label", () => {
  const found = classMetrics(
    ["a", "b"],
    [1, 0],
    [
      [1000, 0],
      [3, 3],
    ],
  );
  expect(found.loss).toBeCloseTo((1000 + Math.log(2)) / 2, 9);
  expect(found.confusion).toEqual([
    [1, 0],
    [1, 0],
  ]);
});
