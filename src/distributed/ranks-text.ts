/** Ranks as errors name them: `rank 1`, `ranks 0, 2`. */
export const ranksText = (ranks: readonly number[]): string =>
  `rank${ranks.length > 1 ? "s" : ""} ${ranks.join(", ")}`;
