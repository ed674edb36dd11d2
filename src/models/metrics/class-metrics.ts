import { type LabelMetrics, labelMetrics, meanOf } from "./label-metrics.ts";
import type { Metrics } from "./metrics.ts";

/** How well classes of texts are found. */
export interface ClassMetrics extends Metrics {
  /** What part of the texts was given the right label. */
  readonly accuracy: number;
  /** The mean F1 of the labels that some text has or was given. */
  readonly macroF1: number;
  /** Each label by itself, in the order of their numbers. */
  readonly labels: readonly LabelMetrics[];
  /** How many texts that have the label of a row were given that of a column. */
  readonly confusion: readonly (readonly number[])[];
}

/**
 * Compares the logits of texts, a row each, with the numbers of the labels that they have.
 *
 * Takes the names of all labels, at least one text's target, and as many rows; of equal logits the first is what was given.
 * Source: `accuracy_score`, `f1_score` and `confusion_matrix` of scikit-learn, with `zero_division=0`.
 */
export function classMetrics(
  labels: readonly string[],
  targets: readonly number[],
  logits: readonly ArrayLike<number>[],
): ClassMetrics {
  const confusion = labels.map(() => labels.map(() => 0));
  let loss = 0;
  for (const [i, target] of targets.entries()) {
    const row = logits[i]!;
    confusion[target]![largest(row)]!++;
    loss += logSumExp(row) - row[target]!;
  }
  const counts = labels.map((_, k) => ({
    right: confusion[k]![k]!,
    given: confusion.reduce((sum, row) => sum + row[k]!, 0),
    support: confusion[k]!.reduce((sum, n) => sum + n, 0),
  }));
  const perLabel = labels.map((label, k) => labelMetrics(label, counts[k]!));
  const present = perLabel.filter((_, k) => counts[k]!.support + counts[k]!.given > 0);
  return {
    loss: loss / targets.length,
    accuracy: counts.reduce((sum, { right }) => sum + right, 0) / targets.length,
    macroF1: meanOf(present.map(({ f1 }) => f1)),
    labels: perLabel,
    confusion,
  };
}

/** The number of the largest value; of equal ones the first. */
export function largest(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

/** The logarithm of the sum of exponentials, which overflows nowhere. */
export function logSumExp(row: ArrayLike<number>): number {
  const most = row[largest(row)]!;
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - most);
  return most + Math.log(sum);
}
