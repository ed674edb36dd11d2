import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { backendNames } from "../../../src/backends/registry.ts";

// Which backend computes is fixed once a process, so each has a file.
test.each(backendNames())("the matrix is proven on %s", (name) => {
  expect(existsSync(new URL(`${name}.test.ts`, import.meta.url))).toBe(true);
});
