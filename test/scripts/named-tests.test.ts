import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

test.each([".ci/run", "package.json"])("tests that %s names are there", (file) => {
  const text = readFileSync(file, "utf8");
  const named = [...text.matchAll(/\btest\/[\w/.-]+\.test\.ts\b/g)].map(([path]) => path);
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((path) => !existsSync(path))).toEqual([]);
});
