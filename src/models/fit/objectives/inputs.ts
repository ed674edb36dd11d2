import type { Tensor } from "../../../tensor/tensor.ts";
import type { Encoded, Text } from "../../text/text-tokenizer.ts";
import type { Rows } from "../rows.ts";
import type { TextBatches } from "../text-batches.ts";

/** What a model takes, as arguments of a step: tokens, which of them there are, and of which of two texts each is. */
export function inputsOf(batches: TextBatches, rows: readonly Encoded[]): [Tensor, Tensor, Tensor] {
  const { inputIds, attentionMask, tokenTypeIds } = batches.batch(rows);
  return [inputIds, attentionMask, tokenTypeIds];
}

/** The rows of some texts, each made when it is asked for. */
export const textRows = (texts: readonly Text[], { row }: TextBatches): Rows<Encoded> => ({
  length: texts.length,
  row: (i) => row(texts[i]!),
});
