import { existsSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { FileError } from "../../src/base/errors.ts";
import { compile } from "../../src/cli/compile.ts";
import { profileScript } from "../../src/cli/profile.ts";
import { scriptPath } from "../../src/cli/script-path.ts";
import { inFolder } from "../backends/native/child.ts";

test("a script is a file, by its absolute path whatever it is called", () =>
  inFolder((folder) => {
    const script = join(folder, "--eval=1");
    writeFileSync(script, "");
    expect(scriptPath(relative(process.cwd(), script))).toBe(script);
  }));

test("what is none is refused, and never reaches Node as an option", () =>
  inFolder((folder) => {
    for (const option of ["--eval=process.exit(0)", "-e", "--import", "--require=x", "-p", "-"]) {
      expect(() => scriptPath(option)).toThrow(FileError);
      expect(() => scriptPath(option)).toThrow(
        `There is no ${join(process.cwd(), option)}. After -- come the script`,
      );
    }
    expect(() => scriptPath(folder)).toThrow(/^Cannot run .*: it is a folder$/);
    expect(() => scriptPath("")).toThrow(/^Cannot run .*: it is a folder$/);
    expect(() => scriptPath("/dev/null")).toThrow(/it is no ordinary file$/);
    writeFileSync(join(folder, "file"), "");
    expect(() => scriptPath(join(folder, "file/within"))).toThrow(/^Cannot run .*: ENOTDIR/);
  }));

test("the commands that run scripts refuse them before anything is done", () =>
  inFolder(async (folder) => {
    const out = join(folder, "out");
    const lines: string[] = [];
    const print = (line: string): void => void lines.push(line);
    expect(() => compile("--eval=1", [], out, print)).toThrow(/^There is no .*--eval=1\. After --/);
    await expect(profileScript("--eval=1", [], {}, print)).rejects.toThrow(
      /^There is no .*--eval=1\. After --/,
    );
    const script = join(folder, "script.mjs");
    writeFileSync(script, "");
    expect(() => compile(script, [], script, print)).toThrow("is a file; name a folder");
    expect(() => compile(script, [], "", print)).toThrow("--out is empty");

    expect(existsSync(out)).toBe(false);
    expect(lines).toEqual([]);
  }));
