import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inFolder } from "../backends/native/child.ts";
import { built } from "../built.ts";

const limit = { timeout: 120_000 };

/** Runs `thaw run` as a user does. */
function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [built("cli/main.js"), "run", ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test(
  "each rank's lines say whose they are, and it has arguments and its share of threads and memory",
  limit,
  () =>
    inFolder(async (folder) => {
      const script = join(folder, "script.ts");
      writeFileSync(
        script,
        `import { distributed } from ${JSON.stringify(built("index.js"))};
      const group: { rank: number; size: number; engine: string } = distributed.group();
      const { THAW_THREADS, THAW_MAX_MEMORY } = process.env;
      console.log(group.size, group.engine, process.argv[2], THAW_THREADS, Number(THAW_MAX_MEMORY) > 2 ** 20);
      if (group !== distributed.group()) console.error("another group");
      await distributed.group().barrier();
      if (process.argv[2] === "fail" && group.rank === 1) throw new RangeError("as asked");
      await distributed.group().barrier();`,
      );
      const fine = await run("-n", "3", script, "--", "fine");
      expect({ code: fine.code, lines: fine.stdout.split("\n").sort() }).toEqual({
        code: 0,
        lines: ["", ...[0, 1, 2].map((rank) => `[${rank}] 3 threads fine 1 true`)],
      });
      const failed = await run(script, "--", "fail");
      expect(failed.code).toBe(1);
      expect(failed.stderr).toMatch(
        /^thaw: rank 1 has failed: RangeError: as asked; it last was in barrier\(\)/m,
      );
      expect(await run("--ranks", "1", script, "--", "fine")).toMatchObject({ code: 0 });
    }),
);

test("what cannot be run is said", limit, async () => {
  expect(await run("-n", "0", "x.js")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("at least 1"),
  });
  expect(await run("-n", "300", built("index.js"))).toMatchObject({
    code: 1,
    stderr: "thaw: startRanks: ranks is 300; it must be a whole number from 1 to 256\n",
  });
  expect(await run("--engine", "carrier-pigeon", "x.js")).toMatchObject({ code: 1 });
  expect(await run("/nowhere/x.js")).toMatchObject({ code: 1, stderr: "thaw: There is no /nowhere/x.js\n" });
});
