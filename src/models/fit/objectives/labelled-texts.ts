import { ArgumentError, DataError } from "../../../base/errors.ts";
import type { Text } from "../../text/text-tokenizer.ts";
import type { Target, TargetKind, TextDataset } from "../../text-data/text-dataset.ts";

/** Texts, and what each has for a target, as a model counts labels. */
export interface LabelledTexts<T> {
  readonly texts: readonly Text[];
  readonly targets: readonly T[];
}

const meant: Readonly<Record<TargetKind, string>> = {
  class: "one label a text",
  classes: "a list of labels a text",
  number: "a number a text: readData with regression: true reads whole numbers so",
  tags: "a list of words a text, with a label for each",
  none: "no labels",
};

/** The texts of a dataset, which must be of a kind, with what each has for a target. */
export function labelledTexts<T>(
  name: string,
  dataset: TextDataset,
  kind: TargetKind,
  targetOf: (target: Target, text: number) => T,
): LabelledTexts<T> {
  if (dataset.kind !== kind)
    throw new ArgumentError(
      `fit: ${name} is of kind ${JSON.stringify(dataset.kind)}, and the model takes ${JSON.stringify(kind)}, ${meant[kind]}; name the column of such labels in readData, or make the model for another task`,
    );
  const { examples } = dataset;
  requireTexts(name, examples);
  return {
    texts: examples.map(({ text }) => text),
    targets: examples.map(({ target }, i) => targetOf(target!, i)),
  };
}

/** As `labelledTexts`, of datasets whose targets are lists of labels. */
export function labelLists(
  name: string,
  dataset: TextDataset,
  kind: TargetKind,
  labels: readonly string[],
): LabelledTexts<readonly number[]> {
  const numberOf = numbersFor(name, dataset, labels);
  return labelledTexts(name, dataset, kind, (target, i) =>
    (target as readonly number[]).map((label) => numberOf(label, i)),
  );
}

/** Throws `DataError` where there are no texts. */
export function requireTexts(name: string, examples: readonly unknown[]): void {
  if (examples.length === 0) throw new DataError(`fit: ${name} has no texts; give at least one`);
}

/** Gives the number that a model has for a label of a dataset: labels are the same where names are. */
export function numbersFor(
  name: string,
  dataset: TextDataset,
  labels: readonly string[],
): (target: number, text: number) => number {
  const numbers = new Map(labels.map((label, i) => [label, i]));
  return (target, text) => {
    const label = dataset.labels[target];
    const number = label === undefined ? undefined : numbers.get(label);
    if (number === undefined)
      throw new DataError(
        `fit: text ${text} of ${name} has the label ${JSON.stringify(label ?? target)}, which the model does not; it has ${labels.map((l) => JSON.stringify(l)).join(", ")}. Make the model with autoModel(folder, { task, labels }) of all labels, or leave such texts out`,
      );
    return number;
  };
}
