import { expect, test } from "vitest";
import { killInSaves } from "../../scripts/kills/kills.ts";

// `npm run check:kills` does it 300 times.
test("killed inside saves, with temporary names that repeat, a run ends with the bits of an uninterrupted one", async () => {
  const entry = new URL("../../src/index.ts", import.meta.url).href;
  const { inside, left } = await killInSaves(entry, 5);
  expect(inside).toBe(5);
  expect(left).toHaveLength(2);
  for (const name of left) expect(name).toMatch(/^checkpoint-\d{8}\.safetensors$/);
}, 180_000);
