/**
 * Whether tests go through all their cases, which takes long: `npm run check:breadth`, and CI. `npm test` takes a part of
 * them, the same at each run.
 */
export const isBroad = process.env.BREADTH === "all";

/** All cases, or one in so many, beginning with the one at `from`. */
export const sampled = <T>(cases: readonly T[], oneIn: number, from = 0): readonly T[] =>
  isBroad ? cases : cases.filter((_, i) => i % oneIn === from);
