import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSources, root } from "../../scripts/sources.ts";
import { blocksOf } from "./blocks.ts";

// docs/adding-an-op.md follows a real op: every line of code that it quotes stands where it says.

const normal = (text: string): string => text.replace(/\s+/g, " ").trim();
const files = [
  ...readSources().values(),
  readFileSync(join(root, "test/oracle/ops/elementwise.py"), "utf8"),
].map(normal);
const quoted = blocksOf("docs/adding-an-op.md").flatMap(({ text }) =>
  text.split("\n").map((line) => normal(line.replace(/ {2,}\/\/.*$/, ""))),
);

test.each(quoted.filter((line) => line.length > 1))("%s", (line) => {
  expect(files.some((file) => file.includes(line))).toBe(true);
});
