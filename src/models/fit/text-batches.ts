import { ArgumentError } from "../../base/errors.ts";
import type { PretrainedModel } from "../pretrained-model.ts";
import type { Text, TextTokenizer, TokenBatch } from "../text/text-tokenizer.ts";

/** Makes what a model takes of some texts. */
export type Batcher = (texts: readonly Text[]) => TokenBatch;

/** Rows are padded to a multiple of so many tokens, so that few lengths need a plan of their own. */
const multiple = 8;

/** What makes batches for a model. Throws `ArgumentError` where tokenizer, length and model do not go together. */
export function textBatches(
  op: string,
  model: PretrainedModel,
  tokenizer: TextTokenizer,
  maxLength = Math.min(tokenizer.settings.maxLength, model.maxLength),
): Batcher {
  if (!Number.isInteger(maxLength) || maxLength < 1 || maxLength > model.maxLength)
    throw new ArgumentError(
      `${op}: maxLength is ${maxLength}; it must be a whole number up to ${model.maxLength}, the positions that the model has`,
    );
  const { vocab_size: rows } = model.config;
  if (typeof rows === "number" && tokenizer.vocabularySize > rows)
    throw new ArgumentError(
      `${op}: the tokenizer ${tokenizer.settings.name} has ${tokenizer.vocabularySize} tokens, and the model's table ${rows} rows; take the tokenizer of the model's own folder`,
    );
  // Where padding to a multiple would go beyond the last position, rows are padded to the longest one.
  const padToMultiple = Math.ceil(maxLength / multiple) * multiple <= model.maxLength ? multiple : 1;
  return (texts) => tokenizer.encode(texts, { maxLength, padToMultiple });
}
