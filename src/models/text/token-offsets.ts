import { ConfigError } from "../../base/errors.ts";
import { type AlignedChar, aligned, type Normalize, normalizerOf, textOf } from "./aligned-text.ts";

/** From where up to where a token stands in its text, in units of UTF-16, as strings of JavaScript are counted. */
export type Offset = readonly [start: number, end: number];

type Json = Readonly<Record<string, unknown>>;

/** A token that is found in a text before anything else is. */
interface Added {
  /** What it is found as. */
  readonly text: string;
  /** Whether it takes the spaces on a side with it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/** Characters in a row, of which tokens are found together; `added`: they are one token. */
interface Section {
  readonly chars: readonly AlignedChar[];
  readonly added: boolean;
}

/** Gives the places of a section's tokens, in code points; `next` gives these one after the other. */
type Placing = (chars: readonly AlignedChar[], next: () => string, spaced: boolean) => Offset[];

/**
 * Finds where the tokens of a text stand in it, by going through the text as the tokenizer does and comparing: WordPiece
 * after BERT's choice of words, and BPE of bytes, as RoBERTa has it.
 * Source: `tokenizers` of Hugging Face, whose offsets are in code points.
 */
export class TokenOffsets {
  readonly #name: string;
  readonly #normalize: Normalize;
  /** Tokens that texts have as they are, and those that they have once they are normalized. */
  readonly #exact: readonly Added[];
  readonly #normalized: readonly Added[];
  readonly #placing: Placing;
  readonly #trim: Trim | null;

