import { execFile } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { runMpi } from "thaw/distributed";
import { beforeAll, describe, expect, test } from "vitest";
import { isBroad, sampled } from "../breadth.ts";
import { built } from "../built.ts";
import { ran, ranOnMpi } from "./running.ts";

/** Ranks that are processes of MPI do what ranks that are threads do, with the same bits, and name whoever fails. */

const limit = { timeout: 180_000 };

beforeAll(() => void built("index.js"));

/** Both kinds of MPI, by the programs that start their ranks. */
const kinds = ["mpirun.openmpi", "mpirun.mpich"] as const;

describe.each(kinds)("%s", (mpirun) => {
  const scenes: [scene: string, ranks: number][] =
    mpirun === kinds[0]
      ? [
          ["values", 3],
          ["large", 3],
          ["refusals", 2],
          ["apart", 2],
        ]
      : [
          ["values", 2],
          ["wire", 2],
          ["large", 2],
          ["reach", 2],
        ];
  test.each(scenes)("%s, on %i ranks, are those of threads", limit, async (scene, ranks) => {
    const [mpi, threads] = await Promise.all([
      ranOnMpi(mpirun, ["./scenes.mjs", scene], { ranks }),
      ran("./scenes.mjs", [scene], { ranks }),
    ]);
    expect(mpi.errors.filter((line) => line.startsWith("thaw: rank "))).toEqual([]);
    expect(mpi.status).toBe(0);
    expect(threads.failure).toBeNull();
    expect(mpi.said).toEqual(threads.said);
  });

  test("bits are those of threads, and nothing frozen moves", limit, async () => {
    const mpi = await ranOnMpi(mpirun, ["./matrix.mjs", "327"]);
    const threads = await ran("./matrix.mjs", ["327"]);
    expect(mpi.status).toBe(0);
    expect(mpi.said).toEqual(threads.said);
    expect(mpi.said[0]![0]).toMatchObject({ problems: [] });
  });

  const faults: [how: string, message: RegExp][] = [
    ["throws", /TypeError: what rank 1 says; it last was in what follows step 3/],
    ["exits", /rank 1 has failed: it has ended with exit code 3/],
    ["returns", /rank 1's script has ended, and rank 0 waits for it in .*step 4/],
    ["stalls", /rank 1 has not come within 2 s .* what follows step 3, \d/],
    ["aborts", /rank 1 has had enough/],
  ];
  // The other kind starts and ends ranks in another way, and is told of all in the same.
  test.each(sampled(faults, mpirun === kinds[0] ? 2 : 3))(
    "a rank that %s is named by the others, which end",
    limit,
    async (how, message) => {
      const { status, said } = await ranOnMpi(mpirun, ["./scenes.mjs", "fault", how], { timeout: 2 });
      expect(status).not.toBe(0);
      expect(said[0]![1]).toMatchObject({ rank: 1 });
      expect(said[0]![1]!.message).toMatch(message);
    },
  );

  if (mpirun !== kinds[0] && !isBroad) return; // Both kinds begin again by the same code.
  test("ranks begin again as often as is allowed", limit, async () => {
    const { status, said, notices } = await ranOnMpi(mpirun, ["./scenes.mjs", "restarts", "more"], {
      restarts: 2,
    });
    expect(status).toBe(0);
    expect(notices).toEqual([expect.stringContaining("(1 of 2)"), expect.stringContaining("(2 of 2)")]);
    for (const lines of said) expect(lines.at(-1)).toMatchObject({ restarts: 2, args: ["restarts", "more"] });
  });
});

test(
  "a thread that a rank starts is no rank, which is said; and that ranks share cores, once",
  limit,
  async () => {
    const ranks = cpus().length + 1;
    const { status, said, errors } = await ranOnMpi("mpirun.openmpi", ["./scenes.mjs", "inner"], { ranks });
    expect(status).toBe(0);
    for (const [{ found }] of said as [{ found: string }][])
      expect(found).toMatch(/^GroupError: distributed.group\(\): this is a thread that a rank has started/);
    expect(errors.filter((line) => line.includes("ranks share"))).toEqual([
      expect.stringContaining(`thaw: ${ranks} ranks share ${ranks - 1} core`),
    ]);
  },
);

test("ranks that run different scripts are told so", limit, async () => {
  const run = promisify(execFile);
  const scripts = ["./network.mjs", "./axes.mjs"].map((name) =>
    fileURLToPath(new URL(name, import.meta.url)),
  );
  const ranks = scripts.map((script) => ["-n", "1", process.execPath, script]);
  const { stdout, stderr } = await run("mpirun.mpich", [...ranks[0]!, ":", ...ranks[1]!]).catch(
    (error) => error,
  );
  expect(`${stdout}${stderr}`).toMatch(
    /GroupError: Ranks run different scripts: \S+network\.mjs on rank 0 \(\S+\) is not \S+axes\.mjs on rank 1/,
  );
});

test("a rank that is stopped is named by the others, and all end", limit, async () => {
  process.env.THAW_GROUP_SILENCE = "3";
  try {
    const { status, said } = await ranOnMpi("mpirun.openmpi", ["./scenes.mjs", "fault", "is stopped"]);
    expect(status).not.toBe(0);
    expect(said[0]![1]).toMatchObject({ error: "GroupTimeoutError", rank: 1 });
    expect(said[0]![1]!.message).toMatch(
      /nothing has been heard of rank 1 .*: it is stopped, or its machine is cut off/,
    );
  } finally {
    delete process.env.THAW_GROUP_SILENCE;
  }
});

// MPICH's mpirun ends all ranks at once where one is killed.
test("a rank that is killed is named by the others", limit, async () => {
  const { status, said } = await ranOnMpi("mpirun.openmpi", ["./scenes.mjs", "fault", "is killed"]);
  expect(status).not.toBe(0);
  expect(said[0]![1]).toMatchObject({ error: "RankError", rank: 1 });
  expect(said[0]![1]!.message).toMatch(/rank 1 has ended without a word \(killed, or out of memory\)/);
});

describe("what cannot be is said", () => {
  const command = [process.execPath, "-e", ""];
  const options = { ranks: 2, restarts: 0, timeout: 1, output: () => {}, notice: () => {} };

  test("no mpirun, or another program", async () => {
    await expect(runMpi(command, { ...options, mpirun: "no-such-mpirun" })).rejects.toThrow(
      /no-such-mpirun cannot be started .*Install Open MPI or MPICH/,
    );
    await expect(runMpi(command, { ...options, mpirun: "node" })).rejects.toThrow(
      /node is neither Open MPI's nor MPICH's/,
    );
  });

  test.each([
    ["libm.so.6", /libm\.so\.6 is no library of MPI/],
    ["no-such-library.so", /no library of it can be loaded .*Install Open MPI or MPICH/],
    ["libmpich.so.12", /finds 1 rank where 2 were started: it does not go with what started them/],
  ])("a library that is %s", limit, async (library, message) => {
    process.env.THAW_MPI = library;
    try {
      const { status, errors } = await ranOnMpi("mpirun.openmpi", ["./scenes.mjs", "values"]);
      expect(status).not.toBe(0);
      expect(errors.join("\n")).toMatch(message);
    } finally {
      delete process.env.THAW_MPI;
    }
  });
});
