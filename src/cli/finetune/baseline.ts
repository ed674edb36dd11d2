import type { FitResult } from "../../models/fit/fit-result.ts";
import { classMetrics } from "../../models/metrics/class-metrics.ts";
import { meanOf } from "../../models/metrics/label-metrics.ts";
import { labelsMetrics } from "../../models/metrics/labels-metrics.ts";
import { numbersIn } from "../../models/metrics/metrics.ts";
import { numberMetrics } from "../../models/metrics/number-metrics.ts";
import { tagMetrics } from "../../models/metrics/tag-metrics.ts";
import type { TextDataset } from "../../models/text-data/text-dataset.ts";

/** What one would reach who knew how often there is what, and read no text. */
export interface Baseline {
  /** What is always said: "always games". */
  readonly name: string;
  /** Metrics of that, under the names that those of a model have; a loss is not among them. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** The baseline of texts: always the label that most of `train` have, or the mean of its numbers. Null where there is none. */
export function baselineOf(train: TextDataset, measured: TextDataset): Baseline | null {
  const { kind, labels } = train;
  const targets = measured.examples.map(({ target }) => target);
  const counts = train.counts();
  const most = counts.indexOf(Math.max(...counts));
  const hot = labels.map((_, k) => (k === most ? 1 : 0));
  if (kind === "class") {
    const { accuracy, macroF1 } = classMetrics(
      labels,
      targets as number[],
      targets.map(() => hot),
    );
    return { name: `always ${labels[most]}`, metrics: { accuracy, macroF1 } };
  }
  if (kind === "classes") {
    // Those labels that more than half of the texts have.
    const row = counts.map((count) => (2 * count > train.length ? 1 : -1));
    const lists = targets as number[][];
    const { accuracy, microF1, macroF1 } = labelsMetrics(
      labels,
      lists,
      lists.map(() => row),
    );
    const always = labels.filter((_, k) => row[k] === 1);
    return { name: `always ${always.join(" and ") || "no label"}`, metrics: { accuracy, microF1, macroF1 } };
  }
  if (kind === "number" && train.columns.text.length > 0) {
    const mean = meanOf(train.examples.map(({ target }) => target as number));
    const { mse } = numberMetrics(
      targets as number[],
      targets.map(() => mean),
    );
    return { name: `always ${Number(mean.toPrecision(4))}`, metrics: { mse } };
  }
  if (kind === "tags") {
    const texts = (targets as number[][]).map((tags) => ({
      tags: tags.map((tag) => labels[tag]!),
      found: tags.map(() => labels[most]!),
      loss: 0,
    }));
    const { accuracy, entityF1, macroF1 } = tagMetrics(texts);
    return { name: `always ${labels[most]}`, metrics: { accuracy, entityF1, macroF1 } };
  }
  return null;
}

/**
 * The metrics of a run, each with what it was before the first update and what the baseline has, as far as there are
 * such; `names` are what those are called.
 */
export function besideOthers(
  { metrics, before }: FitResult,
  baseline: Baseline | null,
): {
  readonly names: readonly string[];
  readonly rows: readonly (readonly [name: string, ...values: unknown[]])[];
} {
  const others: { readonly name: string; readonly metrics: object }[] = [
    ...(before === null ? [] : [{ name: "before", metrics: before }]),
    ...(baseline === null ? [] : [baseline]),
  ];
  return {
    names: others.map(({ name }) => name),
    rows: numbersIn(metrics).map(([name, value]) => [
      name,
      value,
      ...others.map((other) => (other.metrics as Record<string, unknown>)[name]),
    ]),
  };
}
