import { ArgumentError } from "../../base/errors.ts";

/** A token that is found in texts before anything else is, as `tokenizer.json` has it. */
interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
}

/** What `tokenizer.json` and `tokenizer_config.json` say. */
export interface TokenizerFiles {
  readonly json: object;
  readonly config: object;
}

/** Files of a tokenizer with more tokens: what it knows already as an added token stays as it is. */
export function withTokens(
  { json, config }: TokenizerFiles,
  tokens: readonly string[],
  special: boolean,
): TokenizerFiles {
  if (!Array.isArray(tokens) || tokens.some((token) => typeof token !== "string" || token === ""))
    throw new ArgumentError(
      `addTokens: the tokens are ${(JSON.stringify(tokens) ?? typeof tokens).slice(0, 80)}; give a list of strings, none of them empty`,
    );
  const { added_tokens: before = [], model } = json as {
    added_tokens?: readonly AddedToken[];
    model: { vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[] };
  };
  const numbers = vocabularyOf(model.vocab);
  const added = [...before];
  for (const content of tokens) {
    if (added.some((one) => one.content === content)) continue;
    const largest = added.reduce((most, { id }) => Math.max(most, id), -1);
    // As tokenizers has it: a token of the vocabulary keeps its number, others come behind all that there are.
    const id = numbers.get(content) ?? Math.max(largest + 1, numbers.size);
    added.push({ id, content, ...traits(special) });
  }
  const sorted = added.sort((a, b) => a.id - b.id);
  return { json: { ...json, added_tokens: sorted }, config: configWith(config, sorted) };
}

/** How a token is found: exactly, or, where texts are normalized, as what it is normalized to. */
const traits = (special: boolean) => ({
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: !special,
  special,
});

function vocabularyOf(
  vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[],
): ReadonlyMap<string, number> {
  return new Map(Array.isArray(vocab) ? vocab.map(([token], i) => [token, i]) : Object.entries(vocab));
}

/** Old versions of transformers write added tokens into the config too. */
function configWith(config: object, added: readonly AddedToken[]): object {
  if (!("added_tokens_decoder" in config)) return config;
  const decoder = Object.fromEntries(added.map(({ id, ...token }) => [String(id), token]));
  return { ...config, added_tokens_decoder: decoder };
}
