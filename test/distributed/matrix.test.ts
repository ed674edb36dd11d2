import { beforeAll, expect, test } from "vitest";
import { built } from "../built.ts";
import { ran, ranOnMpi } from "./running.ts";

// npm run check:ranks goes through all combinations.
const isBroad = process.env.BREADTH === "all";
const limit = { timeout: isBroad ? 3_600_000 : 180_000 };

beforeAll(() => void built("index.js"));

/** What ranks say of the combinations that they have gone through. */
interface Proved {
  /** How many there are, each with a name of its own. */
  readonly total: number;
  readonly problems: readonly string[];
  readonly count: number;
  readonly worst: number;
  readonly compared: number;
  readonly still: number;
  readonly digests: readonly string[];
}

const loud = isBroad ? ["loud"] : [];

test.each([2, 3])(
  "%i ranks have the same bits, and those of one process on all the data, and nothing frozen moves",
  limit,
  async (ranks) => {
    // A prime: what is left out is of no axis more than of another.
    const { failure, said } = await ran("./matrix.mjs", [isBroad ? "1" : "83", ...loud], { ranks });
    expect(failure).toBeNull();
    const all = said.map(([proved]) => proved as unknown as Proved);
    expect(all).toHaveLength(ranks);
    for (const { problems, count, worst, still, digests } of all) {
      expect({ problems, count }).toEqual({ problems: [], count: 0 });
      // Halves are exact, thirds are not, and a backend may fuse what is halved in another place; of all combinations
      // some divide what a third was rounded by by a small root.
      expect(worst).toBeLessThan(isBroad && ranks === 3 ? 1e-5 : 1e-6);
      expect(still).toBeGreaterThan(1000);
      expect(digests).toEqual(all[0]!.digests);
    }
    expect(all[0]!.compared).toBeGreaterThan(1000);
    expect(all[0]!.total).toBeGreaterThanOrEqual(1000);
    if (isBroad)
      console.log(
        `${ranks} ranks: ${all[0]!.digests.length} combinations; ${all[0]!.still} numbers of what is frozen have stayed as they were on each, ` +
          `${all[0]!.compared} are those of one process, to ${all[0]!.worst}`,
      );
  },
);

if (isBroad)
  test.each([
    ["mpirun.openmpi", 2],
    ["mpirun.mpich", 2],
    ["mpirun.openmpi", 3],
  ] as const)("%s, %i ranks: the bits of threads in one of 5 combinations", limit, async (mpirun, ranks) => {
    const threads = await ran("./matrix.mjs", ["5", ...loud], { ranks });
    const mpi = await ranOnMpi(mpirun, ["./matrix.mjs", "5", ...loud], { ranks, timeout: 300 });
    expect([threads.failure, mpi.status]).toEqual([null, 0]);
    const expected = threads.said[0]![0] as unknown as Proved;
    for (const [proved] of mpi.said as unknown as [Proved][]) {
      expect(proved).toMatchObject({ count: 0, problems: [], still: expected.still });
      expect(proved.digests).toEqual(expected.digests);
    }
    console.log(`${mpirun}, ${ranks} ranks: ${expected.digests.length} combinations, the bits of threads`);
  });
