import { ArgumentError } from "../../base/errors.ts";
import {
  type Encoded,
  paddedLength,
  type Text,
  type TextTokenizer,
  type TokenBatch,
} from "../text/text-tokenizer.ts";
import type { TextModel } from "../text-model.ts";

/** Makes what a model takes of texts: the tokens of each, and batches of such rows. */
export interface TextBatches {
  readonly tokenizer: TextTokenizer;
  /** The most tokens of a row. */
  readonly maxLength: number;
  row(text: Text): Encoded;
  batch(rows: readonly Encoded[]): TokenBatch;
  /** To how many tokens such rows are padded. */
  lengthOf(rows: readonly Encoded[]): number;
}

/** Rows are padded to a multiple of so many tokens, so that few lengths need a plan of their own. */
const multiple = 8;

/** What makes batches for a model. Throws `ArgumentError` where tokenizer, length and model do not go together. */
export function textBatches(op: string, model: TextModel, givenLength?: number): TextBatches {
  const { tokenizer } = model;
  if (tokenizer === null)
    throw new ArgumentError(
      `${op}: the model has no tokenizer, as its folder has no tokenizer.json; set model.tokenizer = await readTokenizer(folder), of a folder that has one`,
    );
  const maxLength = givenLength ?? Math.min(tokenizer.settings.maxLength, model.maxLength);
  if (!Number.isInteger(maxLength) || maxLength < 1 || maxLength > model.maxLength)
    throw new ArgumentError(
      `${op}: maxLength is ${maxLength}; it must be a whole number up to ${model.maxLength}, the positions that the model has`,
    );
  const { vocab_size: rows } = model.config;
  if (typeof rows === "number" && tokenizer.vocabularySize > rows)
    throw new ArgumentError(
      `${op}: the tokenizer ${tokenizer.settings.name} has ${tokenizer.vocabularySize} tokens, and the model's table ${rows} rows; take the tokenizer of the model's own folder, or, where it is right and has more tokens, model.resizeTokenEmbeddings(${tokenizer.vocabularySize})`,
    );
  // Where padding to a multiple would go beyond the last position, rows are padded to the longest one.
  const padToMultiple = Math.ceil(maxLength / multiple) * multiple <= model.maxLength ? multiple : 1;
  return {
    tokenizer,
    maxLength,
    row: (text) => tokenizer.encodeOne(text, { maxLength }),
    batch: (rows) => tokenizer.batchOf(rows, { padToMultiple }),
    lengthOf: (rows) => paddedLength(rows, padToMultiple),
  };
}
