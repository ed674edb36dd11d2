import { expect, test } from "vitest";
import { allowedMemory } from "../../src/backends/memory-limit.ts";

const gib = 2 ** 30;
const process = (allowed: number | undefined) => ({
  constrainedMemory: () => allowed,
  memoryUsage: { rss: () => gib / 4 },
});

test("what a container allows, less what is taken", () => {
  expect(allowedMemory(process(2 * gib))).toBe(1.75 * gib);
  // Where there is hardly any left, some is.
  expect(allowedMemory(process(gib / 8))).toBe(2 ** 26);
});

test.each([0, undefined, 2 ** 63, 2 ** 64, Number.NaN, -1])("%s means that nothing holds it", (allowed) => {
  expect(allowedMemory(process(allowed))).toBe(Number.POSITIVE_INFINITY);
});

test("a browser, or an old Node, says nothing", () => {
  expect(allowedMemory({})).toBe(Number.POSITIVE_INFINITY);
});
