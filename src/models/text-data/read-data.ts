import { DataError } from "../../base/errors.ts";
import { flag, refuseOptions } from "../../base/options.ts";
import { type FilePlace, nameOfFile, openFileAt } from "../../checkpoint/places/file.ts";
import type { Transfer } from "../../checkpoint/places/place.ts";
import type { Text } from "../text/text-tokenizer.ts";
import { columnsOf } from "./columns.ts";
import { recordsOf, type TextRecord } from "./records.ts";
import { refuseSplitOptions, type SplitOptions, splitTexts } from "./split-texts.ts";
import { targetsOf } from "./targets.ts";
import { TextDataset } from "./text-dataset.ts";

/** Options of `readData`. */
export interface ReadDataOptions extends Transfer {
  /**
   * The column of texts, or those of pairs, of triplets and so on; a column of lists has words. One with a usual name
   * unless given.
   */
  readonly text?: string | readonly string[];
  /** The column of labels; null: there are none. One with a usual name unless given, or none. */
  readonly label?: string | null;
  /** The names of classes or tags in the order of their numbers, as a model has them; all that there are unless given. */
  readonly labels?: readonly string[];
  /** Whether labels are numbers, for regression; where one has a fraction, and no `labels` are given. */
  readonly regression?: boolean;
}

/**
 * Reads texts and labels of a file: an object of JSON a line, or with the name `.csv` or `.tsv` a table with a line of names.
 *
 * Takes the file (a path, a URL, `opfs:…`, or a `File` that a user has picked) and which columns have the texts and the labels; gives a `TextDataset`, or with `split` one to train on and
 * one to test with. Labels are classes, several classes where they are lists, tags where texts are lists of words, and
 * numbers where one has a fraction.
 * Throws `DataError` for what cannot be used, with the line: a column that is missing, a text that is none, a label that is
 * none of `labels`, bytes that are no text; `FileError`, and `HttpError` for an answer that is no success.
 */
export async function readData(
  file: FilePlace,
  options: ReadDataOptions & { readonly split: SplitOptions },
): Promise<{ train: TextDataset; test: TextDataset }>;
export async function readData(file: FilePlace, options?: ReadDataOptions): Promise<TextDataset>;
export async function readData(
  file: FilePlace,
  options: ReadDataOptions & { readonly split?: SplitOptions } = {},
): Promise<TextDataset | { train: TextDataset; test: TextDataset }> {
  refuseOptions("readData", options, {
    text: null,
    label: null,
    labels: null,
    regression: flag,
    split: null,
    onProgress: null,
    signal: null,
  });
  const { text, label, labels, regression, split, ...transfer } = options;
  if (split !== undefined) refuseSplitOptions(split);
  const path = nameOfFile(file);
  const records: TextRecord[] = [];
  for await (const record of recordsOf(path, await openFileAt(file, transfer))) records.push(record);
  const columns = columnsOf(path, records, text, label);
  const texts = records.map((record) => textOf(path, record, columns.text));
  const isWords = typeof texts[0] === "object" && "words" in texts[0];
  const found =
    columns.label === null
      ? { kind: "none" as const, labels: labels ?? [], targets: null }
      : targetsOf(path, records, columns.label, isWords, labels, regression);
  for (const [i, one] of texts.entries()) {
    const target = found.targets?.[i];
    if (
      typeof one === "object" &&
      "words" in one &&
      Array.isArray(target) &&
      target.length !== one.words.length
    )
      throw new DataError(
        `${path}, ${records[i]!.place}: there are ${one.words.length} words and ${target.length} labels; each word has one`,
      );
  }
  const dataset = new TextDataset({
    examples: texts.map((one, i) => ({ text: one, target: found.targets?.[i] ?? null })),
    kind: found.kind,
    labels: found.labels,
    columns,
  });
  return split === undefined ? dataset : splitTexts(dataset, split);
}

/** The text of a record. */
export function textOf(path: string, { place, values }: TextRecord, columns: readonly string[]): Text {
  const texts = columns.map((column) => {
    const value = values[column];
    const isWords = Array.isArray(value) && value.every((word) => typeof word === "string");
    if (typeof value === "string" || (isWords && columns.length === 1)) return value as string | string[];
    throw new DataError(
      `${path}, ${place}: ${column} is ${(JSON.stringify(value) ?? "not there").slice(0, 60)}; it must be a text${columns.length === 1 ? ", or a list of words" : ""}`,
    );
  });
  if (texts.length > 1) return texts as unknown as readonly [string, string, ...string[]];
  const [first] = texts;
  return typeof first === "string" ? first : { words: first! };
}
