/** Numbers, but not those in words and names, such as `pytorch2`. */
const number = /\b\d+(\.\d+)?\b/g;

/** A text with a sign where it has numbers. */
const wordsOf = (text: string): string => text.trim().replace(number, "#").replace(/ +/g, " ");
const numbersOf = (text: string): string[] => [...text.matchAll(number)].map(([n]) => n);

/**
 * How what a program printed differs from what is shown of it; null where it does not. Words and whole numbers are
 * the same; of others the last digits may differ, as engines with and without a fused multiply-add do.
 */
export function difference(found: string, shown: string): string | null {
  const text = `it printed\n${found.trim()}\nwhere this is shown:\n${shown.trim()}`;
  if (wordsOf(found) !== wordsOf(shown)) return text;
  const numbers = numbersOf(found);
  const same = numbersOf(shown).every((n, i) =>
    n.includes(".")
      ? Math.abs(Number(numbers[i]) - Number(n)) <= 2e-3 * Math.max(1, Number(n))
      : numbers[i] === n,
  );
  return same ? null : text;
}
