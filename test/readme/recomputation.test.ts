import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { difference } from "../../scripts/same-text.ts";
import { root } from "../../scripts/sources.ts";
import { blocksOf } from "./blocks.ts";
import { typeErrorsOf } from "./programs.ts";

// What docs/recomputation.md shows is right in its types, runs, and prints what it says there.

const blocks = blocksOf("docs/recomputation.md");
const programs = blocks.flatMap((block, i) =>
  block.language === "ts" ? [{ ...block, output: blocks[i + 1]! }] : [],
);

let folder: string;
// Inside the repository, so that "thaw" means its sources there.
beforeAll(() => {
  folder = mkdtempSync(join(root, "test/readme/tmp-"));
  for (const { line, text } of programs) writeFileSync(join(folder, `${line}.ts`), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("its programs are right in their types", () => {
  expect(programs.length).toBe(3);
  expect(typeErrorsOf(programs.map(({ line }) => join(folder, `${line}.ts`)))).toEqual([]);
}, 60_000);

test.each(programs)("the program on line $line prints what is shown", async ({ line, output }) => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    await import(join(folder, `${line}.ts`));
    expect(output.language).toBe("text");
    expect(difference(log.mock.calls.map((args) => `${args.join(" ")}\n`).join(""), output.text)).toBeNull();
  } finally {
    log.mockRestore();
  }
});
