import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { difference } from "../../scripts/same-text.ts";
import { root } from "../../scripts/sources.ts";
import { blocksOf } from "./blocks.ts";
import { typeErrorsOf } from "./programs.ts";

// What the README shows is run, and prints what it says there.

const blocks = blocksOf("README.md");
/** Programs, each with the block that shows what it prints. */
const programs = blocks.flatMap((block, i) =>
  block.language === "ts" ? [{ ...block, output: blocks[i + 1] }] : [],
);

let folder: string;
// Inside the repository, so that "thaw" means its sources there, as in examples/.
beforeAll(() => {
  folder = mkdtempSync(join(root, "test/readme/tmp-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};

test("it has a program to run", () => expect(programs.length).toBeGreaterThan(0));

test.each(programs)(
  "the program on line $line is right in its types",
  ({ text, line }) => {
    const file = write(`types-${line}.ts`, text);
    expect(typeErrorsOf([file])).toEqual([]);
  },
  60_000,
);

test.each(programs)(
  "the program on line $line prints what is shown",
  async ({ text, line, output }) => {
    const file = write(`run-${line}.ts`, text);
    const { stdout } = await promisify(execFile)(join(root, "node_modules/.bin/tsx"), [file], { cwd: root });
    expect(output?.language).toBe("text");
    expect(difference(stdout, output!.text)).toBeNull();
  },
  60_000,
);

test("the commands it names exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const commands = blocks
    .filter((block) => block.language === "sh")
    .flatMap((block) => block.text.split("\n"));
  const named = commands.flatMap((command) =>
    [...command.matchAll(/npm (?:run )?([a-z:]+)/g)].map((m) => m[1]!),
  );
  expect(named).toContain("start");
  for (const name of named) expect(["ci", ...Object.keys(scripts)]).toContain(name);
});
