import { ArgumentError } from "../../base/errors.ts";
import type { Text } from "../text/text-tokenizer.ts";

/** What is to be found for a text: the number of a class; those of several; a number; or of each word the number of its tag. */
export type Target = number | readonly number[];

/** What kind of targets texts have; "none": they are to be predicted, or compared with one another. */
export type TargetKind = "class" | "classes" | "number" | "tags" | "none";

/** A text with its target; null where there is none. */
export interface TextExample {
  readonly text: Text;
  readonly target: Target | null;
}

/** Texts with their targets, by number. */
export class TextDataset {
  readonly examples: readonly TextExample[];
  readonly kind: TargetKind;
  /** The names of classes or tags, in the order of their numbers. */
  readonly labels: readonly string[];
  /** Which columns texts and targets are from. */
  readonly columns: { readonly text: readonly string[]; readonly label: string | null };

  constructor({ examples, kind, labels, columns }: Omit<TextDataset, "length" | "at" | "some" | "counts">) {
    this.examples = examples;
    this.kind = kind;
    this.labels = labels;
    this.columns = columns;
  }

  get length(): number {
    return this.examples.length;
  }

  /** An example by its number. */
  at(index: number): TextExample | undefined {
    return this.examples.at(index);
  }

  /** The examples of some numbers, as a dataset with the same labels. */
  some(indices: Iterable<number>): TextDataset {
    const examples = Array.from(indices, (i) => {
      const example = this.examples[i];
      if (example === undefined)
        throw new ArgumentError(`some: there is no example ${i}; there are ${this.length}`);
      return example;
    });
    return new TextDataset({ ...this, examples });
  }

  /** How many examples each label has, in the order of the labels. */
  counts(): number[] {
    const counts = this.labels.map(() => 0);
    if (this.kind === "number" || this.kind === "none") return counts;
    for (const { target } of this.examples)
      for (const label of typeof target === "number" ? [target] : (target ?? [])) counts[label]!++;
    return counts;
  }
}
