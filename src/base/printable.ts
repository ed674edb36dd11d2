// Control characters (C0, DEL, C1), those that turn the direction of text around or are not seen, line separators, and
// halves of surrogate pairs.
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/**
 * Text from a file or the environment as a terminal may have it: with escapes, which JSON reads too, in place of what
 * would move its cursor, set its colours, reorder its letters or begin a line.
 */
export const printable = (text: string): string =>
  text.replace(unsafe, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** As `printable`, of text that has lines and indents of its own. */
export const printableLines = (text: string): string =>
  text.replace(unsafe, (char) => (char === "\n" || char === "\t" ? char : printable(char)));