  /** Takes the contents of `tokenizer.json`. Throws `ConfigError` for a kind of tokenizer whose offsets are not known. */
  constructor(json: object, name: string) {
    const { normalizer, added_tokens, post_processor } = json as Json;
    this.#name = name;
    this.#normalize = normalizerOf(normalizer, name);
    this.#placing = placingOf(json as Json, name);
    this.#trim = trimOf(post_processor);
    const hasNormalizer = normalizer !== null && normalizer !== undefined;
    const [exact, normalized]: [Added[], Added[]] = [[], []];
    for (const added of (added_tokens ?? []) as Json[]) {
      const { content, lstrip = false, rstrip = false, special = false } = added;
      const isNormalized = hasNormalizer && (added.normalized ?? !special) === true;
      const text = isNormalized ? textOf(this.#normalize(aligned(String(content)))) : String(content);
      if (text === "") continue;
      (isNormalized ? normalized : exact).push({ text, lstrip: lstrip === true, rstrip: rstrip === true });
    }
    this.#exact = exact;
    this.#normalized = normalized;
  }

  /** The place of each token of a text, in their order; `spaced`: a space was put before it. */
  of(text: string, tokens: readonly string[], { spaced }: { spaced: boolean }): Offset[] {
    let taken = 0;
    const refuse = (): never => {
      throw new ConfigError(
        `${this.#name}: it is not known where tokens stand in ${JSON.stringify(text.slice(0, 60))}; leave offsets out`,
      );
    };
    const next = (): string => tokens[taken++] ?? refuse();
    const found: Offset[] = [];
    const values = [...tokens];
    for (const { chars, added } of this.#sections(text)) {
      if (added) {
        next();
        // What it takes with it is trimmed as spaces of other tokens are.
        values[found.length] = textOf(chars);
        found.push(spanOf(chars));
      } else if (chars.length > 0) found.push(...this.#placing(chars, next, spaced && found.length === 0));
    }
    if (taken !== tokens.length || found.some(([start]) => Number.isNaN(start))) return refuse();
    const trim = this.#trim;
    const trimmed =
      trim === null
        ? found
        : found.map((offset, i) => trim(values[i]!, offset, { isFirst: i === 0, spaced }));
    const units = unitsOf(text);
    return trimmed.map(([start, end]) => [units(start), units(end)]);
  }

  /** The parts of a text that tokens are found in, after what is done before that. */
  #sections(text: string): Section[] {
    return cutAt(aligned(text), this.#exact).flatMap((section) =>
      section.added ? [section] : cutAt(this.#normalize(section.chars), this.#normalized),
    );
  }
}

/** Where what some characters were made of stands. */
const spanOf = (chars: readonly AlignedChar[]): Offset => [chars[0]!.start, chars.at(-1)!.end];

/** No place: the tokens are not those of the text. */
const nowhere: Offset = [Number.NaN, Number.NaN];

/** Cuts out tokens: the first one that there is, and of several there the longest. */
function cutAt(chars: readonly AlignedChar[], tokens: readonly Added[]): Section[] {
  if (tokens.length === 0) return [{ chars, added: false }];
  const byLength = [...tokens].sort((a, b) => b.text.length - a.text.length);
  const pattern = new RegExp(byLength.map(({ text }) => escaped(text)).join("|"), "gu");
  const places = chars.flatMap(({ char }, i) => Array<number>(char.length).fill(i));
  const isSpace = (i: number): boolean => /^\s$/u.test(chars[i]!.char);
  const sections: Section[] = [];
  let from = 0;
  for (const { 0: text, index } of textOf(chars).matchAll(pattern)) {
    const { lstrip, rstrip } = byLength.find((one) => one.text === text)!;
    let start = places[index]!;
    let end = places[index + text.length - 1]! + 1;
    while (lstrip && start > from && isSpace(start - 1)) start--;
    while (rstrip && end < chars.length && isSpace(end)) end++;
    sections.push({ chars: chars.slice(from, start), added: false });
    sections.push({ chars: chars.slice(start, end), added: true });
    from = end;
  }
  return [...sections, { chars: chars.slice(from), added: false }];
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** How a tokenizer places its tokens. Throws `ConfigError` for a kind that is not there. */
function placingOf({ model, pre_tokenizer: pre }: Json, name: string): Placing {
  const kind = (model as Json | null)?.type;
  const before = (pre as Json | null)?.type;
  const { unk_token: unknown, continuing_subword_prefix: prefix = "##" } = (model ?? {}) as Json;
  if ((kind === "WordPiece" || (kind === undefined && prefix === "##")) && before === "BertPreTokenizer")
    return placedWordPieces(String(unknown), String(prefix));
  const { add_prefix_space: addsSpace = false, use_regex: usesRegex = true } = (pre ?? {}) as Json;
  if ((kind === "BPE" || kind === undefined) && before === "ByteLevel" && usesRegex === true)
    return placedBytes(addsSpace === true);
  throw new ConfigError(
    `${name}: offsets are not known of the model ${JSON.stringify(kind)} behind the pre_tokenizer ${JSON.stringify(before)}; they are of WordPiece behind BertPreTokenizer, and of BPE behind ByteLevel. Leave offsets out`,
  );
}

/** What a word is made of, and each sign that is one by itself. */
const wordsAndSigns = /[^\s\p{P}!-/:-@[-`{-~]+|[\p{P}!-/:-@[-`{-~]/gu;

const placedWordPieces =
  (unknown: string, prefix: string): Placing =>
  (chars, next) => {
    const places = chars.flatMap(({ char }, i) => Array<number>(char.length).fill(i));
    const found: Offset[] = [];
    for (const { 0: word, index } of textOf(chars).matchAll(wordsAndSigns)) {
      let at = index;
      const stop = index + word.length;
      while (at < stop) {
        const token = next();
        const isFirst = at === index;
        const text = isFirst ? token : token.slice(prefix.length);
        if (isFirst && token === unknown && !word.startsWith(token)) at = stop;
        else if (word.startsWith(text, at - index) && text !== "" && (isFirst || token.startsWith(prefix)))
          at += text.length;
        else return [nowhere];
        const from = isFirst ? index : at - text.length;
        found.push(spanOf(chars.slice(places[from]!, places[at - 1]! + 1)));
      }
    }
    return found;
  };

/** The character that stands for a byte: itself where it can be seen, and else one of those behind all bytes. */
const byteSigns: readonly string[] = (() => {
  const isSeen = (byte: number): boolean =>
    (byte > 32 && byte < 127) || (byte > 160 && byte < 173) || byte > 173;
  let hidden = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isSeen(byte) ? byte : 256 + hidden++));
})();

const placedBytes =
  (addsSpace: boolean): Placing =>
  (chars, next, spaced) => {
    const [first] = chars as readonly [AlignedChar, ...AlignedChar[]];
    // A space that is put before a text stands where its first character does.
    const all = spaced || (addsSpace && first.char !== " ") ? [{ ...first, char: " " }, ...chars] : chars;
    const encoder = new TextEncoder();
    const bytes = all.flatMap((one) =>
      Array.from(encoder.encode(one.char), (byte) => ({ ...one, char: byteSigns[byte]! })),
    );
    const found: Offset[] = [];
    for (let at = 0; at < bytes.length; ) {
      const token = next();
      const own = bytes.slice(at, at + token.length);
      if (token === "" || textOf(own) !== token) return [nowhere];
      found.push(spanOf(own));
      at += own.length;
    }
    return found;
  };

/** What is left of a place without the spaces that its token begins and ends with. */
type Trim = (token: string, offset: Offset, at: { isFirst: boolean; spaced: boolean }) => Offset;

/** How a `post_processor` trims offsets; null: it does not. A space that was put before a text is no part of it. */
function trimOf(processor: unknown): Trim | null {
  const {
    type,
    trim_offsets: trims = true,
    add_prefix_space: addsSpace = true,
    processors,
  } = (processor ?? {}) as Json;
  if (type === "Sequence")
    return ((processors ?? []) as unknown[]).map(trimOf).find((one): one is Trim => one !== null) ?? null;
  if ((type !== "RobertaProcessing" && type !== "ByteLevel") || trims !== true) return null;
  return (token, [start, end], { isFirst, spaced }) => {
    const [leading, trailing] = [/^[\sĠ]*/u, /[\sĠ]*$/u].map((pattern) => pattern.exec(token)![0].length);
    const isPut = (spaced || addsSpace === true) && (isFirst || start === 0);
    const from = Math.min(start + (isPut ? 0 : leading!), end);
    return [from, trailing! > 0 && end >= trailing! ? Math.max(end - trailing!, from) : end];
  };
}

/** Where a code point of a text begins, by its number, in units of UTF-16. */
function unitsOf(text: string): (point: number) => number {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return (point) => point;
  const begins = [0];
  for (const char of text) begins.push(begins.at(-1)! + char.length);
  return (point) => begins[point]!;
}
