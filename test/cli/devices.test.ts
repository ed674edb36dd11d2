import { expect, test } from "vitest";
import { backendNames, currentBackend } from "../../src/backends/registry.ts";
import { settings } from "../../src/base/settings.ts";
import { devices } from "../../src/cli/devices.ts";

test("every backend has a line, and one of them is in use", () => {
  const lines: string[] = [];
  devices({}, (line) => lines.push(line));
  for (const name of backendNames())
    expect(lines.filter((line) => line.startsWith(`${name} `))).toHaveLength(1);
  const used = lines.filter((line) => line.includes("in use "));
  expect(used).toHaveLength(1);
  expect(used[0]).toContain(currentBackend().name);
  expect(used[0]).toContain(currentBackend().describe());
});

test("a name that is no backend's is said to be wrong, and the backends are shown all the same", () => {
  const before = settings.backend;
  settings.backend = "abacus";
  try {
    const lines: string[] = [];
    devices({}, (line) => lines.push(line));
    expect(lines.join("\n")).toContain("THAW_BACKEND=abacus names no backend");
    expect(lines.some((line) => line.includes("in use"))).toBe(false);
    expect(lines.filter((line) => line.includes("available")).length).toBeGreaterThan(0);
  } finally {
    settings.backend = before;
  }
});

test("what the machine can do is measured where it is asked for", () => {
  const lines: string[] = [];
  devices({ peaks: true }, (line) => lines.push(line));
  const told = lines.find((line) => line.startsWith("Measured"))!;
  const [, flops, bytes] = /: ([\d.]+) GFLOP\/s .*, ([\d.]+) GB\/s/.exec(told)!;
  expect(Number(flops)).toBeGreaterThan(1);
  expect(Number(bytes)).toBeGreaterThan(0.1);
});
