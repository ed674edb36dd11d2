import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";
import { built } from "../built.ts";

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command line as a user does. */
function thaw(...args: string[]): Promise<Outcome> {
  const command = [built("cli/main.js"), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: root }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const folder = mkdtempSync(join(tmpdir(), "thaw-cli-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const examples = join(root, "test/oracle/examples.json.gz");

test("--help names every command and what to start with", async () => {
  const { code, stdout } = await thaw("--help");
  expect(code).toBe(0);
  for (const command of ["digits", "seed", "replay", "devices"])
    expect(stdout).toMatch(new RegExp(`^ {2}${command} `, "m"));
  expect(stdout).toContain("Start with:");
  expect(stdout).toContain("THAW_BACKEND");
}, 60_000);

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect((await thaw("--version")).stdout.trim()).toBe(version);
}, 60_000);

test("what it does not know it says, and fails", async () => {
  const command = await thaw("thwa");
  expect([command.code, command.stderr]).toEqual([1, expect.stringContaining("unknown command 'thwa'")]);
  const option = await thaw("digits", "--epochs", "0");
  expect([option.code, option.stderr]).toEqual([1, expect.stringContaining("a whole number of at least 1")]);
}, 60_000);

test("replay passes where every value agrees, and fails where one does not", async () => {
  expect(await thaw("replay", examples)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+ passed, 0 failed\n$/),
  });

  const recorded = JSON.parse(gunzipSync(readFileSync(examples)).toString());
  recorded.cases = recorded.cases.slice(0, 2);
  recorded.cases[1].expected[1].loss += 0.1;
  const wrong = join(folder, "wrong.json.gz");
  writeFileSync(wrong, gzipSync(JSON.stringify(recorded)));
  const { code, stdout } = await thaw("replay", wrong);
  expect(code).toBe(1);
  expect(stdout).toContain(`FAILED ${recorded.cases[1].name}: step 1, loss`);
  expect(stdout).toMatch(/1 passed, 1 failed\n$/);
}, 60_000);

test("a fault in what it is given is one line, without a stack", async () => {
  const { code, stderr } = await thaw("replay", join(folder, "missing.json"));
  expect(code).toBe(1);
  expect(stderr).toMatch(/^thaw: replay: .*missing\.json cannot be read: .*\n$/);
}, 60_000);
