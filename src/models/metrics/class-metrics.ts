/** How well one class is found. */
export interface LabelMetrics {
  readonly label: string;
  /** What part of the texts that were given this label have it; 0 where none was. */
  readonly precision: number;
  /** What part of the texts that have this label were given it; 0 where none has. */
  readonly recall: number;
  /** The harmonic mean of both; 0 where both are. */
  readonly f1: number;
  /** How many texts have the label. */
  readonly support: number;
}

/** How well classes of texts are found. */
export interface ClassMetrics {
  /** The mean cross entropy, without weights of classes or smoothing. */
  readonly loss: number;
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
  const perLabel = labels.map((label, k) => labelMetrics(label, k, confusion));
  const present = perLabel.filter(({ support }, k) => support > 0 || confusion.some((row) => row[k]! > 0));
  const right = confusion.reduce((sum, row, k) => sum + row[k]!, 0);
  return {
    loss: loss / targets.length,
    accuracy: right / targets.length,
    macroF1: present.reduce((sum, { f1 }) => sum + f1, 0) / present.length,
    labels: perLabel,
    confusion,
  };
}

function labelMetrics(label: string, k: number, confusion: readonly (readonly number[])[]): LabelMetrics {
  const right = confusion[k]![k]!;
  const support = confusion[k]!.reduce((sum, n) => sum + n, 0);
  const given = confusion.reduce((sum, row) => sum + row[k]!, 0);
  return {
    label,
    precision: given === 0 ? 0 : right / given,
    recall: support === 0 ? 0 : right / support,
    f1: support + given === 0 ? 0 : (2 * right) / (support + given),
    support,
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
