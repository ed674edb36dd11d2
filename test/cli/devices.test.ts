import { expect, test } from "vitest";
import { backendNames, currentBackend } from "../../src/backends/registry.ts";
import { devices } from "../../src/cli/devices.ts";

test("every backend has a line, and one of them is in use", () => {
  const lines: string[] = [];
  devices((line) => lines.push(line));
  for (const name of backendNames())
    expect(lines.filter((line) => line.startsWith(`${name} `))).toHaveLength(1);
  const used = lines.filter((line) => line.includes("in use "));
  expect(used).toHaveLength(1);
  expect(used[0]).toContain(currentBackend().name);
  expect(used[0]).toContain(currentBackend().describe());
});
