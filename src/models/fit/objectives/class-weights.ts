import { ArgumentError, DataError } from "../../../base/errors.ts";

/** How much a label counts: all alike; the less the more texts have it; or as given, in the order of the labels. */
export type ClassWeights = "balanced" | readonly number[];

/**
 * The weights of labels, of the numbers of those that there are; null where all count alike. Balanced ones are, as
 * scikit-learn's, how many there are over those with the label times the number of labels.
 */
export function classWeightsOf(
  given: ClassWeights | undefined,
  targets: readonly number[],
  labels: readonly string[],
): readonly number[] | null {
  if (given === undefined) return null;
  if (given !== "balanced") {
    const isRight = Array.isArray(given) && given.length === labels.length;
    if (!isRight || !given.every((weight) => weight > 0 && Number.isFinite(weight)))
      throw new ArgumentError(
        `fit: classWeights is ${JSON.stringify(given)}; it must be "balanced", or a number above 0 for each of ${labels.length} labels`,
      );
    return given;
  }
  const counts = labels.map(() => 0);
  for (const target of targets) counts[target]!++;
  const missing = counts.indexOf(0);
  if (missing >= 0)
    throw new DataError(
      `fit: no text of train has the label ${JSON.stringify(labels[missing])}, so "balanced" has no weight for it; give classWeights as numbers, or texts with that label`,
    );
  return counts.map((count) => targets.length / (count * labels.length));
}
