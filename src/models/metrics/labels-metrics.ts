import { type LabelMetrics, labelMetrics, meanOf, totalOf } from "./label-metrics.ts";
import type { Metrics } from "./metrics.ts";

/** How well the labels of texts are found that may have several, or none. */
export interface LabelsMetrics extends Metrics {
  /** What part of the texts was given all of its labels and no other. */
  readonly accuracy: number;
  /** The F1 of all labels of all texts together. */
  readonly microF1: number;
  /** The mean F1 of all labels; that of one which no text has or was given is 0. */
  readonly macroF1: number;
  /** Each label by itself, in the order of their numbers. */
  readonly labels: readonly LabelMetrics[];
}

/**
 * Compares the logits of texts, a row each, with the numbers of the labels that each of them has.
 *
 * Takes the names of all labels, the targets, as many rows, and from which probability on a label holds; 0.5 unless given.
 * The loss is the mean binary cross entropy over texts and labels.
 * Source: `f1_score` and `accuracy_score` of scikit-learn for rows of zeros and ones, with `zero_division=0`.
 */
export function labelsMetrics(
  labels: readonly string[],
  targets: readonly (readonly number[])[],
  logits: readonly ArrayLike<number>[],
  threshold = 0.5,
): LabelsMetrics {
  const counts = labels.map(() => ({ right: 0, given: 0, support: 0 }));
  let [loss, whole] = [0, 0];
  for (const [i, target] of targets.entries()) {
    const has = new Set(target);
    let same = true;
    for (const [k, count] of counts.entries()) {
      const logit = logits[i]![k]!;
      const holds = sigmoid(logit) >= threshold;
      if (holds) count.given++;
      if (has.has(k)) count.support++;
      if (holds && has.has(k)) count.right++;
      same &&= holds === has.has(k);
      loss += softplus(has.has(k) ? -logit : logit);
    }
    if (same) whole++;
  }
  const perLabel = labels.map((label, k) => labelMetrics(label, counts[k]!));
  return {
    loss: loss / (targets.length * labels.length),
    accuracy: whole / targets.length,
    microF1: labelMetrics("", totalOf(counts)).f1,
    macroF1: meanOf(perLabel.map(({ f1 }) => f1)),
    labels: perLabel,
  };
}

/** 1 / (1 + exp −x). */
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** log(1 + exp x), which overflows nowhere. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
