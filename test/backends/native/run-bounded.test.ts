import { execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { runBounded, runScript } from "../../../src/backends/native/run-bounded.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Both ways to run a script of the shell: as a program, and as a script. */
const ways = {
  runBounded: (script: string, seconds: number) => runBounded("/bin/sh", ["-c", script], seconds),
  runScript,
};
const each = Object.entries(ways);

test.each(each)("what a program says, and how it ended: %s", (_, run) => {
  // It waits for what it has started itself, and not for its guard.
  expect(run("{ sleep 0.1; echo out; } & wait; echo err >&2; exit 3", 10)).toEqual({
    status: 3,
    stdout: "out\n",
    stderr: "err\n",
    late: false,
    problem: null,
  });
});

test("a program that is not there", () => {
  // Had it been ended by its number, which there is none of, this process would have been too.
  expect(runBounded("/nowhere/cc", [], 10)).toMatchObject({
    status: null,
    late: false,
    problem: expect.stringContaining("ENOENT"),
  });
});

test.each(each)("a program that does not end is ended, and so is what it has started: %s", (_, run) => {
  const length = `5432.${process.pid}`;
  const { late, stdout } = run(`echo begun; sleep ${length} & sleep ${length}`, 0.5);
  expect({ late, stdout }).toEqual({ late: true, stdout: "begun\n" });
  expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(length);
});

test.each([
  ["SIGKILL", "runBounded"],
  ["SIGTERM", "runBounded"],
  ["SIGINT", "runBounded"],
  ["SIGKILL", "runScript"],
] as const)("a program dies with what ran it, ended by %s: %s", async (signal, way) => {
  const length = `${signal.length}${way.length}876.${process.pid}`;
  const running = () =>
    execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }).split("\n").includes(`sleep ${length}`);
  const text = `
    const { ${way} } = await import("${root}src/backends/native/run-bounded.ts");
    ${way}(${way === "runScript" ? "" : `"/bin/sh", ["-c", `}"sleep ${length} & sleep ${length}"${way === "runScript" ? "" : "]"}, 100);
  `;
  const tsx = `${root}node_modules/tsx/dist/loader.mjs`;
  const parent = spawn(process.execPath, ["--import", tsx, "--input-type=module", "-e", text], {
    stdio: "ignore",
  });
  await vi.waitUntil(running, { timeout: 20_000 });
  parent.kill(signal);
  await vi.waitUntil(() => !running(), { timeout: 5000 });
});

test("what is left of a run is nothing, and its guard keeps nobody waiting", () => {
  // What a run starts inherits this mark; other tests run guards of their own at the same time.
  const mark = `THAW_TEST_RUN_BOUNDED=${process.pid}`;
  const [name, value] = mark.split("=") as [string, string];
  vi.stubEnv(name, value);
  const marked = () =>
    execFileSync("ps", ["eww", "-A", "-o", "args"], { encoding: "utf8", env: {} })
      .split("\n")
      .filter((line) => line.includes(mark));
  // A guard that kept its run waiting would end it only at the time limit, as late.
  for (const [, run] of each)
    for (let i = 0; i < 10; i++) expect(run("exit 5", 10)).toMatchObject({ status: 5, late: false });
  expect(marked()).toEqual([]);
  // The mark is seen on what runs.
  const running = spawn("/bin/sleep", ["60"], { stdio: "ignore" });
  expect(marked()).toHaveLength(1);
  running.kill();
  vi.unstubAllEnvs();
});
