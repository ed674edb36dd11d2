import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { runBounded } from "../../../src/backends/native/run-bounded.ts";

test("what a program says, and how it ended", () => {
  expect(runBounded("/bin/sh", ["-c", "echo out; echo err >&2; exit 3"], 10)).toEqual({
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

test("a program that does not end is ended, and so is what it has started", () => {
  const length = `5432.${process.pid}`;
  const started = performance.now();
  const { late, stdout } = runBounded(
    "/bin/sh",
    ["-c", `echo begun; sleep ${length} & sleep ${length}`],
    0.5,
  );
  expect({ late, stdout }).toEqual({ late: true, stdout: "begun\n" });
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(length);
});
