import { ArgumentError } from "../../base/errors.ts";
import { flag, refuseOptions } from "../../base/options.ts";
import { tensor } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { EncoderInputs } from "../encoder-inputs.ts";
import { type TokenizerFiles, withTokens } from "./added-tokens.ts";
import { addedBy, type Piece } from "./template.ts";
import type { Offset } from "./token-offsets.ts";
import { partsOf, type TokenizerParts } from "./tokenizer-parts.ts";
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

/** Options of `TextTokenizer.encodeOne`. */
export interface EncodeOneOptions extends EncodeOptions {
  /** Whether it is said where tokens stand; false. */
  readonly offsets?: boolean;
}

/** Tokens of one row, without padding. */
export interface Encoded {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** For each token, which word it is of; null for tokens that are put around. Only where words were given. */
  readonly wordIds: readonly (number | null)[] | null;
  /** Whether something was cut off. */
  readonly isTruncated: boolean;
  /**
   * For each token from where up to where it stands in its text (of a pair: in its own one; of words: in its word), in units
   * of UTF-16, so that `text.slice(...offset)` is what it was made of; [0, 0] for tokens that are put around. Python counts
   * code points. Only where asked for.
   */
  readonly offsets?: readonly Offset[];
  /** Whether each token is one that was put around. Only with offsets. */
  readonly specialTokensMask?: readonly boolean[];
}

const encodeChecks = { maxLength: null, padToMultiple: null, specialTokens: flag };

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
  /** Where it stands; null for one that is put around, and where nobody has asked. */
  readonly offset: Offset | null;
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
  #made: TokenizerParts;

  constructor(json: object, config: object, settings: TokenizerSettings) {
    this.settings = settings;
    this.#made = partsOf({ json, config }, settings.name);
  }

  /** What `tokenizer.json` and `tokenizer_config.json` say, with the tokens that have been added since. */
  get files(): TokenizerFiles {
    return this.#made.files;
  }

  /** The number of the token that pads rows. */
  get padding(): number {
    return this.#named("pad_token") ?? 0;
  }

  /** The number of the token that stands for one that is to be guessed; null where there is none. */
  get mask(): number | null {
    return this.#named("mask_token");
  }

  /** Numbers of tokens that no text has, as those that are put around. */
  get specialIds(): ReadonlySet<number> {
    return this.#made.specialIds;
  }

  /**
   * Adds tokens, which are found in texts before anything else: exactly, if they are `special`, as what separates parts of a
   * text is, and else as what texts are normalized to. Those that it has already, as added ones, stay as they are.
   *
   * Takes a list of tokens, and whether they are special (false). The files that are saved have them, so that transformers
   * gives them the same numbers. A model needs rows for them: `model.resizeTokenEmbeddings(tokenizer.vocabularySize)`.
   * Throws `ArgumentError` for what is no list of tokens.
   * Source: `add_tokens` and `add_special_tokens` of transformers.
   */
  addTokens(tokens: readonly string[], options: { special?: boolean } = {}): void {
    refuseOptions("addTokens", options, { special: flag });
    const { special = false } = options;
    this.#made = partsOf(withTokens(this.files, tokens, special), this.settings.name);
  }

  /** The number of a token that the config names; null where it names none. */
  #named(key: string): number | null {
    const config = this.files.config as Record<string, string | { content?: string } | null | undefined>;
    const given = config[key];
    const token = typeof given === "string" ? given : given?.content;
    return (token === undefined ? undefined : this.idOf(token)) ?? null;
  }

  /** How many tokens there are numbers of. */
  get vocabularySize(): number {
    return this.#made.tokenizer.get_vocab(true).size;
  }

  /** The number of a token; undefined where it is none. */
  idOf(token: string): number | undefined {
    return this.#made.tokenizer.token_to_id(token);
  }

  /** The text of some tokens, without those that are put around texts unless asked for. */
  decode(ids: readonly number[], options: { skipSpecialTokens?: boolean } = {}): string {
    refuseOptions("decode", options, { skipSpecialTokens: flag });
    const { skipSpecialTokens = true } = options;
    return this.#made.tokenizer.decode([...ids], { skip_special_tokens: skipSpecialTokens });
  }

  #tokensOf(text: string, word: number | null, withOffsets: boolean): Token[] {
    const { tokenizer, ideographsApart, lowercases, spaceBefore } = this.#made;
    const spaced = word !== null && spaceBefore && /^\S/.test(text);
    const apart = ideographsApart ? text.replace(farIdeographs, " $& ") : text;
    const { ids, tokens } = tokenizer.encode(
      `${spaced ? " " : ""}${lowercases ? apart.replaceAll("Σ", "σ") : apart}`,
      { add_special_tokens: false },
    );
    const offsets = withOffsets ? this.#made.offsets().of(text, tokens, { spaced }) : null;
    return ids.map((id: number, i: number) => ({ id, word, offset: offsets?.[i] ?? null }));
  }

  /** The tokens of each of the texts that a row is made of. */
  #parts(text: Text, offsets: boolean): Token[][] {
    if (typeof text === "string") return [this.#tokensOf(text, null, offsets)];
    if (Array.isArray(text) && text.length === 2 && text.every((part) => typeof part === "string"))
      // As transformers has it.
      return text
        .slice(0, text[1] === "" ? 1 : 2)
        .map((part) => this.#tokensOf(part as string, null, offsets));
    const { words } = (text ?? {}) as { words?: readonly string[] };
    if (!Array.isArray(words) || words.some((word) => typeof word !== "string"))
      throw new ArgumentError(
        `encode: ${JSON.stringify(text)?.slice(0, 60) ?? String(text)} is no text; give a string, a pair of strings, or { words: [...] }`,
      );
    return [words.flatMap((word, i) => this.#tokensOf(word, i, offsets))];
  }

  /** The tokens of a row, without padding. Options and errors are those of `encode`. */
  encodeOne(text: Text, options: EncodeOneOptions = {}): Encoded {
    refuseOptions("encodeOne", options, { ...encodeChecks, offsets: flag });
    const { maxLength = this.settings.maxLength, specialTokens = true, offsets = false } = options;
    const parts = this.#parts(text, offsets);
    const around = this.#made.templates[parts.length === 2 ? "pair" : "single"];
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
      ...(offsets
        ? {
            offsets: row.map(({ offset }) => offset ?? [0, 0]),
            specialTokensMask: row.map(({ offset }) => offset === null),
          }
        : {}),
    };
  }

  /** Rows of texts, padded to the same length. */
  encode(texts: readonly Text[], options: EncodeOptions = {}): TokenBatch {
    refuseOptions("encode", options, encodeChecks);
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

/** The tokens of a place of a template. */
function placed(piece: Piece, parts: readonly (readonly Token[])[]): (Token & { type: number })[] {
  const { type } = piece;
  if ("ids" in piece) return piece.ids.map((id) => ({ id, word: null, offset: null, type }));
  return (parts[piece.text] ?? []).map((token) => ({ ...token, type }));
}

/** For each token the label of its word: of a word's first token, and `ignored` of all others. */
export const alignLabels = (
  wordIds: readonly (number | null)[],
  labels: readonly number[],
  ignored = -100,
): number[] =>
  wordIds.map((word, i) => (word === null || word === wordIds[i - 1] ? ignored : (labels[word] ?? ignored)));
