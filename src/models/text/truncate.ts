/** Which end tokens are taken from. */
export type Side = "left" | "right";

/** How many tokens are kept of a text, or of two, of which the longer one is shortened first, where `most` fit. */
export function keptLengths(lengths: readonly number[], most: number): number[] {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total <= most) return [...lengths];
  if (lengths.length === 1) return [most];
  const shorter = Math.min(...lengths);
  const longer = Math.max(shorter, most - shorter);
  // Where the shorter one does not leave as much as it takes, both get half.
  const half = Math.floor(most / 2);
  const [less, more] = shorter + longer > most ? [half, most - half] : [shorter, longer];
  return lengths[0]! > lengths[1]! ? [more, less] : [less, more];
}

/** What is left of some tokens. */
export const truncated = <T>(tokens: readonly T[], length: number, side: Side): readonly T[] =>
  side === "right" ? tokens.slice(0, length) : tokens.slice(tokens.length - length);
