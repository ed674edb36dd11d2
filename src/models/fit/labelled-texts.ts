import { ArgumentError, DataError } from "../../base/errors.ts";
import { tensor } from "../../tensor/create.ts";
import type { Text } from "../text/text-tokenizer.ts";
import type { TextDataset } from "../text-data/text-dataset.ts";

/** Texts, and for each the number that a model has for its label. */
export interface LabelledTexts {
  readonly texts: readonly Text[];
  readonly targets: readonly number[];
}

/** The texts of a dataset with the numbers that a model has for their labels: labels are the same where names are. */
export function labelledTexts(name: string, dataset: TextDataset, labels: readonly string[]): LabelledTexts {
  const { kind, examples } = dataset;
  if (kind !== "class")
    throw new ArgumentError(
      `fit: ${name} is of kind ${JSON.stringify(kind)}, and the model takes "class", one label a text; name the column of labels in readData`,
    );
  if (examples.length === 0) throw new DataError(`fit: ${name} has no texts; give at least one`);
  const numbers = new Map(labels.map((label, i) => [label, i]));
  const targets = examples.map(({ target }, i) => {
    const label = dataset.labels[target as number];
    const number = label === undefined ? undefined : numbers.get(label);
    if (number === undefined)
      throw new DataError(
        `fit: text ${i} of ${name} has the label ${JSON.stringify(label ?? target)}, which the model does not; it has ${labels.map((l) => JSON.stringify(l)).join(", ")}. Make the model with autoModel(folder, { task: "classify", labels }) of all labels, or leave such texts out`,
      );
    return number;
  });
  return { texts: examples.map(({ text }) => text), targets };
}

/** Throws `DataError` for texts that have all the same label, of which nothing can be learned. */
export function requireTwoLabels({ targets }: LabelledTexts, labels: readonly string[]): void {
  if (targets.every((target) => target === targets[0]))
    throw new DataError(
      `fit: all ${targets.length} texts of train have the label ${JSON.stringify(labels[targets[0]!])}; give texts of at least two`,
    );
}

/** How much a label counts: all alike; the less the more texts have it; or as given, in the order of the labels. */
export type ClassWeights = "balanced" | readonly number[];

/**
 * The weights of labels, as a tensor; null where all count alike. Balanced ones are, as scikit-learn's, the number of texts
 * over those with the label times the number of labels.
 */
export function classWeightTensor(
  given: ClassWeights | undefined,
  { targets }: LabelledTexts,
  labels: readonly string[],
) {
  if (given === undefined) return null;
  if (given !== "balanced") {
    const isRight = Array.isArray(given) && given.length === labels.length;
    if (!isRight || !given.every((weight) => weight > 0 && Number.isFinite(weight)))
      throw new ArgumentError(
        `fit: classWeights is ${JSON.stringify(given)}; it must be "balanced", or a number above 0 for each of ${labels.length} labels`,
      );
    return tensor([...given]);
  }
  const counts = labels.map(() => 0);
  for (const target of targets) counts[target]!++;
  const missing = counts.indexOf(0);
  if (missing >= 0)
    throw new DataError(
      `fit: no text of train has the label ${JSON.stringify(labels[missing])}, so "balanced" has no weight for it; give classWeights as numbers, or texts with that label`,
    );
  return tensor(counts.map((count) => targets.length / (count * labels.length)));
}
