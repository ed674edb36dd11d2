import { Tokenizer } from "@huggingface/tokenizers";
import { ArgumentError, ConfigError } from "../../base/errors.ts";
import { tensor } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { EncoderInputs } from "../encoder-inputs.ts";
import { addedBy, type Piece, type Templates, templatesOf } from "./template.ts";
import { keptLengths, type Side, truncated } from "./truncate.ts";

/**
 * A text; two, for a model of pairs, of which an empty second one counts as none; or words, for a model of tokens. More than
 * two are compared with one another, as embeddings: they are no row of tokens.
 */
export type Text = string | readonly [string, string, ...string[]] | { readonly words: readonly string[] };

/** Options of `TextTokenizer.encode`. */
export interface EncodeOptions {
  /** The most tokens of a row, those that are always there included; the tokenizer's `maxLength` unless given. */
  readonly maxLength?: number;
  /** Rows are padded to the longest one, or, with this, to a multiple of so many tokens. */
  readonly padToMultiple?: number;
  /** Whether tokens are put around texts, as `[CLS]`; true. */
  readonly specialTokens?: boolean;
}

/** Tokens of one row, without padding. */
export interface Encoded {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** For each token, which word it is of; null for tokens that are put around. Only where words were given. */
  readonly wordIds: readonly (number | null)[] | null;
  /** Whether something was cut off. */
  readonly isTruncated: boolean;
}

/** What an encoder takes, of a batch of texts. */
export interface TokenBatch extends EncoderInputs {
  readonly attentionMask: Tensor;
  readonly tokenTypeIds: Tensor;
  /** For each row, as `Encoded` has it, with null for padding too. Only where words were given. */
  readonly wordIds: readonly (readonly (number | null)[])[] | null;
}

/** What is known of a tokenizer beside its tokens. */
export interface TokenizerSettings {
  /** What it is called in errors. */
  readonly name: string;
  /** The most tokens of a row. */
  readonly maxLength: number;
  readonly truncationSide: Side;
  readonly paddingSide: Side;
}

/** What `@huggingface/tokenizers` has of a pair of a token and the word it is of. */
interface Token {
  readonly id: number;
  readonly word: number | null;
}

/**
 * Makes numbers of texts, as a `tokenizer.json` says: `@huggingface/tokenizers` finds the tokens, and what stands around
 * them, truncation (of two texts the longer one first; what stands around is kept) and padding are done here.
 *
 * Takes the contents of `tokenizer.json` and `tokenizer_config.json`, and settings; `readTokenizer` makes one of a folder.
 * `encode` takes texts, pairs or lists of words, and gives int tensors of [batch, length], which a model's `forward` takes.
 * Throws `ConfigError` for a tokenizer that is broken or of a kind that is not there, `ArgumentError` for what is no text
 * and for a length that has no room for one.
 * Source: `PreTrainedTokenizerFast` of transformers.
 */
export class TextTokenizer {
  readonly settings: TokenizerSettings;
  /** What `tokenizer.json` and `tokenizer_config.json` say. */
  readonly files: { readonly json: object; readonly config: object };
  /** The number of the token that pads rows. */
  readonly padding: number;
  /** The number of the token that stands for one that is to be guessed; null where there is none. */
  readonly mask: number | null;
  /** Numbers of tokens that no text has, as those that are put around. */
  readonly specialIds: ReadonlySet<number>;
  readonly #tokenizer: Tokenizer;
  readonly #templates: Templates;
  /** Whether each ideograph is a word. */
  readonly #ideographsApart: boolean;
  /** Whether words need a space before them to be the tokens that they are in the midst of a text. */
  readonly #spaceBefore: boolean;

