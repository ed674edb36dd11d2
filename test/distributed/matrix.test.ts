import { beforeAll, expect, test } from "vitest";
import { built } from "../built.ts";
import { ran } from "./running.ts";

beforeAll(() => void built("index.js"));

test.each([2, 3])(
  "%i ranks have the same bits, and those of one process on all the data, and nothing frozen moves",
  { timeout: 180_000 },
  async (ranks) => {
    const { failure, said, errors } = await ran("./matrix.mjs", [process.env.BREADTH ?? "some"], { ranks });
    expect({ failure, errors }).toEqual({ failure: null, errors: [] });
    expect(said).toHaveLength(ranks);
    for (const [{ problems, worst, compared }] of said as [
      { problems: []; worst: number; compared: number },
    ][]) {
      expect(problems).toEqual([]);
      // Halves are exact, thirds are not, and a backend may fuse what is halved in another place.
      expect(worst).toBeLessThan(1e-6);
      expect(compared).toBeGreaterThan(1000);
    }
  },
);
