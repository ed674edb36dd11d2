import { threefry2x32 } from "../../../base/threefry.ts";
import type { Encoded, TextTokenizer } from "../../text/text-tokenizer.ts";

/** The label of a token that is not to be guessed. */
export const ignored = -100;

/** A row of which some tokens are to be guessed; `labels` has those, and `ignored` for all others. */
export interface MaskedRow extends Encoded {
  readonly labels: readonly number[];
}

/** What part of the tokens is to be guessed; of these, what part is masked, and up to where another token stands there. */
const [chosen, masked, replaced] = [0.15, 0.8, 0.9];

/** Sets these random numbers apart from those of the same seed that order texts. */
const purpose = 0x6d61736b;

/**
 * Chooses 15 % of the tokens of a row to be guessed: 80 % of these become the mask, 10 % any token, and 10 % stay. What
 * is put around texts is not chosen. The choice is of the seed, the stream and the example's number alone.
 * Source: `DataCollatorForLanguageModeling` of transformers; BERT (Devlin et al., 2019).
 */
export function maskedRow(
  row: Encoded,
  {
    tokenizer,
    mask,
    seed,
    stream,
    example,
  }: { tokenizer: TextTokenizer; mask: number; seed: number; stream: number; example: number },
): MaskedRow {
  const labels = row.ids.map(() => ignored);
  const size = tokenizer.vocabularySize;
  const ids = row.ids.map((id, at) => {
    if (tokenizer.specialIds.has(id)) return id;
    const [first, second] = threefry2x32(seed ^ purpose, stream, example, at);
    const share = (first >>> 0) / 2 ** 32 / chosen;
    if (share >= 1) return id;
    labels[at] = id;
    if (share < masked) return mask;
    return share < replaced ? Math.floor(((second >>> 0) / 2 ** 32) * size) : id;
  });
  return { ...row, ids, labels };
}