  constructor(json: object, config: object, settings: TokenizerSettings) {
    const { name } = settings;
    this.settings = settings;
    this.files = { json, config };
    const { post_processor: processor, pre_tokenizer: pre, normalizer } = json as Record<string, unknown>;
    this.#templates = templatesOf(processor, name);
    this.#spaceBefore = isByteLevelWithoutSpace(pre);
    this.#ideographsApart = setsIdeographsApart(normalizer);
    try {
      this.#tokenizer = new Tokenizer(json, config);
    } catch (cause) {
      throw new ConfigError(`${name} cannot be used: ${(cause as Error).message}`, { cause });
    }
    this.padding = this.#named(config, "pad_token") ?? 0;
    this.mask = this.#named(config, "mask_token");
    const { added_tokens: added = [] } = json as { added_tokens?: { id: number; special?: boolean }[] };
    this.specialIds = new Set(added.filter(({ special }) => special).map(({ id }) => id));
  }

  /** The number of a token that the config names; null where it names none. */
  #named(config: object, key: string): number | null {
    const given = (config as Record<string, string | { content?: string } | null | undefined>)[key];
    const token = typeof given === "string" ? given : given?.content;
    return (token === undefined ? undefined : this.#tokenizer.token_to_id(token)) ?? null;
  }

  /** How many tokens there are numbers of. */
  get vocabularySize(): number {
    return this.#tokenizer.get_vocab(true).size;
  }

  /** The number of a token; undefined where it is none. */
  idOf(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token);
  }

  /** The text of some tokens, without those that are put around texts unless asked for. */
  decode(ids: readonly number[], { skipSpecialTokens = true } = {}): string {
    return this.#tokenizer.decode([...ids], { skip_special_tokens: skipSpecialTokens });
  }

  #tokensOf(text: string, word: number | null): Token[] {
    const apart = this.#ideographsApart ? text.replace(farIdeographs, " $& ") : text;
    const { ids } = this.#tokenizer.encode(apart, { add_special_tokens: false });
    return ids.map((id: number) => ({ id, word }));
  }

  /** The tokens of each of the texts that a row is made of. */
  #parts(text: Text): Token[][] {
    if (typeof text === "string") return [this.#tokensOf(text, null)];
    if (Array.isArray(text) && text.length === 2 && text.every((part) => typeof part === "string"))
      // As transformers has it.
      return text.slice(0, text[1] === "" ? 1 : 2).map((part) => this.#tokensOf(part as string, null));
    const { words } = (text ?? {}) as { words?: readonly string[] };
    if (!Array.isArray(words) || words.some((word) => typeof word !== "string"))
      throw new ArgumentError(
        `encode: ${JSON.stringify(text)?.slice(0, 60) ?? String(text)} is no text; give a string, a pair of strings, or { words: [...] }`,
      );
    return [
      words.flatMap((word, i) =>
        this.#tokensOf(this.#spaceBefore && /^\S/.test(word) ? ` ${word}` : word, i),
      ),
    ];
  }

  /** The tokens of a row, without padding. Options and errors are those of `encode`. */
  encodeOne(
    text: Text,
    { maxLength = this.settings.maxLength, specialTokens = true }: EncodeOptions = {},
  ): Encoded {
    const parts = this.#parts(text);
    const around = this.#templates[parts.length === 2 ? "pair" : "single"];
    const template = specialTokens ? around : around.filter((piece) => "text" in piece);
    const room = maxLength - addedBy(template);
    if (!Number.isInteger(maxLength) || room < 1)
      throw new ArgumentError(
        `encode: maxLength is ${maxLength}; a row has ${addedBy(template)} tokens beside those of a text`,
      );
    const lengths = keptLengths(
      parts.map((part) => part.length),
      room,
    );
    const { truncationSide } = this.settings;
    const kept = parts.map((part, i) => truncated(part, lengths[i]!, truncationSide));
    const row = template.flatMap((piece) => placed(piece, kept));
    return {
      ids: row.map(({ id }) => id),
      typeIds: row.map(({ type }) => type),
      wordIds: typeof text === "object" && "words" in text ? row.map(({ word }) => word) : null,
      isTruncated: parts.some((part, i) => part.length > lengths[i]!),
    };
  }

  /** Rows of texts, padded to the same length. */
  encode(texts: readonly Text[], options: EncodeOptions = {}): TokenBatch {
    if (!Array.isArray(texts) || texts.length === 0)
      throw new ArgumentError("encode: there are no texts; give a list of one or more");
    return this.batchOf(
      texts.map((text) => this.encodeOne(text, options)),
      options,
    );
  }

  /** What an encoder takes, of rows that `encodeOne` gave. */
  batchOf(
    rows: readonly Encoded[],
    { padToMultiple = 1 }: Pick<EncodeOptions, "padToMultiple"> = {},
  ): TokenBatch {
    if (!Number.isInteger(padToMultiple) || padToMultiple < 1)
      throw new ArgumentError(`encode: padToMultiple is ${padToMultiple}; it is a whole number from 1 on`);
    const length = paddedLength(rows, padToMultiple);
    const padded = <T>(of: (row: Encoded) => readonly T[], value: T): T[][] =>
      rows.map((row) => this.padded(of(row), value, length));
    const whole = (list: number[][]): Tensor => tensor(list, { dtype: "i32" });
    return {
      inputIds: whole(padded(({ ids }) => ids, this.padding)),
      attentionMask: whole(padded(({ ids }) => ids.map(() => 1), 0)),
      tokenTypeIds: whole(padded(({ typeIds }) => typeIds, 0)),
      wordIds: rows.every(({ wordIds }) => wordIds !== null)
        ? padded<number | null>(({ wordIds }) => wordIds!, null)
        : null,
    };
  }

  /** What there is of each token of a row, with a value for padding, on the side where rows are padded. */
  padded<T>(row: readonly T[], value: T, length: number): T[] {
    const fill = Array<T>(length - row.length).fill(value);
    return this.settings.paddingSide === "right" ? [...row, ...fill] : [...fill, ...row];
  }
}

