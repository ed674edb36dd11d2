import { DataError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import type { TextRecord } from "./records.ts";

/** Names that columns of texts and of labels often have, in the order they are looked for. */
const usual = {
  texts: [
    ["anchor", "positive", "negative"],
    ["anchor", "positive"],
    ["query", "answer"],
    ["question", "answer"],
    ["sentence1", "sentence2"],
    ["premise", "hypothesis"],
    ["question", "sentence"],
    ["tokens"],
    ["words"],
    ["text"],
    ["sentence"],
    ["content"],
    ["body"],
    ["description"],
  ],
  labels: ["label", "labels", "ner_tags", "tags", "class", "category", "section", "target", "score"],
};

/** The columns of texts and of labels: those that are named, or those that have usual names. */
export interface Columns {
  readonly text: readonly string[];
  readonly label: string | null;
}

/** Finds the columns of records; throws `DataError` that lists what there is. */
export function columnsOf(
  path: string,
  records: readonly TextRecord[],
  text: string | readonly string[] | undefined,
  label: string | null | undefined,
): Columns {
  // Not every record has every column.
  const known = new Set<string>();
  for (const { values } of records) for (const name of Object.keys(values)) known.add(name);
  const there = [...known];
  const list = there.map((name) => printable(name)).join(", ");
  const needed = (names: readonly string[]): readonly string[] => {
    const missing = names.find((name) => !known.has(name));
    if (missing !== undefined)
      throw new DataError(`${path} has no column ${JSON.stringify(missing)}; it has ${list}`);
    return names;
  };
  const found = usual.texts.find((names) => names.every((name) => known.has(name)));
  const texts = text === undefined ? found : typeof text === "string" ? [text] : text;
  if (texts === undefined)
    throw new DataError(`${path}: which column has the texts? It has ${list}; say text: "…"`);
  if (texts.length < 1) throw new DataError("text: no columns are named; give one or more");
  const labels =
    label === undefined ? usual.labels.find((name) => known.has(name) && !texts.includes(name)) : label;
  return { text: needed(texts), label: labels == null ? null : needed([labels])[0]! };
}
