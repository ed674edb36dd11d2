// Control characters, and those that turn the direction of text around.
const unsafe = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * Text from a file as a terminal may have it: with escapes in place of what would move its cursor, set its colours or
 * reorder its letters.
 */
export const printable = (text: string): string =>
  text.replace(unsafe, (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, "0")}`);
