import { ConfigError } from "../../base/errors.ts";

/** A character of a text that was normalized, and the place in the text that it was made of, counted in code points. */
export interface AlignedChar {
  readonly char: string;
  readonly start: number;
  readonly end: number;
}

/** What a normalizer makes of characters. */
export type Normalize = (chars: readonly AlignedChar[]) => readonly AlignedChar[];

/** A text, each character at its own place. */
export const aligned = (text: string): readonly AlignedChar[] =>
  Array.from(text, (char, i) => ({ char, start: i, end: i + 1 }));

/** The characters as a string. */
export const textOf = (chars: readonly AlignedChar[]): string => chars.map(({ char }) => char).join("");

/** Replaces each character by those of a string, which stand where it stood. */
const each =
  (of: (char: string) => string): Normalize =>
  (chars) =>
    chars.flatMap((one) => {
      const made = of(one.char);
      return made === one.char ? [one] : Array.from(made, (char) => ({ ...one, char }));
    });

// Of one character at a time, so that the last sigma of a word is one as any other, as in Python.
const lowercase = each((char) => char.toLowerCase());

const stripAccents = each((char) => char.normalize("NFD").replace(/\p{Mn}/gu, ""));

const cleanText = each((char) => {
  if (/^[\t\n\r]$/.test(char)) return " ";
  if (/^[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]$/u.test(char)) return "";
  return /^\s$/u.test(char) ? " " : char;
});

const ideograph =
  /^[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\u{2f800}-\u{2fa1f}]$/u;

const ideographsApart = each((char) => (ideograph.test(char) ? ` ${char} ` : char));

/** What the `normalizer` of a tokenizer.json does, character by character. Throws `ConfigError` for one that cannot be so. */
export function normalizerOf(normalizer: unknown, name: string): Normalize {
  if (normalizer === null || normalizer === undefined) return (chars) => chars;
  const { type, ...settings } = normalizer as Readonly<Record<string, unknown>>;
  if (type === "Lowercase") return lowercase;
  if (type === "StripAccents") return stripAccents;
  if (type === "BertNormalizer") {
    const { clean_text, handle_chinese_chars, lowercase: lowers, strip_accents } = settings;
    return inOrder([
      ...(clean_text ? [cleanText] : []),
      ...(handle_chinese_chars ? [ideographsApart] : []),
      ...(lowers ? [lowercase] : []),
      ...((strip_accents ?? lowers) ? [stripAccents] : []),
    ]);
  }
  if (type === "Sequence")
    return inOrder(((settings.normalizers ?? []) as unknown[]).map((one) => normalizerOf(one, name)));
  throw new ConfigError(
    `${name}: the normalizer is ${JSON.stringify(type)}, and offsets are known of BertNormalizer, Lowercase and StripAccents; leave offsets out`,
  );
}

const inOrder =
  (all: readonly Normalize[]): Normalize =>
  (chars) =>
    all.reduce((made, one) => one(made), chars);
