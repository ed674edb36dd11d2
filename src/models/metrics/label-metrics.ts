/** How well one class is found. */
export interface LabelMetrics {
  readonly label: string;
  /** What part of what was given this label has it; 0 where nothing was. */
  readonly precision: number;
  /** What part of what has this label was given it; 0 where nothing has. */
  readonly recall: number;
  /** The harmonic mean of both; 0 where both are. */
  readonly f1: number;
  /** How many texts, or entities, have the label. */
  readonly support: number;
}

/** How often something was found that is there, was found, and is there. */
export interface Counts {
  readonly right: number;
  readonly given: number;
  readonly support: number;
}

/** What the counts of a label mean. Source: `precision_recall_fscore_support` of scikit-learn, with `zero_division=0`. */
export const labelMetrics = (label: string, { right, given, support }: Counts): LabelMetrics => ({
  label,
  precision: given === 0 ? 0 : right / given,
  recall: support === 0 ? 0 : right / support,
  f1: support + given === 0 ? 0 : (2 * right) / (support + given),
  support,
});

/** The counts of all labels together. */
export function totalOf(counts: readonly Counts[]): Counts {
  let [right, given, support] = [0, 0, 0];
  for (const one of counts) {
    right += one.right;
    given += one.given;
    support += one.support;
  }
  return { right, given, support };
}

/** A mean; of nothing 0. */
export const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
