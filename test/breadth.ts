/**
 * Whether tests go through all their cases, which takes long: `npm run check:breadth`, and CI. `npm test` takes a part of
 * them, the same at each run.
 */
export const isBroad = process.env.BREADTH === "all";

/** All cases, or one in so many. */
export const sampled = <T>(cases: readonly T[], oneIn: number): readonly T[] =>
  isBroad ? cases : cases.filter((_, i) => i % oneIn === 0);