/** The length of the longest row, or the next multiple. */
export function paddedLength(rows: readonly Encoded[], padToMultiple: number): number {
  const longest = rows.reduce((most, { ids }) => Math.max(most, ids.length), 1);
  return Math.ceil(longest / padToMultiple) * padToMultiple;
}

/** Ideographs of more than 16 bits, which `@huggingface/tokenizers` does not set apart as those of 16. */
const farIdeographs =
  /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/** Whether a normalizer is BERT's, or has it, and puts spaces around ideographs. */
function setsIdeographsApart(normalizer: unknown): boolean {
  const { type, handle_chinese_chars: apart, normalizers } = (normalizer ?? {}) as Record<string, unknown>;
  if (type === "Sequence") return ((normalizers ?? []) as unknown[]).some(setsIdeographsApart);
  return type === "BertNormalizer" && apart !== false;
}

/** The tokens of a place of a template. */
function placed(piece: Piece, parts: readonly (readonly Token[])[]): (Token & { type: number })[] {
  const { type } = piece;
  if ("ids" in piece) return piece.ids.map((id) => ({ id, word: null, type }));
  return (parts[piece.text] ?? []).map((token) => ({ ...token, type }));
}

/** Whether a tokenizer of bytes knows words by the space before them, and puts none before a text. */
function isByteLevelWithoutSpace(pre: unknown): boolean {
  const { type, add_prefix_space: adds, pretokenizers } = (pre ?? {}) as Record<string, unknown>;
  if (type === "Sequence") return ((pretokenizers ?? []) as unknown[]).some(isByteLevelWithoutSpace);
  return type === "ByteLevel" && adds === false;
}

/** For each token the label of its word: of a word's first token, and `ignored` of all others. */
export const alignLabels = (
  wordIds: readonly (number | null)[],
  labels: readonly number[],
  ignored = -100,
): number[] =>
  wordIds.map((word, i) => (word === null || word === wordIds[i - 1] ? ignored : (labels[word] ?? ignored)));
