import { readFileSync } from "node:fs";
import { entitiesOf, labelsMetrics, numberMetrics, tagMetrics } from "thaw/models";
import { expect, test } from "vitest";

// What scikit-learn, scipy and seqeval say: fixtures/make-metrics.py.
const made = JSON.parse(readFileSync(new URL("fixtures/metrics.json", import.meta.url), "utf8"));

function expectAll(found: object, wanted: Readonly<Record<string, number>>, names: readonly string[]): void {
  for (const name of names)
    expect((found as Record<string, number>)[name], name).toBeCloseTo(wanted[name]!, 10);
}

test("several labels a text: micro and macro F1, whole answers, and binary cross entropy", () => {
  const { targets, logits, threshold, ...wanted } = made.labels;
  const found = labelsMetrics(["a", "b", "c", "d"], targets, logits, threshold);
  expectAll(found, wanted, ["loss", "accuracy", "microF1", "macroF1"]);
});

test("the mean over labels that a text may have several of is over all, as scikit-learn has it", () => {
  // f1_score([[1, 0, 1, 1, 0]], [[1, 0, 0, 0, 0]], average="macro", zero_division=0)
  const found = labelsMetrics([..."abcde"], [[0, 2, 3]], [[0.4, -0.6, -0.5, -0.2, -2]]);
  expect([found.macroF1, found.microF1]).toEqual([0.2, 0.5]);
});

test("numbers: the squared difference and both correlations, with ties", () => {
  const { targets, found, ...wanted } = made.numbers;
  expectAll(numberMetrics(targets, found), wanted, ["mse", "pearson", "spearman"]);
  expect(numberMetrics([1, 1], [1, 2]).pearson).toBeNaN();
});

test.each(["bio", "bioes"])("entities of tags, %s", (kind) => {
  const { tags, found, entities, ...wanted } = made[kind] as { tags: string[][]; found: string[][] } & Record<
    string,
    never
  >;
  for (const [i, text] of tags.entries())
    expect(entitiesOf(text).map(({ type, from, to }) => [type, from, to])).toEqual(
      (entities as unknown[][])[i],
    );
  const metrics = tagMetrics(tags.map((text, i) => ({ tags: text, found: found[i]!, loss: 1 })));
  expectAll(metrics, wanted, ["accuracy", "entityPrecision", "entityRecall", "entityF1", "macroF1"]);
});
