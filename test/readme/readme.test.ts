import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";
import { blocksOf } from "./blocks.ts";

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
    const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const program = ts.createProgram([file], options);
    const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
    expect(found.map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"))).toEqual([]);
  },
  60_000,
);

test.each(programs)(
  "the program on line $line prints what is shown",
  async ({ text, line, output }) => {
    const file = write(`run-${line}.ts`, text);
    const { stdout } = await promisify(execFile)(join(root, "node_modules/.bin/tsx"), [file], { cwd: root });
    expect(output?.language).toBe("text");
    // Last digits differ between engines with and without a fused multiply-add.
    expect(wordsOf(stdout)).toEqual(wordsOf(output!.text));
    const [found, shown] = [numbersOf(stdout), numbersOf(output!.text)];
    for (const [i, n] of shown.entries())
      expect(Math.abs(found[i]! - n)).toBeLessThanOrEqual(2e-3 * Math.max(1, Math.abs(n)));
  },
  60_000,
);

const number = /\b\d+(\.\d+)?\b/g;
/** A text with a sign where it has numbers. */
const wordsOf = (text: string): string => text.replace(number, "#").replace(/ +/g, " ");
const numbersOf = (text: string): number[] => [...text.matchAll(number)].map(([n]) => Number(n));

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
