import { expect, test, vi } from "vitest";
import { digits } from "../../src/cli/digits.ts";

test("both tasks are learned, nothing that rests moves, and the usual recipe leaks", async () => {
  const progress: string[] = [];
  const write = vi
    .spyOn(process.stdout, "write")
    .mockImplementation((text) => progress.push(String(text)) > 0);
  const lines: string[] = [];
  const { ours, theirs } = await digits({ epochs: 16, batchSize: 32, seed: 0 }, (line) =>
    lines.push(line),
  ).finally(() => write.mockRestore());

  expect(ours.accuracy.pixels).toBeGreaterThanOrEqual(0.97);
  expect(ours.accuracy.blocks).toBeGreaterThanOrEqual(0.92);
  // While blocks trained alone, nothing changed that pixels is told from.
  expect(ours.accuracyLater.pixels).toBe(ours.accuracy.pixels);
  expect(
    ours.parameters.map((p) => [p.path, p.trainedBy.join(), p.steps, p.movedFrozen, p.bitsFrozen]),
  ).toEqual([
    // 43 batches a pass: 16 passes for each task, then 2 for the layer of blocks alone.
    ["pixels.weight", "pixels", 688, 0, 0],
    ["pixels.bias", "pixels", 688, 0, 0],
    ["blocks.weight", "blocks", 774, 0, 0],
    ["blocks.bias", "blocks", 774, 0, 0],
    ["trunk.2.weight", "pixels,blocks", 1376, 0, 0],
    ["trunk.2.bias", "pixels,blocks", 1376, 0, 0],
    ["trunk.5.weight", "pixels,blocks", 1376, 0, 0],
    ["trunk.5.bias", "pixels,blocks", 1376, 0, 0],
  ]);
  for (const p of ours.parameters) expect(p.moved).toBeGreaterThan(0.01);

  for (const p of theirs.parameters) {
    expect(p.bitsFrozen).toBeGreaterThan(1000);
    expect(p.movedFrozen).toBeGreaterThan(1e-3);
  }

  const lived = progress
    .join("")
    .split("\n")
    .filter((line) => line !== "");
  expect(lived).toHaveLength(20);
  expect(lived[0]).toMatch(
    /^trains +10 % +step 147\/1462 +loss \d\.\d{4} +accuracy \d\d\.\d % +[\d.]+ steps\/s +\d+:\d\d left$/,
  );
  expect(lines.some((line) => /^trains +\d\d\.\d % +\d\d\.\d % +\d\d\.\d % +0$/.test(line))).toBe(true);
}, 180_000);
